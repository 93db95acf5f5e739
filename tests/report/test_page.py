from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING

import polars as pl
import pytest
from lxml import html

from il2cyto import get
from il2cyto.errors import SchemaError
from il2cyto.io import read_anndata, write_anndata
from il2cyto.report import write_report
from il2cyto.report._alerts import OF_ABSENT
from tests.pl import _tables as tables

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = (
    "<script>alert(1)</script>",
    r"$\frac{1}{0}$",
    "x" * 300,
    "مريم",
    "🧬🧬",
    '"><img src=x onerror=alert(2)>',
    "</script>",
    "{{7*7}}",
)


def page(path: Path) -> html.HtmlElement:
    return html.document_fromstring(path.read_text("utf-8"))


def test_the_page_is_one_file_that_asks_for_nothing_else(gated: Path) -> None:
    text = (gated / "report.html").read_text("utf-8")

    sources = page(gated / "report.html").xpath("//@src | //link/@href")
    assert all(str(source).startswith("data:image/svg+xml;base64,") for source in sources)
    # The only addresses are the names of XML vocabularies inside the pictures.
    assert not re.findall(r"(?:https?:)?//[a-z][\w.-]+\.\w+", re.sub(r"base64,[\w+/=]+", "", text))
    assert len(text) < 10_000_000


def test_sections_come_in_order_and_simulated_data_say_so(gated: Path) -> None:
    document = page(gated / "report.html")

    ids = document.xpath("//main/section/@id")
    assert ids == [
        *("alerts", "study", "endpoints", "dynamics", "populations", "review", "samples", "methods", "provenance")
    ]
    assert ids == [href.removeprefix("#") for href in document.xpath("//nav/a/@href")]
    assert "SIMULATED DATA" in document.xpath("string(//header)")


def test_the_same_folder_gives_the_same_bytes(results: Path) -> None:
    before = (results / "report.html").read_bytes()
    assert write_report(results).read_bytes() == before


def test_tables_of_the_run_are_shown_with_their_numbers(results: Path) -> None:
    tables.binary_endpoints().write_csv(results / "tables" / "binary_endpoints.csv")
    tables.continuous_endpoints().write_csv(results / "tables" / "continuous_endpoints.csv")
    tables.consort().write_csv(results / "tables" / "consort.csv")
    tables.population_contrasts().write_csv(results / "tables" / "population_contrasts.csv")
    document = page(write_report(results))

    assert "endpoints" in document.xpath("//main/section/@id")
    shown = document.xpath("//div[@data-table='binary_endpoints']//tbody/tr")
    assert len(shown) == tables.binary_endpoints().height
    first = [cell.text_content() for cell in shown[0].xpath("td")]
    assert first[:9] == ["sri4", "mitt", "nri", "W12", "12", "placebo", "9", "30", "30.0"]
    assert len(document.xpath("//section[@id='study']//img")) == 1


def test_every_picture_has_a_description_and_every_table_a_caption(gated: Path) -> None:
    document = page(gated / "report.html")

    assert all(alt.strip() for alt in document.xpath("//img/@alt"))
    assert len(document.xpath("//img/@alt")) == len(document.xpath("//img")) > 0
    assert all(table.xpath("string(caption)").strip() for table in document.xpath("//table"))


def test_hostile_names_stay_text(results: Path) -> None:
    adata = read_anndata(results / "results.h5ad")
    subjects = adata.obs["subject"].cat.categories
    adata.obs["subject"] = adata.obs["subject"].cat.rename_categories(dict(zip(subjects, HOSTILE, strict=True)))
    adata.uns["il2cyto"]["study"] = "".join(HOSTILE)
    write_anndata(adata, results / "results.h5ad")
    failures = {key: list(HOSTILE) for key in ("sample", "file", "stage", "error", "message")}
    pl.DataFrame(failures).write_csv(results / "tables" / "failures.csv")
    document = page(write_report(results))

    assert document.xpath("string(//h1)") == "".join(HOSTILE)
    assert set(HOSTILE) <= {cell.text_content() for cell in document.xpath("//div[@data-table='samples']//td")}
    assert not document.xpath("//*[@onerror]")
    # Our two scripts and the data, nothing more.
    assert len(document.xpath("//script")) == 3
    data = json.loads(document.xpath("string(//script[@id='review-data'])"))
    assert {sample["subject"] for sample in data["samples"]} == set(HOSTILE)
    pictures = [base64.b64decode(str(source).split(",", 1)[1]) for source in document.xpath("//img/@src")]
    assert not [name for name in HOSTILE for picture in pictures if name.encode() in picture]


def test_a_failed_file_is_the_first_alert(results: Path) -> None:
    message = "P07.fcs: $TOT: 12 events promised, 8 found. Export the file again."
    pl.DataFrame(
        {"sample": ["P07"], "file": ["P07.fcs"], "stage": ["propose"], "error": ["FcsError"], "message": [message]}
    ).write_csv(results / "tables" / "failures.csv")
    first = page(write_report(results)).xpath("//ul[@class='alerts']/li")[0]

    assert first.get("class") == "fail"
    assert message in first.text_content()


def test_flags_are_counted_as_the_object_has_them(gated: Path) -> None:
    flags = get.flags(read_anndata(gated / "results.h5ad"))
    counts = flags.group_by("flag").agg(pl.col("sample").n_unique())

    lines = {
        li.xpath("string(span[1])"): li.text_content()
        for li in page(gated / "report.html").xpath("//ul[@class='alerts']/li")
    }
    # A marker that the panel lacks is told by name, once.
    for flag, n in counts.filter(~pl.col("flag").is_in(OF_ABSENT)).iter_rows():
        assert f": {n} sample" in lines[flag]


def test_methods_are_rendered_and_cannot_carry_tags(results: Path) -> None:
    (results / "methods.md").write_text("# Methods\n\nSubjects were <b onclick=x>compared</b> by *MMRM*.\n")
    methods = page(write_report(results)).xpath("//div[@class='methods']")[0]

    assert methods.xpath("string(h1)") == "Methods"
    assert methods.xpath("string(p)") == "Subjects were <b onclick=x>compared</b> by MMRM."


def test_a_run_in_which_every_file_failed_still_has_a_report(results: Path) -> None:
    write_anndata(read_anndata(results / "results.h5ad")[:0].copy(), results / "results.h5ad")
    document = page(write_report(results))

    assert "0 samples" in document.xpath("string(//header)")
    assert not document.xpath("//section[@id='populations']//img")


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SchemaError) as raised:
        write_report(tmp_path)
    assert str(raised.value) == (
        f"{tmp_path.name}: no results.h5ad; a report is made of the folder that il2cyto run or gate has written."
    )


def test_responses_are_drawn_by_group_and_against_the_change_of_activity(results: Path) -> None:
    rows = [
        (population, "CD4", f"S{i}", ("placebo", "IL-2")[i % 2], "W6", "W12", 0.1 * i, float(i % 5 - 4))
        for population in ("Treg", "NK")
        for i in range(12)
    ]
    columns = ["population", "denominator", "subject", "arm", "visit", "outcome_visit", "change_logit", "change_sledai"]
    pl.DataFrame(rows, schema=columns, orient="row").write_csv(results / "tables" / "response_pairs.csv")
    adata = read_anndata(results / "results.h5ad")
    subject = adata.obs["subject"].astype(str)
    adata.obs["response"] = ["responder" if name < "SIM-005" else "non-responder" for name in subject]
    write_anndata(adata, results / "results.h5ad")

    document = page(write_report(results))

    alts = document.xpath("//section[@id='dynamics']//img/@alt")
    assert "Mean frequency of each population over the visits by response, with intervals and single subjects." in alts
    assert (
        "Change of each population on treatment against the later change of SLEDAI, a point a subject, by arm." in alts
    )
    shown = document.xpath("//div[@data-table='response_pairs']//tbody/tr")
    assert len(shown) == 24


def test_endpoints_that_the_trials_figure_has_no_panel_for_have_a_figure_of_their_own(results: Path) -> None:
    rates = tables.binary_endpoints()
    other = rates.filter(endpoint="sri4").with_columns(endpoint=pl.lit("doris"))
    pictures = {}
    for name, table in {"both": pl.concat([rates, other]), "other": other}.items():
        (results / "tables" / "continuous_endpoints.csv").unlink(missing_ok=True)
        table.write_csv(results / "tables" / "binary_endpoints.csv")
        pictures[name] = len(page(write_report(results)).xpath("//section[@id='endpoints']//img"))

    assert pictures == {"both": 2, "other": 1}


def test_captions_give_the_level_that_the_study_has_set(results: Path) -> None:
    tables.population_contrasts().write_csv(results / "tables" / "population_contrasts.csv")
    (results / "inputs").mkdir(exist_ok=True)
    captions = []
    for settings in ({}, {"analysis": {"alpha": 0.1}}):
        trial = {"study": "SIM", **settings}
        (results / "inputs" / "trial.json").write_text(json.dumps(trial), "utf-8")
        captions.append(page(write_report(results)).xpath("string(//section[@id='dynamics'])"))

    assert "Odds ratio with its 95 % confidence interval at" in captions[0]
    assert "Odds ratio with its 90 % confidence interval at" in captions[1]

"""A trial from its frequencies to its folder of results."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import anndata
import polars as pl
import pytest
import typer
from polars.testing import assert_frame_equal

from il2cyto import conclude, datasets, pipeline
from il2cyto.cli import analyse, published
from il2cyto.io import verify_run
from tests.analysis._data import frequencies

#: What the tables of a run and of its own frequencies have in common: all but what needs batches or more populations' parents.
POPULATION_TABLES = ("population_means", "population_contrasts", "population_omnibus", "population_within", "population_change", "response")  # fmt: skip


def il2cyto(*words):
    command = [sys.executable, "-m", "il2cyto.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("conclude") / "results"
    pipeline.run(datasets.sample_data_path(), folder)
    return folder


def table(folder, name):
    return pl.read_parquet(folder / "tables" / f"{name}.parquet")


def test_a_run_leaves_tables_figures_workbook_methods_report_and_clinical_columns(results) -> None:
    names = {path.relative_to(results).as_posix() for path in results.rglob("*") if path.is_file()}
    assert {"results.xlsx", "methods.md", "report.html", "prism/Treg.csv", "inputs/trial.json", "run.jsonl"} <= names
    figures = ("dynamics", "dynamics-response", "endpoints", "consort", "forest", "effects")
    assert {f"figures/{name}.{kind}" for name in figures for kind in ("svg", "pdf", "png")} <= names
    for name in ("consort", "endpoints", "effects", "forest"):
        assert "SIMULATED" in (results / "figures" / f"{name}.svg").read_text("utf-8"), name
    obs = anndata.read_h5ad(results / "results.h5ad").obs
    assert {"mitt", "sri4", "sledai", "response"} <= set(obs.columns)
    at = table(results, "binary_endpoints").filter(endpoint="sri4", set="mitt", rule="nri", visit="W12")
    assert at.select("x", "n").rows() == [(1, 4), (2, 4)]
    assert verify_run(results).problems == ()


def test_a_csv_of_the_frequencies_gives_the_numbers_of_the_run(results, tmp_path) -> None:
    rows = pl.read_csv(results / "tables" / "frequencies.csv", infer_schema_length=None)
    primary = dict(pl.read_csv(results / "tables" / "population_means.csv").select("population", "denominator").unique(maintain_order=True).rows()[::-1])  # fmt: skip
    mine = rows.filter(pl.col("population").is_in(list(primary)))
    mine.write_csv(tmp_path / "f.csv")

    conclude.analyse_frequencies(tmp_path / "f.csv", tmp_path / "out", study=datasets.sample_data_path())

    parents = mine.select("population", denominator="parent").unique()
    for name in POPULATION_TABLES:
        ours, theirs = table(results, name), table(tmp_path / "out", name)
        if "denominator" in ours.columns:
            ours = ours.join(parents, on=["population", "denominator"], how="semi", maintain_order="left")
        keep = pl.col("*").exclude("p_adjusted", "adjustment")  # the run's families hold other denominators too
        columns = [column for column in ours.columns if column in theirs.columns]
        assert_frame_equal(ours.select(columns).select(keep), theirs.select(columns).select(keep), abs_tol=1e-9)
    assert_frame_equal(table(results, "binary_contrasts"), table(tmp_path / "out", "binary_contrasts"))


def test_analysing_a_folder_again_gives_the_same_bytes_and_an_intact_record(results, tmp_path) -> None:
    again = tmp_path / "results"
    shutil.copytree(results, again)

    conclude.analyse_folder(again)

    for path in results.rglob("*"):
        if path.suffix in {".csv", ".parquet", ".svg", ".md", ".xlsx", ".json"}:
            assert (again / path.relative_to(results)).read_bytes() == path.read_bytes(), path.name
    assert verify_run(again).problems == ()


def test_a_sheet_alone_is_analysed_with_a_named_control_and_primary_visit(tmp_path) -> None:
    frequencies(16).drop("flags").write_csv(tmp_path / "trial.csv")

    files = conclude.analyse_frequencies(tmp_path / "trial.csv", tmp_path / "out", control="placebo", primary="W12")

    primary = table(tmp_path / "out", "population_contrasts").filter(role="primary")
    assert primary.select("population", "contrast", "visit").rows() == [("Treg", "IL-2 - placebo", "W12"), ("NK", "IL-2 - placebo", "W12")]  # fmt: skip
    assert tmp_path / "out" / "methods.md" in files


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({}, "give one of a folder of results, or --frequencies with --out"),
        ({"frequencies": Path("f.csv")}, "--frequencies needs --out, the folder for the results"),
        (
            {"folder": Path("results"), "control": "x"},
            "--out, --control and --primary belong to --frequencies; a folder's results stay in it",
        ),
    ],
)
def test_a_command_that_contradicts_itself_is_refused(words, message) -> None:
    with pytest.raises(typer.BadParameter) as e:
        analyse(**words)

    assert str(e.value) == message


def test_published_prints_a_line_for_each_statement_and_method(capsys) -> None:
    published()

    printed = capsys.readouterr().out
    assert printed.startswith("id,source,counts,printed,method,computed,match,note\n")
    assert '"SRI-4, week 12"' in printed


@pytest.mark.slow
def test_the_simulated_trial_has_the_counts_of_the_published_one(tmp_path) -> None:
    done = il2cyto("demo", "--out", tmp_path)

    assert done.returncode == 0, done.stderr
    for line in (
        "simulated: sri4 at W12, IL-2 v placebo: 16/29 v 9/30",
        "simulated: sri4 at W24, IL-2 v placebo: 19/29 v 11/30",
        "simulated: nephritis_remission at W12, IL-2 v placebo: 7/13 v 2/12",
        "simulated: infection: IL-2 2/29 v placebo 6/30",
        "simulated: serious_infection: IL-2 0/29 v placebo 2/30",
        "simulated: injection_site: IL-2 9/29 v placebo 2/30",
        "simulated: fever: IL-2 4/29 v placebo 0/30",
        "simulated: flu_like: IL-2 3/29 v placebo 0/30",
    ):
        assert line in done.stderr, line
    at = {"endpoint": "sri4", "set": "mitt", "rule": "nri", "visit": "W12"}
    row = table(tmp_path, "binary_contrasts").filter(**at).row(0, named=True)
    assert [round(row[name], 4) for name in ("risk_difference", "ci_low", "ci_high")] == [0.2517, -0.0027, 0.4764]
    contrasts = table(tmp_path, "population_contrasts").filter(role="primary")
    assert contrasts.height == 5
    assert contrasts.filter(population="Treg")["estimate"].item() > 0

from __future__ import annotations

import json
import math

import numpy as np
import polars as pl
import pyreadstat
import pytest

from il2cyto import datasets, exchange
from il2cyto.cli import app
from il2cyto.io._cdisc import ADCP, CP, DATASETS

#: SDTMIG 3.4, section 6.3.5.8: first and last variables, those whose place is easily got wrong, and how many there are.
PLACES = {
    "STUDYID": 1,
    "CPTESTCD": 10,
    "CPMRKSTR": 19,
    "CPORRES": 26,
    "CPSTRESN": 34,
    "VISITNUM": 51,
    "CPDY": 57,
    "CPRFTDTC": 62,
}


@pytest.fixture(scope="module")
def tables(gated, study):
    return exchange.cdisc_tables({"tnk": gated}, study=study)


def rules_broken(tables):
    return set(exchange.check_cdisc(tables)["rule"])


def test_the_variables_stand_where_the_standard_has_them():
    names = [variable.name for variable in CP]
    assert {name: names.index(name) + 1 for name in PLACES} == PLACES
    assert len(CP) == 62
    assert (ADCP[0].name, ADCP[-1].name, len(ADCP)) == ("STUDYID", "SRCSEQ", 27)
    assert {name for name, (_, variables) in DATASETS.items() for v in variables if len(v.label) > 40} == set()


def test_a_record_says_what_the_cohort_says(tables, gated):
    cp = tables["CP"].filter(CPREFID="SIM-002_W6")
    row = cp.row(by_predicate=pl.col("CPTESTCD") == "TLHRTLH", named=True)
    value = float(gated["SIM-002_W6", "Treg"].X[0, 0])

    assert row["CPSTRESN"] == pytest.approx(100 * value, rel=1e-5)
    assert row["CPORRES"] == row["CPSTRESC"] == f"{100 * value:.6g}"
    about = (
        "STUDYID",
        "USUBJID",
        "CPTEST",
        "CPMRKSTR",
        "CPORRESU",
        "CPNAM",
        "VISIT",
        "VISITNUM",
        "VISITDY",
        "CPDY",
        "CPDTC",
    )
    assert [row[name] for name in about] == [
        *("SIMULATED IL2-SLE-SIM", "SIMULATED IL2-SLE-SIM-SIM-002", "TLym Help Reg/TLym Help"),
        *("CD3+CD4+CD25hiCD127lo/CD3+CD4+CD8-", "%", "SIMULATED", "W6", 2, 43, 45, None),
    ]
    assert row["CPGATDEF"].endswith("|lymphocytes|T|CD4|Treg")
    counts = tables["SUPPCP"].filter(USUBJID=row["USUBJID"], IDVARVAL=str(int(row["CPSEQ"])))
    assert dict(counts.select("QNAM", "QVAL").iter_rows()) == {
        "EVTGT": f"{gated['SIM-002_W6', 'Treg'].layers['counts'][0, 0]:.0f}",
        "EVPAR": f"{gated['SIM-002_W6', 'CD4'].layers['counts'][0, 0]:.0f}",
    }
    bright = cp.row(by_predicate=pl.col("CPTESTCD") == "NKSNK", named=True)
    assert bright["CPSBMRKS"] == "CD56hiCD16lo"


def test_what_is_not_evaluable_is_not_done_with_its_flag_as_reason(adata):
    i, j = adata.obs_names.get_loc("SIM-001_W0"), adata.var_names.get_loc("Treg")
    adata.X[i, j] = adata.layers["counts"][i, j] = np.nan
    adata.layers["flag"][i, j] |= 1 << int(adata.uns["il2cyto"]["flags"].at["NO_PARENT", "bit"])

    tables = exchange.cdisc_tables({"tnk": adata})

    row = tables["CP"].filter(CPREFID="SIM-001_W0", CPTESTCD="TLHRTLH").row(0, named=True)
    assert [row[name] for name in ("CPSTAT", "CPREASND", "CPORRES", "CPSTRESC", "CPSTRESN")] == [
        "NOT DONE",
        "NO_PARENT",
        None,
        None,
        None,
    ]
    assert rules_broken(tables) == {"AD006"}  # its subject has no baseline of Treg now


def test_a_batch_without_a_baseline_visit_breaks_no_rule_and_has_no_changes(adata, study):
    adata.obs["baseline"] = False

    tables = exchange.cdisc_tables({"tnk": adata}, study=study)

    assert tables["ADCP"]["ABLFL", "BASE", "CHG"].null_count().row(0) == (tables["ADCP"].height,) * 3
    assert rules_broken(tables) == set()


def test_changes_and_logits_are_those_of_the_counts(tables, gated):
    adcp = tables["ADCP"].filter(USUBJID="SIMULATED IL2-SLE-SIM-SIM-003")
    counts = {v: gated[f"SIM-003_{v}"].to_df("counts") for v in ("W0", "W12")}
    logit = {
        v: math.log((c["NK"].item() + 0.5) / (c["lymphocytes"].item() - c["NK"].item() + 0.5))
        for v, c in counts.items()
    }

    row = adcp.filter(PARAMCD="LNKLY", AVISIT="W12").row(0, named=True)

    assert (row["AVAL"], row["BASE"]) == pytest.approx((logit["W12"], logit["W0"]))
    assert row["CHG"] == pytest.approx(logit["W12"] - logit["W0"])
    assert (row["PARAM"], row["SRCDOM"], row["TRTP"], row["TRTA"], row["ITTFL"]) == (
        *("NK Cells/Lym (logit)", "SUPPCP"), *(str(gated.obs.at["SIM-003_W0", "arm"]),) * 2, "Y",
    )  # fmt: skip
    percent = adcp.filter(PARAMCD="NKLY", AVISIT="W12").row(0, named=True)
    assert percent["PCHG"] == pytest.approx(100 * (percent["AVAL"] / percent["BASE"] - 1))
    assert adcp.filter(PARAMCD="NKLY", AVISIT="W0")["CHG"].to_list() == [None]


def test_counts_per_microlitre_are_tests_of_their_own(adata):
    adata.layers["cells_per_ul"] = np.full(adata.shape, 321.0)

    cp = exchange.cdisc_tables({"tnk": adata})["CP"].filter(CPRESTYP="NUMBER CONCENTRATION")

    assert cp["CPTESTCD"].unique(maintain_order=True).to_list() == ["TLYH", "TLC", "TLYHR", "NKCE", "NKS"]
    assert set(cp.select("CPSTRESN", "CPSTRESU").rows()) == {(321.0, "10^6/L")}


def test_an_export_of_the_sample_data_breaks_no_rule_and_is_read_by_others(results, tmp_path, capsys):
    out = tmp_path / "cdisc"
    study = datasets.sample_data_path() / "study.yaml"

    app(["export", str(results), "--to", "cdisc", "--study", str(study), "--out", str(out)], standalone_mode=False)

    assert capsys.readouterr().err == ""
    assert pl.read_csv(out / "violations.csv").height == 0
    for name in ("cp", "suppcp", "adcp"):
        table = pl.read_parquet(out / f"{name}.parquet")
        sas, _ = pyreadstat.read_xport(out / f"{name}.xpt")
        assert list(sas.columns) == table.columns
        for column in table.columns:
            if table.schema[column] == pl.Float64:
                np.testing.assert_array_equal(sas[column].to_numpy(float), table[column].cast(pl.Float64).to_numpy())
            else:
                assert sas[column].fillna("").tolist() == table[column].fill_null("").to_list()
    define = json.loads((out / "define.json").read_text())
    assert define["about"] == "CP-shaped, rule-checked; not a submission"
    assert {term["CPTESTCD"] for term in define["terms"] if term["extension"]} == {"TLYHRTLY", "NKLE", "NKSLY"}
    first = (out / "cp.xpt").read_bytes()
    again = exchange.export(results, "cdisc", tmp_path / "again", study=study)
    assert again.files[2].read_bytes() == first


def test_names_that_nobody_declared_are_found_and_can_be_declared(adata, tmp_path):
    adata = adata[:, ["CD4", "T", "lymphocytes"]].copy()
    adata.var_names = ["Tfh", "T", "lymphocytes"]
    (tmp_path / "terms.csv").write_text(
        "population,denominator,testcd,test\nTfh,T,TFHTLY,TLym Foll Help/TLym\nTfh,lymphocytes,TFHLY,TLym Foll Help/Lym\n"
    )

    found = exchange.check_cdisc(exchange.cdisc_tables({"tnk": adata}))
    declared = exchange.cdisc_tables({"tnk": adata}, terms=tmp_path / "terms.csv")

    assert dict(found.select("rule", "found").iter_rows()) == {
        "CP007": "TFHLYMP, TFHT: name them in a table of terms (population, denominator, testcd, test)"
    }
    assert declared["CP"]["CPTESTCD"].unique(maintain_order=True).to_list() == ["TFHTLY", "TFHLY"]
    assert rules_broken(declared) == set()


def put(dataset, row, **values):
    """Break one record."""

    def change(tables):
        frame = tables[dataset]
        here = pl.int_range(pl.len()) == row
        return {**tables, dataset: frame.with_columns(pl.when(here).then(pl.lit(v, frame.schema[k])).otherwise(k).alias(k) for k, v in values.items())}  # fmt: skip

    return change


def replace(dataset, make):
    return lambda tables: {**tables, dataset: make(tables[dataset])}


def second_baseline(adcp):
    return adcp.with_columns(ABLFL=pl.when(PARAMCD="NKLY", AVISIT="W6").then(pl.lit("Y")).otherwise("ABLFL"))


def baseline_late(adcp):
    late = adcp.with_columns(ABLFL=pl.when(AVISIT="W12").then(pl.lit("Y")))
    return late.with_columns(CHG=pl.when(AVISIT="W6").then(pl.col("AVAL") - pl.col("BASE")))


BROKEN = {
    "CP001": put("CP", 0, STUDYID=None),
    "CP002": replace("CP", lambda cp: cp.select("DOMAIN", pl.exclude("DOMAIN"))),
    "CP003": replace("SUPPCP", lambda supp: supp.with_columns(QUALIFIER=pl.lit("x"))),
    "CP004": put("CP", 0, CPGATDEF="x" * 201),
    "CP005": put("CP", 0, CPTESTCD="4LHLY"),
    "CP006": put("CP", 0, CPTEST="TLym Help/Mono"),
    "CP007": replace("CP", lambda cp: cp.with_columns(CPTESTCD=pl.col("CPTESTCD") + "X", declared=False)),
    "CP008": replace("CP", lambda cp: cp.with_columns(CPTEST=pl.col("CPTEST").str.replace("TLym Help", "CD4"))),
    "CP009": put("CP", 9, CPCELSTA="ACTIVATED"),
    "CP010": put("CP", 0, CPSBMRKS="CD25hi"),
    "CP011": replace("CP", lambda cp: pl.concat([cp, cp[:1].with_columns(CPSEQ=pl.lit(999.0))])),
    "CP012": put("CP", 1, CPSEQ=1.0),
    "CP013": put("CP", 0, CPMRKSTR="CD3+, CD4+/CD3+"),
    "CP014": put("CP", 0, CPMRKSTR="CD4+CD3+/CD3+"),
    "CP015": put("CP", 0, CPDRVFL="Y"),
    "CP016": put("CP", 0, CPSTAT="NOT DONE"),
    "CP017": replace("SUPPCP", lambda supp: supp[1:]),
    "AD001": put("ADCP", 0, PARAMCD="toolongname"),
    "AD002": put("ADCP", 0, PARAM="Other"),
    "AD003": put("ADCP", 1, BASE=0.0, CHG=None),
    "AD004": put("ADCP", 1, CHG=55.0),
    "AD005": replace("ADCP", baseline_late),
    "AD006": replace("ADCP", second_baseline),
}


def test_each_rule_has_an_object_that_breaks_it():
    assert set(BROKEN) == {rule.id for rule in exchange.cdisc_rules()}


@pytest.mark.parametrize("rule", sorted(BROKEN))
def test_a_broken_object_is_found_by_its_rule(tables, rule):
    assert rules_broken(tables) == set()

    assert rule in rules_broken(BROKEN[rule](tables))


def test_a_violation_names_the_record(tables):
    found = exchange.check_cdisc(BROKEN["AD004"](tables))

    assert found.rows() == [
        (
            "AD004",
            "CHG is AVAL - BASE.",
            "ADCP",
            "CHG",
            1,
            "SIMULATED IL2-SLE-SIM-SIM-001/13/TLYHTLY",
            "another difference",
        )
    ]

"""A trial from its frequencies to its folder of results."""

from __future__ import annotations

import shutil

import anndata
import numpy as np
import pandas as pd
import polars as pl
from polars.testing import assert_frame_equal

from il2cyto import conclude, datasets
from il2cyto.analysis import analyse
from il2cyto.io import verify_run
from tests.analysis._data import frequencies

#: What the tables of a run and of its own frequencies have in common: all but what needs batches or more populations' parents.
POPULATION_TABLES = ("population_means", "population_contrasts", "population_omnibus", "population_within", "population_change", "response")  # fmt: skip


def table(folder, name):
    return pl.read_parquet(folder / "tables" / f"{name}.parquet")


def test_a_run_leaves_tables_figures_workbook_methods_report_and_clinical_columns(sample_results) -> None:
    names = {path.relative_to(sample_results).as_posix() for path in sample_results.rglob("*") if path.is_file()}
    assert {"results.xlsx", "methods.md", "report.html", "prism/Treg.csv", "inputs/trial.json", "run.jsonl"} <= names
    figures = ("dynamics", "dynamics-response", "endpoints", "consort", "forest", "effects")
    assert {f"figures/{name}.{kind}" for name in figures for kind in ("svg", "pdf", "png")} <= names
    for name in ("consort", "dynamics", "endpoints", "effects", "forest"):
        assert "SIMULATED" in (sample_results / "figures" / f"{name}.svg").read_text("utf-8"), name
    obs = anndata.read_h5ad(sample_results / "results.h5ad").obs
    assert {"mitt", "sri4", "sledai", "response"} <= set(obs.columns)
    dynamics = pl.read_csv(sample_results / "tables" / "dynamics.csv")
    assert set(dynamics["population"]) == {"CD4", "CD8", "Treg", "NK", "CD56bright"}
    assert set(dynamics["arm"]) == {"placebo", "IL-2"}
    at = table(sample_results, "binary_endpoints").filter(endpoint="sri4", set="mitt", rule="nri", visit="W12")
    assert at.select("x", "n").rows() == [(1, 4), (2, 4)]
    assert verify_run(sample_results).problems == ()


def test_a_csv_of_the_frequencies_gives_the_numbers_of_the_run(sample_results, tmp_path) -> None:
    rows = pl.read_csv(sample_results / "tables" / "frequencies.csv", infer_schema_length=None)
    primary = dict(pl.read_csv(sample_results / "tables" / "population_means.csv").select("population", "denominator").unique(maintain_order=True).rows()[::-1])  # fmt: skip
    mine = rows.filter(pl.col("population").is_in(list(primary)))
    mine.write_csv(tmp_path / "f.csv")

    conclude.analyse_frequencies(tmp_path / "f.csv", tmp_path / "out", study=datasets.sample_data_path())

    parents = mine.select("population", denominator="parent").unique()
    for name in POPULATION_TABLES:
        ours, theirs = table(sample_results, name), table(tmp_path / "out", name)
        if "denominator" in ours.columns:
            ours = ours.join(parents, on=["population", "denominator"], how="semi", maintain_order="left")
        keep = pl.col("*").exclude("p_adjusted", "adjustment")  # the run's families hold other denominators too
        columns = [column for column in ours.columns if column in theirs.columns]
        assert_frame_equal(ours.select(columns).select(keep), theirs.select(columns).select(keep), abs_tol=1e-9)
    assert_frame_equal(table(sample_results, "binary_contrasts"), table(tmp_path / "out", "binary_contrasts"))


def test_analysing_a_folder_again_gives_the_same_bytes_and_an_intact_record(sample_results, tmp_path) -> None:
    again = tmp_path / "results"
    shutil.copytree(sample_results, again)

    conclude.analyse_folder(again)

    for path in sample_results.rglob("*"):
        if path.suffix in {".csv", ".parquet", ".svg", ".md", ".xlsx", ".json"}:
            assert (again / path.relative_to(sample_results)).read_bytes() == path.read_bytes(), path.name
    assert verify_run(again).problems == ()


def test_numbers_of_several_methods_are_not_mixed_the_commonest_is_analysed_and_the_others_are_named(
    sample_results,
) -> None:
    adata = anndata.read_h5ad(sample_results / "results.h5ad")
    methods = ["beads"] * 3 + ["dual_platform"] * (adata.n_obs - 3)
    adata.obs["count_method"] = pd.Categorical(methods)
    adata.layers["cells_per_ul"] = np.full(adata.shape, 100.0)
    adata.layers["cells_per_ul"][:3] = 1e6

    done = analyse(adata)

    assert set(done.tables["absolute_endpoints"]["mean"].round(9)) == {100.0}
    assert (
        f"cells per µL: 3 samples were counted by beads and are left out, as most ({adata.n_obs - 3}) were by dual_platform"
        in done.notices
    )
    assert "Cells per µL are the fraction of lymphocytes times the lymphocyte count of the visit" in done.methods


def test_a_sheet_alone_is_analysed_with_a_named_control_and_primary_visit(tmp_path) -> None:
    frequencies(16).drop("flags").write_csv(tmp_path / "trial.csv")

    files = conclude.analyse_frequencies(tmp_path / "trial.csv", tmp_path / "out", control="placebo", primary="W12")

    primary = table(tmp_path / "out", "population_contrasts").filter(role="primary")
    assert primary.select("population", "contrast", "visit").rows() == [("Treg", "IL-2 - placebo", "W12"), ("NK", "IL-2 - placebo", "W12")]  # fmt: skip
    assert tmp_path / "out" / "methods.md" in files

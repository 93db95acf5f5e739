"""Bridging controls in a run: what is written of them, and that they can speak for a batch alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
import pytest

from il2cyto import get, pipeline
from il2cyto.cohort import gate_study, read_gates
from il2cyto.gt import explain_cut
from il2cyto.io import read_anndata, read_study, read_template
from il2cyto.report import write_report
from il2cyto.template import GatingTemplate
from tests._runs import make_trial

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six simulated files in three batches; the first of each stands for a control."""
    folder = tmp_path_factory.mktemp("controls")
    study = make_trial(folder / "study", 6)
    sheet = pl.read_csv(study.parent / "samples.csv").with_columns(
        pl.Series("batch", ["r1", "r1", "r2", "r2", "r3", "r3"]),
        pl.Series("control", ["yes", "no"] * 3),
    )
    sheet = sheet.with_columns(
        pl.when(pl.col("control") == "yes").then(pl.lit("QC")).otherwise("subject").alias("subject")
    )
    sheet.write_csv(study.parent / "samples.csv")
    pipeline.gate(study, folder / "out")
    return folder / "out"


def test_the_table_of_controls_is_that_of_their_frequencies(results):
    table = pl.read_csv(results / "tables" / "control_cv.csv")
    adata = read_anndata(results / "results.h5ad")
    treg = get.frequencies(adata, populations=["Treg"])["frequency"].to_numpy()[adata.obs["control"].to_numpy()]
    row = table.row(by_predicate=pl.col("population") == "Treg", named=True)
    assert (row["material"], row["runs"], row["tubes"]) == ("QC", 3, 3)
    assert row["cv"] == pytest.approx(treg.std(ddof=1) / treg.mean())


def test_the_drift_of_a_cut_has_a_row_for_each_batch_with_samples_and_controls_apart(results):
    cuts = pl.read_csv(results / "tables" / "cuts.csv").filter(population="T")
    drift = pl.read_csv(results / "tables" / "cut_drift.csv").filter(population="T")
    control = dict(read_anndata(results / "results.h5ad").obs["control"].items())
    assert drift["batch"].to_list() == ["r1", "r2", "r3"]
    assert drift.select("samples", "controls").rows() == [(1, 1)] * 3
    own = dict(cuts.select("sample", "own").iter_rows())
    assert set(drift["control_own"]) == {own[name] for name, is_control in control.items() if is_control}
    assert set(drift["own"]) == {own[name] for name, is_control in control.items() if not is_control}
    assert sorted(drift["shift"])[1] == 0


def test_a_gate_fitted_on_controls_follows_the_control_of_each_batch(results):
    study = read_study(results.parent / "study" / "study.yaml")
    content = read_template("tnk").model_dump(by_alias=True, exclude_unset=True)
    for population in content["populations"]:
        if population["name"] == "T":
            population["adapt"] = {"level": "batch", "fit_on": "controls"}
    template = GatingTemplate.model_validate(content)
    gated = gate_study(study, gates=replace(read_gates(study), templates={"tnk": template}))
    cuts = gated.cuts["tnk"].filter(population="T").join(study.sheet.select("sample", "batch", "control"), on="sample")
    own = dict(cuts.filter("control").select("batch", "own").iter_rows())
    assert cuts["final"].to_list() == [own[batch] for batch in cuts["batch"]]
    told = explain_cut(cuts.row(0, named=True), template)
    assert (told.recomputed, told.of_controls) == (cuts["final"][0], True)
    assert "batch r1, 1 usable cut of controls" in told.text


def test_the_report_shows_the_controls(results):
    page = write_report(results).read_text(encoding="utf-8")
    assert "Variation between runs" in page

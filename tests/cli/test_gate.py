"""Gating in real processes."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import polars as pl

from il2cyto.io import open_fcs, read_densities
from tests._runs import run


def test_gate_writes_results_tables_and_events_of_a_bare_batch(batch):
    done = run("gate", batch / "study.yaml", "--out", batch / "out", "--events")
    assert done.returncode == 0, done.stderr
    adata = anndata.read_h5ad(batch / "out" / "results.h5ad")
    table = pl.read_csv(batch / "out" / "tables" / "frequencies.csv")
    assert table.columns == [
        *("sample", "subject", "visit", "arm", "panel", "population", "parent", "count", "parent_count", "frequency"),
        *("ci_low", "ci_high", "flags"),
    ]
    assert table.height == adata.n_obs * adata.n_vars
    assert table.schema["count"] == pl.Int64
    sample = adata.obs_names[0]
    events = anndata.read_h5ad(batch / "out" / "events" / f"{sample}.h5ad")
    names = list(events.uns["gating_cols"])
    assert events.obsm["gating"].dtype == bool
    np.testing.assert_array_equal(
        np.asarray(events.obsm["gating"].sum(axis=0)).ravel(), adata[sample, names].layers["counts"].ravel()
    )
    file = open_fcs(batch / adata.obs["file"].iloc[0])
    np.testing.assert_array_equal(events.X, file.events())
    densities = read_densities(batch / "out" / "densities.npz")
    assert list(densities) == sorted(adata.obs_names)
    parents = pd.Series(adata.layers["parent_counts"][0], adata.var_names)
    for name in ("T", "CD25pos", "singlets"):
        assert densities[sample][name].counts.sum() == parents[name]
    for name in ("results.h5ad", "densities.npz"):
        assert str(batch / "out" / name) in done.stdout.splitlines()


def test_one_bad_file_does_not_stop_the_rest_and_is_exit_code_1(batch):
    bad = sorted(batch.glob("*.fcs"))[1]
    bad.write_bytes(bad.read_bytes()[:4000])
    done = run("gate", batch / "study.yaml", "--out", batch / "out")
    assert done.returncode == 1
    assert f"failed: {bad.name}: " in done.stderr
    assert anndata.read_h5ad(batch / "out" / "results.h5ad").n_obs == 3
    failures = pl.read_csv(batch / "out" / "tables" / "failures.csv")
    assert failures["file"].to_list() == [bad.name]
    assert "Traceback" not in done.stderr


def test_a_wrong_study_is_exit_code_2_and_nothing_is_written(batch):
    (batch / "study.yaml").write_text("study: batch 7\nsamples: sampels.csv\npanels: {tnk: {template: tnkk}}\n")
    done = run("gate", batch / "study.yaml", "--out", batch / "out")
    assert done.returncode == 2
    assert "sampels.csv" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (batch / "out").exists()


def test_run_adds_the_report_to_what_gate_writes_and_names_every_file(batch):
    done = run("run", batch / "study.yaml", "--out", batch / "out")
    assert done.returncode == 0, done.stderr
    for name in ("results.h5ad", "densities.npz", "tables/frequencies.csv", "report.html"):
        assert (batch / "out" / name).is_file()
        assert str(batch / "out" / name) in done.stdout.splitlines()

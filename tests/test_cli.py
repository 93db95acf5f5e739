"""The command line in real processes."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import polars as pl
import pytest

from il2cyto import cli, datasets
from il2cyto.io import open_fcs, read_densities


def il2cyto(*words, cwd=None):
    command = [sys.executable, "-m", "il2cyto.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, timeout=300)


@pytest.fixture
def batch(tmp_path: Path) -> Path:
    """A batch as a lab has it, without arms or clinical tables: four files of the simulated trial and a sheet."""
    source = datasets.sample_data_path()
    files = sorted((source / "fcs").glob("*.fcs"))[:4]
    for file in files:
        shutil.copy(file, tmp_path / file.name)
    rows = "\n".join(f"{file.name},{file.stem.split('_')[0]},{file.stem.split('_')[1]}" for file in files)
    (tmp_path / "samples.csv").write_text(f"file,subject,visit\n{rows}\n")
    (tmp_path / "study.yaml").write_text("study: batch 7\nsamples: samples.csv\npanels: {tnk: {template: tnk}}\n")
    return tmp_path


def test_gate_writes_results_tables_and_events_of_a_bare_batch(batch):
    done = il2cyto("gate", batch / "study.yaml", "--out", batch / "out", "--events")
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
    done = il2cyto("gate", batch / "study.yaml", "--out", batch / "out")
    assert done.returncode == 1
    assert f"failed: {bad.name}: " in done.stderr
    assert anndata.read_h5ad(batch / "out" / "results.h5ad").n_obs == 3
    failures = pl.read_csv(batch / "out" / "tables" / "failures.csv")
    assert failures["file"].to_list() == [bad.name]
    assert "Traceback" not in done.stderr


def test_a_wrong_study_is_exit_code_2_and_nothing_is_written(batch):
    (batch / "study.yaml").write_text("study: batch 7\nsamples: sampels.csv\npanels: {tnk: {template: tnkk}}\n")
    done = il2cyto("gate", batch / "study.yaml", "--out", batch / "out")
    assert done.returncode == 2
    assert "sampels.csv" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (batch / "out").exists()


def test_run_adds_summary_and_figure_and_the_picture_says_simulated(tmp_path):
    done = il2cyto("run", datasets.sample_data_path() / "study.yaml", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "simulated" in (tmp_path / "figures" / "dynamics.svg").read_text().lower()
    dynamics = pl.read_csv(tmp_path / "tables" / "dynamics.csv")
    assert set(dynamics["population"]) == {"CD4", "CD8", "Treg", "NK", "CD56bright"}
    assert set(dynamics["arm"]) == {"placebo", "IL-2"}


def test_check_names_a_missing_file_and_says_nothing_of_a_clean_study(batch):
    (batch / sorted(batch.glob("*.fcs"))[0].name).unlink()
    done = il2cyto("check", batch / "study.yaml")
    assert done.returncode == 1
    assert "error" in done.stdout
    assert "SIM-001_W0.fcs" in done.stdout


def test_simulate_makes_a_study_that_check_accepts(tmp_path):
    done = il2cyto("simulate", "--out", tmp_path / "trial", "--subjects", "4", "--seed", "5")
    assert done.returncode == 0, done.stderr
    assert il2cyto("check", done.stdout.strip()).returncode == 0


def test_templates_are_listed_shown_and_checked(tmp_path):
    listed = il2cyto("templates", "list").stdout
    assert [line.split()[0] for line in listed.splitlines()] == sorted(line.split()[0] for line in listed.splitlines())
    shown = il2cyto("templates", "show", "tnk").stdout
    assert "CD56bright: CD56high and not CD16pos" in shown
    (tmp_path / "t.yaml").write_text("schema: il2cyto/gating-template/1\nname: t\n")
    bad = il2cyto("templates", "check", tmp_path / "t.yaml")
    assert bad.returncode == 2
    assert "populations" in bad.stderr


def test_verify_prints_the_head_and_finds_a_changed_result(batch):
    assert il2cyto("gate", batch / "study.yaml", "--out", batch / "out").returncode == 0
    good = il2cyto("verify", batch / "out")
    last = (batch / "out" / "run.jsonl").read_bytes().splitlines()[-1]
    assert (good.returncode, good.stdout) == (0, f"head {hashlib.sha256(last).hexdigest()}\n")
    (batch / "out" / "tables" / "cuts.csv").write_text("sample\n")
    bad = il2cyto("verify", batch / "out")
    assert bad.returncode == 1
    assert "tables/cuts.csv: not as the last run wrote it." in bad.stderr.splitlines()
    assert il2cyto("verify", batch).returncode == 2


def test_of_many_findings_that_differ_by_a_number_the_terminal_shows_the_first_and_counts_the_rest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from il2cyto.cli import _print_problems

    rows = [("warning", "W151", f"{i} events", "Look.", f"f{i}.fcs") for i in range(9)]
    columns = ["severity", "code", "message", "remedy", "file"]
    _print_problems(pl.DataFrame([*rows, ("error", "E101", "gone", "Copy it.", "g.fcs")], schema=columns, orient="row"))

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7
    assert lines[5] == "warning W151 4 more findings of this kind. See them all with --json or --out."
    assert lines[6] == "error   E101 g.fcs: gone. Copy it."


def test_a_person_gets_a_line_a_folder_and_a_program_one_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [Path("out/results.h5ad"), Path("out/tables/a.csv"), Path("out/tables/b.csv"), Path("out/report.html")]

    cli._list_files(files)
    assert capsys.readouterr().out.splitlines() == list(map(str, files))

    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    cli._list_files(files)
    assert capsys.readouterr().out.splitlines() == ["out/tables/  2 files", "out/results.h5ad", "out/report.html"]

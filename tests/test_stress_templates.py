"""Shipped templates on tubes as another lab would have made them; docs/gating-validation.md has the long version."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

from il2cyto.io import find_template, read_template

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def stress():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        return importlib.import_module("stress_templates")


def scores(stress, bench, title):
    change = {name: change for name, change, _ in stress.changes(())}[title]
    return stress.pl.DataFrame(bench.score(title, change, 0), schema=stress.COLUMNS, orient="row")


@pytest.mark.slow
@pytest.mark.parametrize("title", ["another lab, 30,000 events", "offset", "B 80 %, leukaemic", "30% debris"])
def test_euroflow_gates_hold_in_other_hands_and_in_leukaemia(stress, shared, title):
    template = read_template(find_template("euroflow-lst", relative_to=Path.cwd()))
    table = scores(stress, stress.Bench(shared / "data" / "euroflow_lst", template, {}, 10_000.0), title)
    found = stress.summary(table)
    assert found["silent"].sum() == 0
    medians = dict(found.select("population", "median").iter_rows())
    for population, least in {"CD4": 0.97, "CD8": 0.97, "NK": 0.95, "CD56bright": 0.7}.items():
        assert medians[population] >= least, population


def test_debris_in_a_file_without_monocytes_does_not_pass_for_lymphocytes(stress, shared):
    """A valley of side scatter would lie between debris and lymphocytes, and keep the debris."""
    template = read_template(find_template("tbnk", relative_to=Path.cwd()))
    bench = stress.Bench(shared / "data" / "visits", template, {}, 0.0)
    table = scores(stress, bench, "10% debris").filter(stress.pl.col("population").is_in(["T", "CD4", "CD8"]))
    f1 = table["f1"].drop_nans()
    assert f1.len() > 30
    assert np.min(f1.to_numpy()) > 0.95


def test_debris_does_not_pass_for_cells_without_lineage(stress, shared):
    """The size of cells is that of the lineage-positive ones; a valley of forward scatter moves with the amount of debris."""
    template = read_template(find_template("hipc-nk", relative_to=Path.cwd()))
    bench = stress.Bench(shared / "data" / "lyoplate_dc_nk", template, {}, 0.0)
    table = scores(stress, bench, "30% debris")
    f1 = table.filter(stress.pl.col("population").is_in(["NK_lineage", "NK"]))["f1"]
    assert f1.min() > 0.85


@pytest.mark.slow
def test_lymphocytes_are_found_whatever_the_voltage_of_scatter(stress, shared, tmp_path):
    """Granularity is measured from the T cells of the same file."""
    for path in (shared / "data" / "raw_panels" / "aurora_30c").glob("*Tetramer.fcs"):
        (tmp_path / path.name).symlink_to(path)
    template = read_template(find_template("hipc-treg", relative_to=Path.cwd()))
    bench = stress.Bench(tmp_path, template, {}, 0.0)
    found = stress.summary(scores(stress, bench, "scatter x 1.25"))
    worst = dict(found.filter(stress.pl.col("population") != "Treg").select("population", "worst").iter_rows())
    assert min(worst.values()) > 0.9


def test_with_few_b_cells_the_others_are_told_by_t_cells_whatever_the_gain(stress, shared):
    """The B cells of other tubes know nothing of this one's gain; without a valley its own T cells say what is CD19-."""
    template = read_template(find_template("tbnk", relative_to=Path.cwd()))
    bench = stress.Bench(shared / "data" / "visits", template, {}, 0.0)
    found = stress.summary(scores(stress, bench, "all channels x 0.5-2"))
    assert found.filter(population="NK_lineage")["worst"].item() > 0.85

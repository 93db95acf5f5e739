"""Acceptance by simulation, in a small version: docs/gating-validation.md has the large one."""

from __future__ import annotations

import runpy
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from il2cyto.io import read_template
from il2cyto.template import CornerGate
from il2cyto.template._cuts import ReferenceOffsetGate

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SUBJECTS, SEED = 12, 5


@cache
def benchmark(name: str) -> dict[str, Any]:
    return runpy.run_path(str(BENCHMARKS / f"{name}.py"))


@cache
def reconciled(rise: str, layout: str, brightening: float):
    """Recovered and true, a row for each population."""
    names = benchmark("adaptive_bias")
    table = names["run"](names["Trial"](rise, layout, brightening, SEED, SUBJECTS))
    return table.filter(cuts="reconciled")


@pytest.mark.parametrize("name", ["tnk", "hipc-treg"])
def test_the_gate_of_the_benchmark_is_that_of_the_templates(name):
    gates = {population.name: population.gate for population in read_template(name).populations}
    cd25, cd127, treg = (gates[population] for population in ("CD25pos", "CD127low", "Treg"))
    assert isinstance(cd25, ReferenceOffsetGate)
    assert isinstance(cd127, ReferenceOffsetGate)
    assert isinstance(treg, CornerGate)
    assert benchmark("treg_gate")["GATES"]["tnk"] == (cd25.k, cd127.k, treg.slant)


@pytest.mark.parametrize(
    "cells",
    ["as simulate_trial has it", "brightening twice as large", "Treg dimmer: CD25 3.3 for 3.5"],
)
def test_brightening_alone_hardly_raises_treg_whatever_its_size_and_that_of_the_gap(cells):
    names = benchmark("treg_gate")
    before = names["draw"](names["CELLS"][cells])
    after = names["draw"](names["on_drug"](names["CELLS"][cells]))
    first, second = names["counts"](names["GATES"]["tnk"], before, after)
    assert 1 < second / first < 1.03
    # The gate stands where most true Tregs are.
    assert first == pytest.approx(names["CELLS"][cells].treg * len(before.x), rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["subjects", "visit"])
@pytest.mark.parametrize("rise", ["0 %", "+20 %", "+50 %"])
def test_changes_are_recovered_within_a_tenth_though_batches_shift_and_the_drug_brightens(rise, layout):
    table = reconciled(rise, layout, 1.0)
    assert table["population"].to_list() == ["Treg", "NK", "CD56bright"]
    assert (table["recovered"] / table["true"]).to_list() == pytest.approx([1.0] * 3, abs=0.1)


@pytest.mark.slow
def test_brightening_moves_a_null_trial_by_less_than_half_of_its_standard_error():
    """The same cells with and without; 0.082, 0.077 and 0.143 are the standard errors of a trial of 60, in logits."""
    bright, dull = (reconciled("0 %", "subjects", brightening)["difference"] for brightening in (1.0, 0.0))
    for moved, error in zip(bright - dull, (0.082, 0.077, 0.143), strict=True):
        assert abs(moved) < error / 2

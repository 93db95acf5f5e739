"""Acceptance by simulation, in a small version: docs/gating-validation.md has the large one."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "adaptive_bias.py"


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["subjects", "visit"])
@pytest.mark.parametrize("rise", ["0 %", "+50 %"])
def test_a_change_of_treg_is_recovered_within_a_tenth_though_batches_shift_and_the_drug_brightens(rise, layout):
    trial = runpy.run_path(str(BENCHMARK))["trial"]
    table = trial(rise, layout, brightening=True, subjects=12, events=10_000, seed=5, runs=1)
    row = table.filter(cuts="reconciled").row(0, named=True)
    assert 0.9 < row["recovered"] / row["true"] < 1.1


@pytest.mark.slow
def test_without_an_effect_a_test_rejects_as_often_as_it_says_whatever_the_cuts():
    trial = runpy.run_path(str(BENCHMARK))["trial"]
    table = trial("0 %", "subjects", brightening=False, subjects=16, events=5_000, seed=6, runs=2000)
    assert table["rejections"].to_list() == pytest.approx([0.05] * 4, abs=0.02)

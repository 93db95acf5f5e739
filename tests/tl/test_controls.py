"""Between-run variation of bridging controls, against hand counts and simulation."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from il2cyto import tl
from il2cyto.tl._controls import _interval


def frame(
    values: list[float], batches: list[str], control: list[bool] | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    names = [f"c{i}" for i in range(len(values))]
    rows = {"sample": names, "subject": "QC", "population": "Treg", "parent": "CD4", "frequency": values}
    return pl.DataFrame(rows), pl.DataFrame(
        {"sample": names, "batch": batches, "control": control or [True] * len(names)}
    )


def cv_of(values: list[float], batches: list[str]) -> pl.DataFrame:
    frequencies, samples = frame(values, batches)
    return tl.control_cv(frequencies, samples=samples)


def test_tubes_of_a_run_are_one_value_and_samples_none():
    frequencies, samples = frame([0.04, 0.06, 0.06, 0.07, 0.5], ["1", "1", "2", "3", "3"], [True] * 4 + [False])
    row = tl.control_cv(frequencies, samples=samples).row(0, named=True)
    assert (row["runs"], row["tubes"], row["material"], row["note"]) == (3, 4, "QC", "")
    assert row["mean"] == pytest.approx(0.06)
    assert row["sd"] == pytest.approx(np.std([0.05, 0.06, 0.07], ddof=1))
    assert row["cv"] == pytest.approx(1 / 6)


def test_few_runs_are_told():
    two, one = cv_of([0.05, 0.06], ["1", "2"]), cv_of([0.05], ["1"])
    assert two["note"][0] == "fewer than 3 runs: the interval is hardly informative"
    assert two["cv"].is_finite()[0]
    assert (one["note"][0], one["cv"].is_nan()[0]) == ("not estimable: one run", True)


def test_the_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(5)
    runs = rng.normal(1, 0.1, (4000, 6))
    limits = [_interval(cv, 6, 0.95) for cv in runs.std(axis=1, ddof=1) / runs.mean(axis=1)]
    covered = np.mean([low <= 0.1 <= high for low, high in limits])
    assert covered == pytest.approx(0.95, abs=0.011)  # three standard errors of 4,000 draws

"""Tipping points of a binary endpoint: every count tested, against that of non-responders."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import stats

from il2cyto import tl
from il2cyto.errors import ModelError


def counts(x1: int, n1: int, gone1: int, x2: int, n2: int, gone2: int) -> pl.DataFrame:
    rows = [(a, b, x1 + a, n1, x2 + b, n2) for a in range(gone1 + 1) for b in range(gone2 + 1)]
    names = ["responders_treatment", "responders_control", "x_treatment", "n_treatment", "x_control", "n_control"]
    return pl.DataFrame(rows, schema=names, orient="row")


def test_every_count_is_tested_and_tips_against_that_of_non_responders() -> None:
    # 19/29 v 11/30 with three missing in control: two more responders there, and p passes .05.
    table = tl.tipping_contrasts(counts(17, 29, 2, 8, 30, 3))

    for row in table.iter_rows(named=True):
        a, n, b, m = (row[name] for name in ("x_treatment", "n_treatment", "x_control", "n_control"))
        assert row["p"] == pytest.approx(stats.fisher_exact([[a, n - a], [b, m - b]]).pvalue)
        assert row["risk_difference"] == pytest.approx(a / n - b / m)
        assert row["tips"] == (row["p"] >= 0.05)
    assert table["tips"].any()
    assert not table["tips"].all()
    # More responders among the treated speak for treatment, more among controls against it.
    grid = table.pivot("responders_control", index="responders_treatment", values="risk_difference").drop(
        "responders_treatment"
    )
    assert (np.diff(grid.to_numpy(), axis=0) > 0).all()
    assert (np.diff(grid.to_numpy(), axis=1) < 0).all()


def test_a_significant_difference_the_other_way_round_tips_too() -> None:
    table = tl.tipping_contrasts(counts(20, 30, 0, 2, 40, 38))

    assert table.row(-1, named=True)["risk_difference"] < 0
    assert table.row(-1, named=True)["p"] < 0.05
    assert table["tips"][-1]


def test_an_empty_arm_is_nan_and_a_table_without_its_start_is_refused() -> None:
    assert tl.tipping_contrasts(counts(3, 10, 1, 0, 0, 0))["p"].is_nan().all()
    with pytest.raises(ModelError) as error:
        tl.tipping_contrasts(counts(3, 10, 1, 2, 9, 1).slice(1))
    assert str(error.value) == (
        "tipping_contrasts: no row, or several, without responders among the missing; clinical.tipping_point makes the table."
    )

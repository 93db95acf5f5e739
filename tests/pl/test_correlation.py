from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.stats import spearmanr

from il2cyto import pl as pictures
from tests.pl import _tables as tables


@pytest.fixture
def pairs() -> pl.DataFrame:
    rng = np.random.default_rng(5)
    rows = [
        (population, arm, *rng.normal(size=2))
        for population in ("Treg", "NK")
        for arm in tables.ARMS
        for _ in range(12)
    ]
    return pl.DataFrame(rows, schema=["population", "arm", "x", "y"], orient="row")


def test_points_and_coefficients_are_those_of_each_arm_alone(pairs: pl.DataFrame) -> None:
    figure: Any = pictures.correlation(pairs, arms=tables.ARMS)

    for ax, population in zip(figure.axes, ("Treg", "NK"), strict=True):
        for arm, line, text in zip(tables.ARMS, ax.lines, ax.texts, strict=True):
            rows = pairs.filter(population=population, arm=arm)
            np.testing.assert_array_equal(line.get_xydata(), rows.select("x", "y"))
            rho = f"{spearmanr(rows['x'], rows['y']).statistic:.2f}".replace("-", "−")
            assert text.get_text() == f"{arm}: n = 12, ρ = {rho}"


def test_too_few_pairs_have_no_coefficient_and_incomplete_ones_no_point(pairs: pl.DataFrame) -> None:
    few = pairs.filter(population="NK").with_columns(
        y=pl.when(pl.int_range(pl.len()).over("arm") < 3).then("y").otherwise(None)
    )

    ax: Any = pictures.correlation(few, arms=tables.ARMS).axes[0]

    assert [text.get_text() for text in ax.texts] == ["placebo: n = 3", "IL-2: n = 3"]

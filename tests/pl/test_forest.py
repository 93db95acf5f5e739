from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from il2cyto import pl as pictures
from tests.pl import _tables as tables


@pytest.fixture
def week12() -> pl.DataFrame:
    return tables.population_contrasts().filter(visit="W12")


def test_a_forest_draws_effects_and_intervals_of_the_table_from_top_to_bottom(week12: pl.DataFrame) -> None:
    ax: Any = pictures.forest(week12)

    effects = next(line for line in ax.lines if line.get_label() == "_effects")
    np.testing.assert_allclose(effects.get_xdata(), week12["odds_ratio"])
    np.testing.assert_array_equal(effects.get_ydata(), range(5))
    (intervals,) = (c for c in ax.collections if c.get_label() == "_intervals")
    limits = np.column_stack([week12["or_low"], week12["or_high"]])
    np.testing.assert_allclose([segment[:, 0] for segment in intervals.get_segments()], limits)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == week12["population"].to_list()
    assert ax.yaxis_inverted()


def test_an_effect_that_is_not_estimable_keeps_its_row_and_says_so(week12: pl.DataFrame) -> None:
    missing = week12.with_columns(odds_ratio=pl.when(population="NK").then(None).otherwise("odds_ratio"))

    ax: Any = pictures.forest(missing)

    assert [text.get_text() for text in ax.texts][3] == "not estimable"


def test_the_map_shows_each_effect_and_marks_those_that_stand_after_adjustment() -> None:
    contrasts = tables.population_contrasts()
    figure = pictures.effect_map(contrasts)

    ax = figure.axes[0]
    image: Any = ax.images[0]
    expected = contrasts.pivot(on="visit", index="population", values="estimate").drop("population").to_numpy()
    np.testing.assert_allclose(image.get_array(), expected)
    marked = [text.get_text() for text in ax.texts if "•" in text.get_text()]
    assert len(marked) == contrasts.filter(pl.col("p_adjusted") < 0.05).height
    assert "adjusted" in figure.texts[0].get_text()


def test_a_map_needs_one_row_for_each_field() -> None:
    contrasts = tables.population_contrasts()
    with pytest.raises(ValueError, match="effect_map: one row for each population and visit is needed"):
        pictures.effect_map(pl.concat([contrasts, contrasts]))

"""Delta adjustment and tipping points: direction, algebra, and agreement with the models that it starts from."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

from il2cyto import tl
from il2cyto.errors import ModelError
from tests.tl._mmrm_data import ROLES, simulate

FRAME = simulate(50, 4, missing=0.2, seed=9)
MODEL: dict[str, Any] = {**ROLES, "covariates": ["base"], "at": 10}
NUMBERS = ["estimate", "se", "df", "ci_low", "ci_high", "p"]


def test_without_delta_it_is_the_mixed_model_but_for_the_noise_of_imputation() -> None:
    row = tl.delta_adjusted(FRAME, **MODEL, deltas=[(0, 0)], imputations=2000).row(0, named=True)

    mixed = tl.mmrm(FRAME, **ROLES, covariates=["base"], by_visit=["base"]).contrasts.filter(visit=10)
    noise = row["se"] * np.sqrt(row["fmi"] / 2000)
    assert row["estimate"] == pytest.approx(mixed["estimate"].item(), abs=4 * noise)
    assert row["se"] == pytest.approx(mixed["se"].item(), rel=0.1)
    assert row["contrast"] == "1 - 0"
    assert 0 < row["fmi"] < 0.5


def test_an_estimate_moves_by_the_regression_of_what_was_added() -> None:
    deltas = [(0, 0), (-1.5, 0), (0, -1.5), (0.7, -0.4)]

    table = tl.delta_adjusted(FRAME, **MODEL, deltas=deltas)

    people = FRAME.group_by("subject").agg(pl.col("arm", "base").first()).sort("subject")
    seen = people["subject"].is_in(FRAME.filter(week=10)["subject"].implode()).to_numpy()
    arm, base = people["arm"].to_numpy(), people["base"].to_numpy()
    X = np.column_stack([np.ones(len(arm)), arm, base])
    moved = [np.linalg.lstsq(X, np.where(seen, 0.0, np.where(arm == 1, up, down)))[0][1] for up, down in deltas]
    assert_allclose(table["estimate"] - table["estimate"][0], moved, atol=1e-10)
    # Lower where the treated who left were worse, higher where the controls were.
    assert moved[1] < 0 < moved[2]
    assert (table["missing_treatment"][0], table["missing_control"][0]) == (
        (~seen & (arm == 1)).sum(),
        (~seen & (arm == 0)).sum(),
    )
    assert (table["n_treatment"][0], table["n_control"][0]) == ((arm == 1).sum(), (arm == 0).sum())


def test_where_nothing_is_missing_at_the_visit_every_delta_gives_the_analysis_of_covariance() -> None:
    frame = simulate(30, 3, seed=2)

    table = tl.delta_adjusted(frame, **ROLES, covariates=["base"], at=8, deltas=[(0, 0), (-5, 2)])

    own = frame.filter(week=8)
    exact = tl.ancova(own["y"].to_numpy(), own["base"].to_numpy(), own["arm"].to_numpy() == 1, se="classical")
    for row in table.select(NUMBERS).iter_rows():
        assert_allclose(row, [exact.estimate, exact.se, exact.df, exact.ci_low, exact.ci_high, exact.p])


def test_the_conclusion_tips_where_p_passes_alpha_and_at_the_other_side_again() -> None:
    frame = FRAME.with_columns(y=pl.col("y") + 1.6 * pl.col("arm"))
    deltas = [(float(d), 0.0) for d in np.arange(0, -40, -4)]

    table = tl.delta_adjusted(frame, **MODEL, deltas=deltas)

    significant = (table["p"] < 0.05).to_list()
    assert significant[0]
    assert not all(significant)
    other = [bool(s) != significant[0] or e < 0 for s, e in zip(significant, table["estimate"], strict=True)]
    assert table["tips"].to_list() == other
    assert_allclose(np.diff(table["estimate"], 2), 0, atol=1e-10)


def test_order_of_rows_and_rows_without_a_value_change_nothing_and_a_row_is_enough_to_be_expected() -> None:
    deltas = [(-1, 0)]
    plain = tl.delta_adjusted(FRAME, **MODEL, deltas=deltas)
    grid = FRAME.select("subject", "arm", "base").unique().join(FRAME.select("week").unique(), how="cross")
    whole = grid.join(FRAME.select("subject", "week", "y"), on=["subject", "week"], how="left")

    for other in (whole, FRAME.sample(fraction=1, shuffle=True, seed=1)):
        assert_allclose(tl.delta_adjusted(other, **MODEL, deltas=deltas)[NUMBERS], plain[NUMBERS], rtol=1e-8)
    never_back = pl.DataFrame({"subject": [99], "week": [2], "arm": [1], "base": [0.3], "y": [None]})
    more = pl.concat([whole.select(never_back.columns), never_back.cast(whole.select(never_back.columns).schema)])
    table = tl.delta_adjusted(more, **MODEL, deltas=deltas)
    assert table["n_treatment"][0] == plain["n_treatment"][0] + 1
    assert table["missing_treatment"][0] == plain["missing_treatment"][0] + 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"at": 7}, "no visit 7; the frame has 2, 4, 8, 10."),
        ({"deltas": []}, "deltas are []; allowed are pairs of finite numbers for treatment and control."),
        ({"deltas": [(np.nan, 0)]}, "deltas are [(nan, 0)]; allowed are pairs of finite numbers for treatment and control."),
        ({"response": "site"}, "the response 'site' holds String, not numbers."),
        ({"response": "z"}, "no column 'z'; the frame has subject, week, arm, base, site, y."),
    ],
)  # fmt: skip
def test_what_cannot_be_shifted_is_refused_in_words(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError) as error:
        tl.delta_adjusted(FRAME, **{**MODEL, "deltas": [(0, 0)], **change})
    assert str(error.value) == f"delta_adjusted: {message}"

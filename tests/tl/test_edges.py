"""Public functions of `tl` at the edge of their input: a right number, NaN, or one clear error; never numpy's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from il2cyto import tl
from il2cyto.errors import Il2cytoError

if TYPE_CHECKING:
    from collections.abc import Callable

NAN = np.nan
SIX = [1.0, 2.0, 3.0, 4.0, 6.0, 5.0]
ARMS = [1, 1, 1, 0, 0, 0]

WITH_LEVEL: dict[str, Callable[..., Any]] = {
    "ancova": lambda **k: tl.ancova(np.array(SIX), np.array(SIX[::-1]), np.array(ARMS, bool), **k),
    "clopper_pearson": lambda **k: tl.clopper_pearson(1, 5, **k),
    "cochran_mantel_haenszel": lambda **k: tl.cochran_mantel_haenszel([1], [5], [2], [5], **k),
    "compare_proportions": lambda **k: tl.compare_proportions(1, 5, 2, 5, **k),
    "conditional_odds_ratio": lambda **k: tl.conditional_odds_ratio(1, 5, 2, 5, **k),
    "hodges_lehmann": lambda **k: tl.hodges_lehmann(np.array(SIX), **k),
    "hodges_lehmann_two": lambda **k: tl.hodges_lehmann_two(np.array(SIX), np.array(SIX), **k),
    "risk_difference_interval": lambda **k: tl.risk_difference_interval(1, 5, 2, 5, **k),
    "roc_auc": lambda **k: tl.roc_auc(SIX, ARMS, **k),
    "shift_between": lambda **k: tl.shift_between(np.array(SIX), np.array(SIX), **k),
    "signed_rank": lambda **k: tl.signed_rank(np.array(SIX), **k),
    "spearman": lambda **k: tl.spearman(SIX, SIX[::-1], **k),
    "standardised_risk": lambda **k: tl.standardised_risk(ARMS, ARMS, np.empty((6, 0)), **k),
}


@pytest.mark.parametrize("name", WITH_LEVEL)
@pytest.mark.parametrize("level", [95, 0, 1, NAN])
def test_a_level_that_is_no_fraction_is_refused(name: str, level: float) -> None:
    with pytest.raises(Il2cytoError) as e:
        WITH_LEVEL[name](level=level)
    assert str(e.value) == f"level is {level}; allowed is a fraction between 0 and 1, such as 0.95."


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tl.compare_aucs([1, 2], [1, 2, 3], [0, 1, 1]), "compare_aucs: 2, 3 and 3 values; one of each per subject is needed."),
        (lambda: tl.compare_aucs([1, 2], [1, 2], [0, 2]), "compare_aucs: a subject is a responder (1) or not (0); other numbers were found."),
        (lambda: tl.roc_auc([1, 2, 3], [0, 1, 2]), "roc_auc: a subject is a responder (1) or not (0); other numbers were found."),
        (lambda: tl.roc_auc([1, 2], [0, 1], strata=np.array(["a", None])), "roc_auc: 1 subjects have no stratum; subjects are not pooled without one."),
        (lambda: tl.spearman(SIX, SIX, strata=[1, 1, NAN, 1, 1, NAN]), "spearman: 2 subjects have no stratum; subjects are not pooled without one."),
        (lambda: tl.ancova(np.array(SIX), np.array([1.0]), np.array(ARMS)), "ancova: 6, 6, 1 values; one of each per subject is needed."),
        (lambda: tl.proportions_p(None, 5, 1, 5), "treatment: None of 5: allowed are whole numbers of subjects with 0 <= x <= n."),  # type: ignore[arg-type]
        (lambda: tl.proportions_p(1, 5, "1", 5), "control: '1' of 5: allowed are whole numbers of subjects with 0 <= x <= n."),  # type: ignore[arg-type]
        (lambda: tl.clopper_pearson([6, 1, -1], 5), "2 of 3 counts are negative or above their total; a proportion lies between 0 and 1."),
        (lambda: tl.holm([0.1, -0.2]), "1 of 2 p values lie outside 0-1; they are not p values."),
        (lambda: tl.benjamini_hochberg([0.1, 2, NAN]), "1 of 3 p values lie outside 0-1; they are not p values."),
        (lambda: tl.mcnemar([True], [2]), "mcnemar: a status is true (1) or false (0); other numbers were found."),  # type: ignore[list-item]
        (lambda: tl.power_of_proportions(0.5, -1, 0.5, 3), "power_of_proportions: arms of -1 and 3, alpha 0.05; allowed are 0 or more, and between 0 and 1."),
        (lambda: tl.empirical_logit([1, 2], [1, 2, 3]), "empirical_logit: 2 counts and 3 of the parent; one of each is needed."),
    ],
)  # fmt: skip
def test_what_is_no_data_is_refused_in_words(call: Callable[[], object], message: str) -> None:
    with pytest.raises(Il2cytoError) as e:
        call()
    assert str(e.value) == message


def test_lists_and_polars_columns_are_as_good_as_arrays() -> None:
    gap = pl.Series([*SIX, None])

    assert tl.hodges_lehmann(SIX) == tl.hodges_lehmann(gap) == tl.hodges_lehmann(np.array(SIX))  # type: ignore[arg-type]
    assert tl.signed_rank(gap).missing == 1  # type: ignore[arg-type]
    listed, array = tl.shift_between(SIX, [1, 2, 8]), tl.shift_between(np.array(SIX), np.array([1.0, 2.0, 8.0]))  # type: ignore[arg-type]
    assert (listed.estimate, listed.ci_high, listed.p) == (array.estimate, array.ci_high, array.p)
    assert tl.standardised_difference([1, 2], [2, 4]) == pytest.approx(-1.5 / np.sqrt((0.5 + 2) / 2))  # type: ignore[arg-type]


def test_a_missing_status_is_not_an_event_whatever_it_is_called() -> None:
    by_none = tl.mcnemar([True, None, False, True], [False, True, None, False])
    by_nan = tl.mcnemar(np.array([1, NAN, 0, 1]), np.array([0, 1, NAN, 0]))  # type: ignore[arg-type]

    assert by_none == by_nan
    assert (by_nan.n, by_nan.missing, by_nan.lost) == (2, 2, 2)


def test_a_model_that_explains_every_value_leaves_no_variance_to_test_against() -> None:
    base, arm = np.array([1.0, 2, 3, 1, 2, 4]), np.array(ARMS, bool)

    for se in ("HC3", "classical"):
        exact = tl.ancova(0.1 * base + 3 * arm, base, arm, se=se)
        assert exact.estimate == pytest.approx(3)
        assert np.isnan([exact.se, exact.p, exact.ci_low]).all()
    assert np.isnan(tl.ancova(np.zeros(6), base, arm).p)


def test_satos_interval_is_not_a_point_where_nobody_has_the_event() -> None:
    sato = tl.cochran_mantel_haenszel([0, 0], [30, 20], [0, 0], [30, 20])
    score = tl.cochran_mantel_haenszel([0, 0], [30, 20], [0, 0], [30, 20], interval="miettinen_nurminen")

    assert sato.risk_difference == 0
    assert np.isnan([sato.rd_low, sato.rd_high]).all()
    assert -0.1 < score.rd_low < 0 < score.rd_high < 0.1


def test_intervals_within_arms_cover_although_arms_differ_in_both_quantities() -> None:
    """Simulated: two arms of 20 that differ in level; pooled, the same data would be far off."""
    runs, rng = 400, np.random.default_rng(11)
    covered = {"spearman": 0, "pooled": 0, "auc": 0}
    true = {"spearman": 6 / np.pi * np.arcsin(0.4 / 2), "auc": stats.norm.cdf(0.7 / np.sqrt(2))}
    arm = np.repeat([0, 1], 20)
    responder = np.tile([0, 1, 0, 1, 1], 8)
    for _ in range(runs):
        x, noise = rng.standard_normal((2, 40))
        r = tl.spearman(x + 3 * arm, 0.4 * x + np.sqrt(1 - 0.4**2) * noise + 3 * arm, strata=arm)
        pooled = tl.spearman(x + 3 * arm, 0.4 * x + np.sqrt(1 - 0.4**2) * noise + 3 * arm)
        auc = tl.roc_auc(noise + 0.7 * responder + 3 * arm, responder, strata=arm)
        covered["spearman"] += r.ci_low <= true["spearman"] <= r.ci_high
        covered["pooled"] += pooled.ci_low <= true["spearman"] <= pooled.ci_high
        covered["auc"] += auc.ci_low <= true["auc"] <= auc.ci_high

    error = 3 * np.sqrt(0.95 * 0.05 / runs)
    assert covered["spearman"] / runs == pytest.approx(0.95, abs=error)
    assert covered["auc"] / runs == pytest.approx(0.95, abs=error)
    assert covered["pooled"] / runs < 0.5


def test_nobody_at_all_is_nan() -> None:
    for shape in ((0, 0), (0, 2)):
        assert np.isnan(tl.standardised_risk([], [], np.empty(shape)).risk_difference)
    for variances, df in (([0.0, 0.0], 5.0), ([1.0, 1.0], 0.0)):
        pooled = tl.pool_imputations([1.0, 2.0], variances, complete_df=df)
        assert pooled.estimate == 1.5
        assert np.isnan(pooled[1:]).all()

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from il2cyto.errors import StudyError
from il2cyto.tl import compare_aucs, roc_auc, spearman

RNG = np.random.default_rng(11)
RESPONDER = np.repeat([1.0, 0.0], [12, 17])
VALUE = np.round(RNG.normal(0.8 * RESPONDER, 1), 1)
ARM = np.array(["a", "b"])[np.arange(29) % 2]


def hand_delong(value: np.ndarray, responder: np.ndarray) -> tuple[float, float]:
    """Area and variance by loops over pairs, as the paper defines them."""
    x, y = value[responder == 1], value[responder == 0]
    psi = np.array([[1.0 if a > b else 0.5 if a == b else 0.0 for b in y] for a in x])
    return psi.mean(), psi.mean(axis=1).var(ddof=1) / len(x) + psi.mean(axis=0).var(ddof=1) / len(y)


def test_the_area_is_that_of_mann_and_whitney_with_delongs_interval_on_the_logit_scale() -> None:
    area, variance = hand_delong(VALUE, RESPONDER)
    u = stats.mannwhitneyu(VALUE[RESPONDER == 1], VALUE[RESPONDER == 0]).statistic
    middle, se = np.log(area / (1 - area)), np.sqrt(variance) / (area * (1 - area))

    found = roc_auc(VALUE, RESPONDER)

    assert found.n == 29
    assert found.estimate == pytest.approx(u / (12 * 17), rel=1e-12)
    limits = [1 / (1 + np.exp(-(middle + sign * stats.norm.ppf(0.975) * se))) for sign in (-1, 1)]
    assert (found.ci_low, found.ci_high) == pytest.approx(limits, rel=1e-9)
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(middle) / se), rel=1e-9)


def test_the_published_areas_of_hanley_and_mcneil_style_ratings() -> None:
    """Hanley and McNeil, Radiology 1982;143:29, table I: 109 CT ratings with an area of .893."""
    normal, abnormal = [33, 6, 6, 11, 2], [3, 2, 2, 11, 33]
    rating = np.concatenate([np.repeat(np.arange(1.0, 6), counts) for counts in (normal, abnormal)])
    found = roc_auc(rating, np.repeat([False, True], [58, 51]))

    assert found.estimate == pytest.approx(0.893, abs=5e-4)
    # The standard error printed there is .032.
    assert (found.ci_high - found.ci_low) / 2 / stats.norm.ppf(0.975) == pytest.approx(0.032, abs=0.003)


def test_arms_are_combined_from_pairs_within_them() -> None:
    parts = [hand_delong(VALUE[arm == ARM], RESPONDER[arm == ARM]) for arm in ("a", "b")]
    pairs = np.array([(RESPONDER[arm == ARM] == 1).sum() * (RESPONDER[arm == ARM] == 0).sum() for arm in ("a", "b")])
    weights = pairs / pairs.sum()

    found = roc_auc(VALUE, RESPONDER, strata=ARM)

    assert found.estimate == pytest.approx(weights @ [area for area, _ in parts], rel=1e-12)
    # A drug that moves all values of an arm does not move the area.
    moved = roc_auc(VALUE + 5 * (ARM == "a"), RESPONDER, strata=ARM)
    assert moved == pytest.approx(found, rel=1e-12)
    assert roc_auc(VALUE + 5 * (ARM == "a"), RESPONDER).estimate != pytest.approx(found.estimate, abs=0.01)


def test_a_perfect_area_has_no_interval_and_one_class_no_area() -> None:
    perfect = roc_auc([1, 2, 3, 4], [0, 0, 1, 1])
    assert perfect.estimate == 1.0
    assert np.isnan(perfect[2:]).all()
    assert np.isnan(roc_auc([1, 2, 3], [1, 1, 1])[1:]).all()
    single = roc_auc([1, 2, 3, 0.5], [0, 1, 0, 0])
    assert single.estimate == 2 / 3
    assert np.isnan(single[2:]).all()
    with pytest.raises(StudyError) as e:
        roc_auc([1, 2], [True])
    assert str(e.value) == "roc_auc: 2, 1 and 2 values; one of each per subject is needed."


def test_the_intervals_of_area_and_correlation_cover_as_often_as_they_say() -> None:
    """Simulated: areas of .714 = Phi(.8/sqrt 2) with 13 v 16, correlations of .4 in two arms of 29 and 30."""
    rng = np.random.default_rng(1)
    status, arms = np.repeat([1.0, 0.0], [13, 16]), np.repeat([0, 1], [29, 30])
    area, rho = stats.norm.cdf(0.8 / np.sqrt(2)), 6 / np.pi * np.arcsin(0.4 / 2)
    covered = np.zeros(2, int)
    for _ in range(500):
        a = roc_auc(rng.normal(0.8 * status), status)
        x = rng.normal(size=59)
        r = spearman(x, 0.4 * x + np.sqrt(1 - 0.16) * rng.normal(size=59) + 3 * arms, strata=arms)
        covered += [a.ci_low <= area <= a.ci_high, r.ci_low <= rho <= r.ci_high]

    assert all(stats.binomtest(int(k), 500, 0.95).pvalue > 0.005 for k in covered)


def test_two_areas_are_compared_within_subjects() -> None:
    other = np.round(RNG.normal(0.3 * RESPONDER, 1), 1)
    difference, p = compare_aucs(VALUE, other, RESPONDER)
    first, second = roc_auc(VALUE, RESPONDER).estimate, roc_auc(other, RESPONDER).estimate
    # Jackknife of the difference: another route to its variance.
    leave_one_out = [
        roc_auc(np.delete(VALUE, i), np.delete(RESPONDER, i)).estimate
        - roc_auc(np.delete(other, i), np.delete(RESPONDER, i)).estimate
        for i in range(29)
    ]
    jackknife = np.sqrt(28 / 29 * 28 * np.var(leave_one_out, ddof=1))

    assert difference == pytest.approx(first - second, rel=1e-12)
    assert p == pytest.approx(2 * stats.norm.sf(abs(difference) / jackknife), abs=0.02)
    assert compare_aucs(other, VALUE, RESPONDER) == pytest.approx((-difference, p), rel=1e-12)
    assert np.isnan(compare_aucs(VALUE, VALUE, RESPONDER)[1])


def test_spearman_within_arms_is_weighted_by_n_minus_3() -> None:
    y = np.round(RNG.normal(0.5 * VALUE, 1), 1)
    y[3] = np.nan
    arms = [(arm == ARM) & np.isfinite(y) for arm in ("a", "b")]
    r = np.array([stats.spearmanr(VALUE[arm], y[arm]).statistic for arm in arms])
    n = np.array([arm.sum() for arm in arms])
    z = ((n - 3) * np.arctanh(r)).sum() / (n - 3).sum()
    se = np.sqrt(((n - 3) * (1 + r**2 / 2)).sum()) / (n - 3).sum()

    found = spearman(VALUE, y, strata=ARM)

    assert found.n == 28
    assert found.estimate == pytest.approx(np.tanh(z), rel=1e-12)
    assert (found.ci_low, found.ci_high) == pytest.approx(np.tanh([z - 1.959964 * se, z + 1.959964 * se]), rel=1e-6)
    assert spearman(VALUE, y).estimate == pytest.approx(stats.spearmanr(VALUE, y, nan_policy="omit").statistic)


def test_a_perfect_or_constant_correlation_is_not_estimable() -> None:
    perfect = spearman([1, 2, 3, 4, 5], [2, 4, 6, 8, 9])
    assert perfect.estimate == 1.0
    assert np.isnan(perfect[2:]).all()
    assert spearman([1, 2, 3, 4], [5, 5, 5, 5]).n == spearman([1, 2, 3], [2, 1, 3]).n == 0

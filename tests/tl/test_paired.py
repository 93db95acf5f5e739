from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from il2cyto.errors import StudyError
from il2cyto.tl import hodges_lehmann, hodges_lehmann_two, mcnemar, shift_between, signed_rank
from il2cyto.tl._ranks import rank_sum_chances, signed_rank_chances


def test_mcnemar_is_the_sign_test_of_the_discordant_pairs() -> None:
    before = [True] * 13 + [False] * 14 + [None, True]
    after = [True] * 2 + [False] * 11 + [True] * 3 + [False] * 11 + [True, None]

    result = mcnemar(before, after)

    assert (result.n, result.missing, result.gained, result.lost) == (27, 2, 3, 11)
    assert result.p == pytest.approx(stats.binomtest(3, 14).pvalue, rel=1e-12)


def test_mcnemar_of_the_rash_in_the_trial_if_all_changes_were_improvements() -> None:
    result = mcnemar([True] * 13 + [False] * 16, [True] * 2 + [False] * 27)

    assert (result.lost, result.gained, round(result.p, 5)) == (11, 0, 0.00098)


def test_mcnemar_without_change_or_pairs() -> None:
    assert mcnemar([True, False], [True, False]).p == 1.0
    assert np.isnan(mcnemar([], []).p)
    with pytest.raises(StudyError) as e:
        mcnemar([True], [True, False])
    assert str(e.value) == "mcnemar: 1 statuses before and 2 after; pairs of the same subjects are needed."


def test_the_signed_rank_equals_all_sign_flips() -> None:
    change = np.array([1.3, -0.2, 2.5, 0.9, -1.1, 3.0, 0.4])
    ranks = stats.rankdata(np.abs(change))
    flips = np.array([ranks @ np.array(signs) for signs in itertools.product([0, 1], repeat=7)])
    observed = ranks[change > 0].sum()

    result = signed_rank(change)

    assert (result.statistic, result.method) == (observed, "exact")
    assert result.p == pytest.approx(2 * (flips >= observed).mean(), rel=1e-12)


def test_zeros_are_dropped_and_counted_and_ties_are_normal() -> None:
    """By hand: of 8 ranked changes V has mean 18 and, with two tied pairs, variance 51 - 12/48; half is taken off."""
    tied = np.array([0.0, 1, 2, 2, 3, -1, 4, 5, 6, np.nan])

    result = signed_rank(tied)

    assert (result.n, result.missing, result.zeros, result.method) == (9, 1, 1, "normal")
    assert result.statistic == 34.5
    assert result.p == pytest.approx(2 * stats.norm.sf((34.5 - 18 - 0.5) / np.sqrt(50.75)), rel=1e-12)
    assert signed_rank(np.arange(1.0, 51) - 20.25).method == "exact"
    assert signed_rank(np.arange(1.0, 52) - 20.25).method == "normal"
    nothing = signed_rank(np.zeros(4))
    assert (nothing.zeros, nothing.method, nothing.shift) == (4, "none", 0.0)
    assert np.isnan([nothing.p, nothing.statistic]).all()


def test_null_distributions_equal_those_of_all_arrangements() -> None:
    sums = [sum(r for r, s in enumerate(signs, 1) if s) for signs in itertools.product([0, 1], repeat=6)]
    np.testing.assert_allclose(signed_rank_chances(6), np.bincount(sums) / 64, rtol=1e-12)
    u = [sum(chosen) - 6 for chosen in itertools.combinations(range(1, 8), 3)]
    np.testing.assert_allclose(rank_sum_chances(3, 4), np.bincount(u) / 35, rtol=1e-12)


@pytest.mark.parametrize("n", [6, 13, 29])
def test_the_paired_interval_holds_the_shifts_that_the_exact_test_does_not_reject(n: int) -> None:
    change = np.random.default_rng(n).normal(0.4, 1, n)

    shift = hodges_lehmann(change)

    walsh = [(change[i] + change[j]) / 2 for i in range(n) for j in range(i, n)]
    assert shift.estimate == pytest.approx(np.median(walsh), rel=1e-12)
    for limit, inside in ((shift.low, 1e-9), (shift.high, -1e-9)):
        assert stats.wilcoxon(change - limit - inside, method="exact").pvalue > 0.05
        assert stats.wilcoxon(change - limit + inside, method="exact").pvalue <= 0.05


@pytest.mark.parametrize(("m", "n"), [(4, 4), (13, 12), (29, 30)])
def test_the_unpaired_interval_holds_the_shifts_that_the_exact_test_does_not_reject(m: int, n: int) -> None:
    rng = np.random.default_rng(m)
    treatment, control = rng.normal(0.5, 1, m), rng.normal(0, 1, n)

    shift = hodges_lehmann_two(treatment, control)

    assert shift.estimate == pytest.approx(np.median(np.subtract.outer(treatment, control)), rel=1e-12)
    for limit, inside in ((shift.low, 1e-9), (shift.high, -1e-9)):
        assert stats.mannwhitneyu(treatment - limit - inside, control, method="exact").pvalue > 0.05
        assert stats.mannwhitneyu(treatment - limit + inside, control, method="exact").pvalue <= 0.05


def test_beyond_fifty_the_normal_interval_agrees_with_the_normal_test() -> None:
    rng = np.random.default_rng(5)
    change, control = rng.normal(0.1, 1, 80), rng.normal(0, 1, 70)
    one, two = hodges_lehmann(change), hodges_lehmann_two(change, control)

    for low, p in (
        (one.low, lambda by: stats.wilcoxon(change - by, method="asymptotic", correction=False).pvalue),
        (two.low, lambda by: stats.mannwhitneyu(change - by, control, method="asymptotic").pvalue),
    ):
        assert p(low) == pytest.approx(0.05, abs=0.001)


def test_too_few_subjects_have_an_estimate_but_no_interval() -> None:
    assert hodges_lehmann(np.array([1.0, 2.0, 3.0, 4.0, 5.0, np.nan])).estimate == 3.0
    assert np.isnan(hodges_lehmann(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))[1:]).all()
    assert np.isnan(hodges_lehmann_two(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.5, 4.0]))[1:]).all()
    assert np.isnan(hodges_lehmann(np.array([]))).all()
    assert np.isnan(shift_between(np.array([]), np.array([1.0]))).all()


def test_the_shift_between_groups_carries_the_rank_sum_p() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.5, 1, 12), rng.normal(0, 1, 14)

    assert shift_between(a, b).p == pytest.approx(stats.mannwhitneyu(a, b, method="exact").pvalue, rel=1e-12)
    tied = shift_between(np.round(a), np.round(b))
    assert tied.p == pytest.approx(stats.mannwhitneyu(np.round(a), np.round(b), method="asymptotic").pvalue)

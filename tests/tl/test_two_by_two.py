from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats

from il2cyto.errors import StudyError
from il2cyto.tl import power_of_proportions, proportions_p

if TYPE_CHECKING:
    from il2cyto.tl._two_by_two import TestName

TABLES = {"week 12": (16, 29, 9, 30), "week 24": (19, 29, 11, 30), "remission": (7, 13, 2, 12)}
PRINTED = {
    "pearson": (0.0505, 0.0267, 0.0530),
    "n_minus_1": (0.0524, 0.0280, 0.0580),
    "t_pooled": (0.0516, 0.0267, 0.0560),
    "t_welch": (0.0520, 0.0267, 0.0539),
    "yates": (0.0905, 0.0505, 0.1290),
    "likelihood_ratio": (0.0492, 0.0256, 0.0479),
    "fisher": (0.0673, 0.0379, 0.0968),
    "mid_p": (0.0513, 0.0286, 0.0691),
    "wald_log_or": (0.0534, 0.0290, 0.0644),
    "wald_log_rr": (0.0611, 0.0349, 0.0914),
    "z_unpooled": (0.0434, 0.0206, 0.0338),
    "mid_p_one_sided": (0.0288, 0.0156, 0.0356),
}


def cells(x1: int, n1: int, x2: int, n2: int) -> list[list[int]]:
    """The two groups are the columns, as scipy's unconditional tests want them."""
    return [[x1, x2], [n1 - x1, n2 - x2]]


@pytest.mark.parametrize("test", PRINTED)
def test_the_headline_tables_give_the_known_p_values_by_every_method(test: TestName) -> None:
    found = [proportions_p(*counts, test=test) for counts in TABLES.values()]

    # Some of the reference values are cut off, not rounded, at the fourth decimal.
    assert found == pytest.approx(PRINTED[test], abs=1e-4)


@pytest.mark.parametrize("counts", [*TABLES.values(), (1, 29, 0, 30), (9, 29, 2, 30), (3, 8, 4, 5)])
def test_the_conditional_and_asymptotic_tests_equal_scipy(counts: tuple[int, int, int, int]) -> None:
    x1, n1, x2, n2 = counts
    table = cells(*counts)
    zeros_ones = [np.repeat([1.0, 0.0], (x, n - x)) for x, n in ((x1, n1), (x2, n2))]
    expected: dict[TestName, float] = {
        "pearson": stats.chi2_contingency(table, correction=False).pvalue,
        "yates": stats.chi2_contingency(table, correction=True).pvalue,
        "likelihood_ratio": stats.chi2_contingency(table, correction=False, lambda_="log-likelihood").pvalue,
        "fisher": stats.fisher_exact(table).pvalue,
        "fisher_one_sided": stats.fisher_exact(table, alternative="greater").pvalue,
        "t_pooled": stats.ttest_ind(*zeros_ones).pvalue,
        "t_welch": stats.ttest_ind(*zeros_ones, equal_var=False).pvalue,
        "boschloo": stats.boschloo_exact(table, n=200).pvalue,
        "boschloo_one_sided": stats.boschloo_exact(table, n=200, alternative="greater").pvalue,
    }

    for test, p in expected.items():
        assert proportions_p(*counts, test=test) == pytest.approx(p, rel=1e-6), test


def brute_force_barnard(x1: int, n1: int, x2: int, n2: int) -> float:
    """All tables whose squared pooled z, in exact whole numbers, is at least the observed one's."""

    def above(a: int, b: int) -> bool:
        events, observed = a + b, x1 + x2
        if events in {0, n1 + n2}:
            return False
        left = (a * n2 - b * n1) ** 2 * observed * (n1 + n2 - observed)
        return left >= (x1 * n2 - x2 * n1) ** 2 * events * (n1 + n2 - events)

    extreme = np.array([[above(a, b) for b in range(n2 + 1)] for a in range(n1 + 1)])
    chances = np.linspace(0.001, 0.999, 999)
    first, second = (np.array([stats.binom.pmf(range(n + 1), n, c) for c in chances]) for n in (n1, n2))
    return float(((first @ extreme) * second).sum(axis=1).max())


@pytest.mark.parametrize("counts", TABLES.values(), ids=TABLES)
def test_barnard_equals_brute_force_in_whole_numbers(counts: tuple[int, int, int, int]) -> None:
    brute = brute_force_barnard(*counts)

    assert brute <= proportions_p(*counts, test="barnard") * (1 + 1e-12)
    assert proportions_p(*counts, test="barnard") == pytest.approx(brute, abs=1e-4)


def test_unconditional_tests_hold_the_sizes_of_the_groups_fixed_not_the_outcomes() -> None:
    """Groups in scipy's rows condition on the wrong margin and give .0550, .0315, .0713: not the tests of a trial."""
    found = [proportions_p(*counts, test="boschloo") for counts in TABLES.values()]

    assert found == pytest.approx([0.05935, 0.03145, 0.06371], abs=1e-5)
    transposed = [stats.boschloo_exact(np.transpose(cells(*counts))).pvalue for counts in TABLES.values()]
    assert transposed == pytest.approx([0.05502, 0.03145, 0.07127], abs=1e-5)


@pytest.mark.parametrize("test", ["pearson", "n_minus_1", "t_pooled", "fisher", "mid_p", "boschloo", "barnard"])
def test_two_sided_tests_do_not_mind_which_arm_or_outcome_comes_first(test: TestName) -> None:
    p = proportions_p(16, 29, 9, 30, test=test)

    assert proportions_p(9, 30, 16, 29, test=test) == pytest.approx(p, rel=1e-9)
    assert proportions_p(13, 29, 21, 30, test=test) == pytest.approx(p, rel=1e-9)


def test_exact_tests_keep_their_level_where_chi_square_does_not() -> None:
    for test in ("fisher", "boschloo", "barnard"):
        assert max(power_of_proportions(p, 10, p, 7, test=test) for p in np.linspace(0.1, 0.9, 9)) <= 0.05, test
    assert max(power_of_proportions(p, 10, p, 7, test="z_unpooled") for p in np.linspace(0.1, 0.9, 9)) > 0.08


def test_what_is_not_estimable_is_nan() -> None:
    assert np.isnan(proportions_p(0, 0, 2, 30))
    undefined: list[TestName] = ["pearson", "n_minus_1", "likelihood_ratio", "t_pooled", "t_welch", "z_unpooled"]
    for test in undefined:
        assert np.isnan(proportions_p(0, 29, 0, 30, test=test)), test
    assert proportions_p(0, 29, 0, 30) == proportions_p(29, 29, 30, 30, test="boschloo") == 1.0
    for test in ("wald_log_or", "wald_log_rr"):
        assert np.isnan(proportions_p(0, 29, 2, 30, test=test)), test


def test_counts_that_are_none_and_unknown_tests_are_named() -> None:
    with pytest.raises(StudyError) as e:
        proportions_p(31, 30, 2.5, 29)  # type: ignore[arg-type]
    assert str(e.value) == (
        "treatment: 31 of 30; control: 2.5 of 29: allowed are whole numbers of subjects with 0 <= x <= n."
    )
    with pytest.raises(StudyError) as e:
        proportions_p(1, 2, 1, 2, test="chi2")  # type: ignore[arg-type]
    assert str(e.value) == (
        "proportions_p: no test 'chi2'; allowed are pearson, n_minus_1, yates, likelihood_ratio, t_pooled, t_welch, z_pooled, "
        "z_unpooled, wald_log_or, wald_log_rr, fisher, mid_p, boschloo, barnard, fisher_one_sided, mid_p_one_sided, "
        "boschloo_one_sided."
    )

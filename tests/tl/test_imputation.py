"""Multiple imputation against what the posterior distribution is known to be, and Rubin's rules by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from il2cyto import tl
from il2cyto.errors import ModelError

RNG = np.random.default_rng(3)
N = 24
X = np.column_stack([np.ones(N), np.arange(N) % 2, RNG.standard_normal(N)])
Y = RNG.standard_normal((N, 3)) @ np.array([[1.0, 0.5, 0.2], [0, 1.0, 0.6], [0, 0, 0.5]]) + X[:, 2:]


def without(y: np.ndarray, *gaps: tuple[int, int]) -> np.ndarray:
    y = y.copy()
    y[tuple(np.array(gaps).T)] = np.nan
    return y


def test_pooling_by_hand_and_with_barnard_and_rubins_degrees_of_freedom() -> None:
    # Q̄ = 2, Ū = .5, B = 1, so T = .5 + 4/3; the share of B is 8/11.
    pooled = tl.pool_imputations([1, 2, 3], [0.4, 0.5, 0.6], complete_df=20)

    old, observed = 2 / (8 / 11) ** 2, 21 / 23 * 20 * 3 / 11
    df = old * observed / (old + observed)
    se = np.sqrt(11 / 6)
    half = stats.t.ppf(0.975, df) * se
    fmi = (8 / 3 + 2 / (df + 3)) / (8 / 3 + 1)
    assert_allclose(pooled, [2, se, df, 2 - half, 2 + half, 2 * stats.t.sf(2 / se, df), fmi])


def test_where_nothing_is_missing_pooling_is_the_test_of_complete_data() -> None:
    pooled = tl.pool_imputations([1.5] * 5, [0.25] * 5, complete_df=12)

    assert_allclose(pooled[:3], [1.5, 0.5, 12])
    assert_allclose(pooled.p, 2 * stats.t.sf(3, 12))
    assert pooled.fmi == 0
    assert np.isnan(tl.pool_imputations([1.5] * 5, [0.0] * 5, complete_df=12).p)
    with pytest.raises(ModelError, match=r"^pool_imputations: 1 estimates and 1 variances; two or more are needed"):
        tl.pool_imputations([1.0], [1.0], complete_df=3)


def test_what_was_observed_stays_and_the_same_seed_gives_the_same_values() -> None:
    y = without(Y, (0, 2), (5, 1), (7, 0), (7, 2))

    filled = tl.impute_at_random(y, X, imputations=6, seed=4)

    seen = np.isfinite(y)
    assert_array_equal(filled[:, seen], np.tile(y[seen], (6, 1)))
    assert np.isfinite(filled).all()
    assert len(np.unique(filled[:, 0, 2])) == 6
    assert_array_equal(tl.impute_at_random(y, X, imputations=6, seed=4), filled)
    assert_array_equal(tl.impute_at_random(Y, X, imputations=2)[1], Y)
    units = np.array([1e-4, 1.0, 1e5])
    assert_allclose(tl.impute_at_random(y * units, X, imputations=6, seed=4), filled * units, rtol=1e-8)


@pytest.mark.parametrize("visits", [1, 2])
def test_draws_follow_the_t_distribution_that_monotone_gaps_have(visits: int) -> None:
    # The last visit is missing in four subjects: its value is predicted by regression on x and the visits before.
    gone, last = [2, 5, 11, 20], visits - 1
    y = without(Y[:, :visits], *((i, last) for i in gone))

    filled = tl.impute_at_random(y, X, imputations=6000, seed=1, steps=30)[:, gone, last]

    Z = np.column_stack([X, y[:, :last]])
    here = np.setdiff1d(np.arange(N), gone)
    inverse = np.linalg.inv(Z[here].T @ Z[here])
    slope = inverse @ Z[here].T @ y[here, last]
    residual = y[here, last] - Z[here] @ slope
    df = len(here) - X.shape[1]
    for k, i in enumerate(gone):
        spread = np.sqrt(residual @ residual / df * (1 + Z[i] @ inverse @ Z[i]))
        assert stats.kstest((filled[:, k] - Z[i] @ slope) / spread, stats.t(df).cdf).pvalue > 0.001


@pytest.mark.parametrize(
    ("y", "x", "message"),
    [
        (without(Y[:5], (0, 0)), X[:5], "5 subjects are too few for 3 visits and 3 columns; 6 are needed."),
        (without(Y, *((i, i % 2) for i in range(N))), X, "no subject was seen at both visit 1 and visit 2 of 3."),
        (without(Y, *((i, 1) for i in range(1, N, 2))), X, "12 observed values at visit 2 of 3 do not determine 3 coefficients and a variance; a group has none, or too few."),
        (without(Y * [1, 0, 1], (0, 0)), X, "the columns explain visit 2 of 3 exactly; there is nothing to draw."),
        (without(Y[:, [0, 1, 1]], (0, 0)), X, "the values of a visit are a linear combination of other visits'; leave one of them out."),
        (without(Y, (0, 0)), X[:, [0, 1, 1]], "the 3 columns are linear combinations of one another; leave one out."),
    ],
)  # fmt: skip
def test_what_the_data_do_not_tell_is_not_drawn(y: np.ndarray, x: np.ndarray, message: str) -> None:
    with pytest.raises(ModelError) as error:
        tl.impute_at_random(y, x)
    assert str(error.value) == f"impute_at_random: {message}"


def test_intervals_cover_under_dropout_that_depends_on_the_visit_before() -> None:
    """Simulated: subjects of the treated arm leave after a high value; those who stay are too low."""
    runs, n, rng, truth = 400, 40, np.random.default_rng(8), 0.5
    arm = np.arange(n) % 2
    x = np.column_stack([np.ones(n), arm])
    covered = {"pooled": 0, "complete cases": 0}
    for run in range(runs):
        first = rng.standard_normal(n)
        y = np.column_stack([first, 0.8 * first + 0.6 * rng.standard_normal(n) + truth * arm])
        y[(arm == 1) & (first > 0.3) & (rng.random(n) < 0.8), 1] = np.nan
        filled = tl.impute_at_random(y, x, imputations=20, seed=run, steps=30)[:, :, 1]
        beta = filled @ x @ np.linalg.inv(x.T @ x)
        variance = np.square(filled - beta @ x.T).sum(1) / (n - 2) * 4 / n
        pooled = tl.pool_imputations(beta[:, 1], variance, complete_df=n - 2)
        seen = np.isfinite(y[:, 1])
        gap = stats.ttest_ind(*(y[seen & (arm == a), 1] for a in (1, 0))).confidence_interval()
        covered["pooled"] += pooled.ci_low <= truth <= pooled.ci_high
        covered["complete cases"] += gap.low <= truth <= gap.high

    # Multiple imputation may cover a little more: the analysis does not use that arms are alike at the first visit.
    assert 0.95 - 3 * np.sqrt(0.95 * 0.05 / runs) <= covered["pooled"] / runs <= 0.99
    assert covered["complete cases"] / runs < 0.85

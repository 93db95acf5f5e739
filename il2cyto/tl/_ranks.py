"""Rank statistics: exact null distributions, and Hodges-Lehmann shifts with their intervals."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from il2cyto._intervals import require_level

# Up to here the null distributions are exact; beyond, normal.
EXACT = 50


class Shift(NamedTuple):
    """A Hodges-Lehmann shift with its interval."""

    estimate: float
    low: float
    high: float


def hodges_lehmann(change: np.ndarray, *, level: float = 0.95) -> Shift:
    """Median of the Walsh averages of paired changes, with the interval that inverts the signed-rank test.

    Source: Hodges and Lehmann, Ann Math Stat 1963;34:598; Hollander, Wolfe and Chicken, Nonparametric Statistical Methods,
    3.2-3.3. Exact up to 50 changes, conservative with ties. Zeros stay in: for every shift but 0 they are ordinary values.

    Parameters
    ----------
    change
        One value per subject; NaN is left out.
    level
        Coverage, 0-1.

    Returns
    -------
    Estimate and limits in the unit of `change`; limits are NaN where so few changes cannot reach the coverage (at 95 %, fewer
    than 6), all is NaN without any.

    Examples
    --------
    >>> shift = hodges_lehmann(np.array([-1.0, 2.0, 3.0, 4.0, 5.0, 8.0]))
    >>> float(shift.estimate), float(shift.low), float(shift.high)
    (3.5, -1.0, 8.0)
    """
    require_level(level)
    change = np.asarray(change, float)
    change = change[~np.isnan(change)]
    n = len(change)
    i, j = np.triu_indices(n)
    averages = np.sort((change[i] + change[j]) / 2)
    if n <= EXACT:
        below = _exact_quantile(signed_rank_chances(n), (1 - level) / 2)
    else:
        below = _normal_quantile(n * (n + 1) / 4, n * (n + 1) * (2 * n + 1) / 24, level)
    return _shift(averages, below)


def hodges_lehmann_two(treatment: np.ndarray, control: np.ndarray, *, level: float = 0.95) -> Shift:
    """Median of all differences treatment - control, with the interval that inverts the rank-sum test.

    Source: as :func:`hodges_lehmann`, 4.2-4.3. Exact up to 50 per arm, conservative with ties.

    Parameters
    ----------
    treatment, control
        One value per subject of two independent groups; NaN is left out.
    level
        Coverage, 0-1.

    Returns
    -------
    As :func:`hodges_lehmann`.

    Examples
    --------
    >>> shift = hodges_lehmann_two(np.array([5.0, 6.0, 7.0, 9.0]), np.array([1.0, 2.0, 3.0, 4.0]))
    >>> float(shift.estimate), float(shift.low), float(shift.high)
    (4.0, 1.0, 8.0)
    """
    require_level(level)
    treatment, control = np.asarray(treatment, float), np.asarray(control, float)
    treatment, control = treatment[~np.isnan(treatment)], control[~np.isnan(control)]
    m, n = len(treatment), len(control)
    differences = np.sort(np.subtract.outer(treatment, control), axis=None)
    if max(m, n) <= EXACT:
        below = _exact_quantile(rank_sum_chances(m, n), (1 - level) / 2)
    else:
        below = _normal_quantile(m * n / 2, m * n * (m + n + 1) / 12, level)
    return _shift(differences, below)


@lru_cache(maxsize=128)
def signed_rank_chances(n: int) -> np.ndarray:
    """Null distribution of the sum of positive ranks of n changes, probabilities of 0 ... n(n+1)/2."""
    chance = np.ones(1)
    for rank in range(1, n + 1):
        chance = (np.pad(chance, (0, rank)) + np.pad(chance, (rank, 0))) / 2
    return chance


@lru_cache(maxsize=128)
def rank_sum_chances(m: int, n: int) -> np.ndarray:
    """Null distribution of Mann and Whitney's U, probabilities of 0 ... m·n: the Gaussian binomial coefficients."""
    ways = np.zeros(m * n + 1)
    ways[0] = 1.0
    for k in range(1, m + 1):
        # times (1 - x^(n+k)), then divided by (1 - x^k)
        ways[n + k :] -= ways[: max(len(ways) - n - k, 0)].copy()
        for start in range(k):
            ways[start::k] = ways[start::k].cumsum()
    return np.asarray(ways / ways.sum())


def _exact_quantile(chance: np.ndarray, tail: float) -> int:
    """Count the least values of the statistic that lie in the tail; 0: the tail is too thin for any."""
    return int((chance.cumsum() <= tail * (1 + 1e-12)).sum())


def _normal_quantile(mean: float, variance: float, level: float) -> int:
    return max(int(np.floor(mean - ndtri((1 + level) / 2) * np.sqrt(variance) + 0.5)), 0)


def _shift(ordered: np.ndarray, below: int) -> Shift:
    if not len(ordered):
        return Shift(np.nan, np.nan, np.nan)
    middle = float(np.median(ordered))
    if below == 0:
        return Shift(middle, np.nan, np.nan)
    return Shift(middle, float(ordered[below - 1]), float(ordered[-below]))

"""Confidence intervals of proportions: arrays in, arrays out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betaincinv, ndtri

from il2cyto.errors import StudyError

if TYPE_CHECKING:
    import numpy.typing as npt


def require_level(level: float) -> None:
    """Raise a StudyError where the coverage of an interval is no fraction: 95 in place of 0.95 gives numbers, and wrong ones."""
    if not 0 < level < 1:
        msg = f"level is {level}; allowed is a fraction between 0 and 1, such as 0.95."
        raise StudyError(msg)


def _counts(
    count: npt.ArrayLike, total: npt.ArrayLike, level: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    require_level(level)
    count, total = np.broadcast_arrays(np.asarray(count, np.float64), np.asarray(total, np.float64))
    if (wrong := (count < 0) | (count > total)).any():
        msg = f"{wrong.sum()} of {wrong.size} counts are negative or above their total; a proportion lies between 0 and 1."
        raise StudyError(msg)
    return count, np.where(total > 0, total, np.nan)


def wilson(
    count: npt.ArrayLike, total: npt.ArrayLike, *, level: float = 0.95
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Wilson score interval of a proportion.

    Source: Wilson, J Am Stat Assoc 1927;22:209-212. It stays within 0-1 and keeps its coverage for rare populations,
    where the Wald interval collapses to zero width.

    Parameters
    ----------
    count
        Events in the population.
    total
        Events in its parent; broadcasts with `count`.
    level
        Coverage, 0-1.

    Returns
    -------
    Lower and upper limit as fractions; NaN where `count` or `total` is NaN or `total` is 0.

    Raises
    ------
    StudyError
        A count is negative or above its total, or the level is no fraction.

    Examples
    --------
    >>> low, high = wilson([0, 8], [10, 10])
    >>> low.round(4), high.round(4)
    (array([0.    , 0.4902]), array([0.2775, 0.9433]))
    """
    count, total = _counts(count, total, level)
    z = ndtri((1 + level) / 2)
    p = count / total
    centre = (p + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * np.sqrt(p * (1 - p) / total + z**2 / (4 * total**2))
    # At 0 and at 1 the limit is exact; rounding would leave it a hair inside.
    low = np.where(count == 0, 0.0 * p, np.maximum(centre - half, 0.0))
    high = np.where(count == total, p, np.minimum(centre + half, 1.0))
    return low, high


def clopper_pearson(
    count: npt.ArrayLike, total: npt.ArrayLike, *, level: float = 0.95
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Exact interval of a proportion: coverage never below `level`, at the price of width.

    Source: Clopper and Pearson, Biometrika 1934;26:404-413.

    Parameters
    ----------
    count, total, level
        As in :func:`wilson`.

    Returns
    -------
    Lower and upper limit as fractions; NaN where `count` or `total` is NaN or `total` is 0.

    Raises
    ------
    StudyError
        A count is negative or above its total, or the level is no fraction.

    Examples
    --------
    >>> low, high = clopper_pearson([0, 8], [10, 10])
    >>> low.round(4), high.round(4)
    (array([0.    , 0.4439]), array([0.3085, 0.9748]))
    """
    count, total = _counts(count, total, level)
    tail = (1 - level) / 2
    # The beta quantile does not exist where a count is 0 or all: there the limit is 0 or 1.
    low = np.where(count == 0, 0.0 * total, betaincinv(np.maximum(count, 1), total - count + 1, tail))
    high = np.where(count == total, 1.0, betaincinv(count + 1, np.maximum(total - count, 1), 1 - tail))
    return low, np.where(np.isnan(total), np.nan, high)

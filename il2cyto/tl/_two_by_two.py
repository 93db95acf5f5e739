"""P values of two independent proportions: every test that is in use, each by its name.

x1 of n1 subjects against x2 of n2. The subject is the unit: none of these tests may be given counts of cells.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import betaln, chdtrc, ndtr, stdtr, xlogy

from il2cyto.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Callable

    FloatArray = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

TestName = Literal[
    "pearson",
    "n_minus_1",
    "yates",
    "likelihood_ratio",
    "t_pooled",
    "t_welch",
    "z_pooled",
    "z_unpooled",
    "wald_log_or",
    "wald_log_rr",
    "fisher",
    "mid_p",
    "boschloo",
    "barnard",
    "fisher_one_sided",
    "mid_p_one_sided",
    "boschloo_one_sided",
]
# Probabilities closer than this are of tables that are equally extreme; they differ by rounding alone.
_TIE = 1e-9
_GRID = 1000


def proportions_p(x1: int, n1: int, x2: int, n2: int, *, test: TestName = "fisher") -> float:
    """P value of the hypothesis that two independent proportions are equal.

    Parameters
    ----------
    x1, n1
        Subjects with the event and subjects in all, treatment.
    x2, n2
        The same, control.
    test
        Two-sided unless its name says otherwise; one-sided is treatment greater than control.

        - ``pearson`` chi-square, ``n_minus_1`` the same times (N-1)/N (Campbell, Stat Med 2007;26:3661), which is the
          Cochran-Mantel-Haenszel test of one stratum, ``yates`` with continuity correction, ``likelihood_ratio`` G;
        - ``t_pooled``, ``t_welch`` Student's and Welch's t test on 0 and 1;
        - ``z_pooled`` (equals ``pearson``), ``z_unpooled``, ``wald_log_or``, ``wald_log_rr``;
        - ``fisher``: sum of the tables that are not more probable; ``mid_p`` counts the observed table half;
        - ``boschloo`` (twice the smaller side, at most 1) and ``barnard`` (pooled z): unconditional, the largest
          probability over the common proportion (Boschloo, Stat Neerl 1970;24:1; Suissa and Shuster, JRSS A 1985;148:317).

    Returns
    -------
    The p value. NaN where an arm is empty, or where the statistic is 0/0: no event or nothing but events (the exact tests
    give 1 there), and for the Wald tests any zero cell.

    Raises
    ------
    StudyError
        Counts that are not counts of subjects, or an unknown test.

    Examples
    --------
    >>> round(proportions_p(16, 29, 9, 30), 4)
    0.0673
    >>> round(proportions_p(16, 29, 9, 30, test="n_minus_1"), 4)
    0.0524
    """
    require_counts(x1, n1, x2, n2)
    if test not in _TESTS:
        msg = f"proportions_p: no test {test!r}; allowed are {', '.join(get_args(TestName))}."
        raise StudyError(msg)
    if n1 == 0 or n2 == 0:
        return np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(_TESTS[test](x1, n1, x2, n2))


def require_counts(x1: int, n1: int, x2: int, n2: int) -> None:
    """Raise a StudyError that names every count that cannot be one."""
    pairs = {"treatment": (x1, n1), "control": (x2, n2)}
    problems = [
        f"{arm}: {x!r} of {n!r}" for arm, (x, n) in pairs.items() if not (_is_count(x) and _is_count(n) and x <= n)
    ]
    if problems:
        msg = f"{'; '.join(problems)}: allowed are whole numbers of subjects with 0 <= x <= n."
        raise StudyError(msg)


def _is_count(value: object) -> bool:
    if isinstance(value, bool | np.bool) or not isinstance(value, int | float | np.integer | np.floating):
        return False
    return bool(0 <= value < np.inf and value == int(value))


def _chi_square(x1: int, n1: int, x2: int, n2: int, *, correction: float = 0.0) -> float:
    total, events = n1 + n2, x1 + x2
    gap = max(abs(x1 * n2 - x2 * n1) - correction * total, 0.0)
    return float(np.float64(gap * gap * total) / (n1 * n2 * events * (total - events)))


def _pearson(x1: int, n1: int, x2: int, n2: int) -> float:
    return float(chdtrc(1, _chi_square(x1, n1, x2, n2)))


def _n_minus_1(x1: int, n1: int, x2: int, n2: int) -> float:
    return float(chdtrc(1, _chi_square(x1, n1, x2, n2) * (n1 + n2 - 1) / (n1 + n2)))


def _yates(x1: int, n1: int, x2: int, n2: int) -> float:
    return float(chdtrc(1, _chi_square(x1, n1, x2, n2, correction=0.5)))


def _likelihood_ratio(x1: int, n1: int, x2: int, n2: int) -> float:
    events, total = x1 + x2, n1 + n2
    if events in {0, total}:
        return np.nan
    observed = np.array([x1, n1 - x1, x2, n2 - x2], float)
    expected = np.array([n1 * events, n1 * (total - events), n2 * events, n2 * (total - events)]) / total
    return float(chdtrc(1, 2 * xlogy(observed, observed / expected).sum()))


def _two_sided_t(t: float, df: float) -> float:
    return float(2 * stdtr(df, -abs(t)))


def _t_pooled(x1: int, n1: int, x2: int, n2: int) -> float:
    p1, p2 = np.float64(x1) / n1, np.float64(x2) / n2
    df = n1 + n2 - 2
    variance = (n1 * p1 * (1 - p1) + n2 * p2 * (1 - p2)) / np.float64(df)
    return _two_sided_t((p1 - p2) / np.sqrt(variance * (1 / n1 + 1 / n2)), df)


def _t_welch(x1: int, n1: int, x2: int, n2: int) -> float:
    p1, p2 = np.float64(x1) / n1, np.float64(x2) / n2
    v1, v2 = p1 * (1 - p1) / np.float64(n1 - 1), p2 * (1 - p2) / np.float64(n2 - 1)
    return _two_sided_t((p1 - p2) / np.sqrt(v1 + v2), (v1 + v2) ** 2 / (v1**2 / (n1 - 1) + v2**2 / (n2 - 1)))


def _two_sided_z(z: float) -> float:
    return float(2 * ndtr(-abs(z)))


def _z_unpooled(x1: int, n1: int, x2: int, n2: int) -> float:
    p1, p2 = np.float64(x1) / n1, np.float64(x2) / n2
    return _two_sided_z((p1 - p2) / np.sqrt(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2))


def _wald_log_or(x1: int, n1: int, x2: int, n2: int) -> float:
    a, b, c, d = np.array([x1, n1 - x1, x2, n2 - x2], float)
    if min(a, b, c, d) == 0:
        return np.nan
    return _two_sided_z(np.log(a * d / (b * c)) / np.sqrt(1 / a + 1 / b + 1 / c + 1 / d))


def _wald_log_rr(x1: int, n1: int, x2: int, n2: int) -> float:
    if min(x1, n1 - x1, x2, n2 - x2) == 0:
        return np.nan
    return _two_sided_z(np.log(x1 * n2 / (x2 * n1)) / np.sqrt(1 / x1 - 1 / n1 + 1 / x2 - 1 / n2))


def hypergeometric(n1: int, n2: int, events: int) -> tuple[FloatArray, FloatArray]:
    """Tables with given margins: the possible x1, and the log of C(n1, x1)·C(n2, events - x1)."""
    x = np.arange(max(0, events - n2), min(n1, events) + 1)
    return x.astype(float), _log_choose(n1, x) + _log_choose(n2, events - x)


def _log_choose(n: int, k: FloatArray | np.ndarray) -> FloatArray:
    return np.asarray(-betaln(1 + n - k, 1 + k) - np.log(n + 1))


def _null_tables(x1: int, n1: int, x2: int, n2: int) -> tuple[FloatArray, FloatArray, float]:
    x, weight = hypergeometric(n1, n2, x1 + x2)
    chance = np.exp(weight - weight.max())
    chance /= chance.sum()
    return x, chance, float(chance[x == x1].item())


def _fisher(x1: int, n1: int, x2: int, n2: int, *, half: bool = False) -> float:
    _, chance, observed = _null_tables(x1, n1, x2, n2)
    p = float(chance[chance <= observed * (1 + _TIE)].sum())
    return min(p, 1.0) - half * observed / 2


def _fisher_greater(x1: int, n1: int, x2: int, n2: int, *, half: bool = False) -> float:
    x, chance, observed = _null_tables(x1, n1, x2, n2)
    return min(float(chance[x >= x1].sum()), 1.0) - half * observed / 2


@lru_cache(maxsize=16)
def _fisher_side(n1: int, n2: int) -> FloatArray:
    """One-sided Fisher p (treatment greater) of every table, (n1+1, n2+1)."""
    p = np.empty((n1 + 1, n2 + 1))
    for events in range(n1 + n2 + 1):
        x, weight = hypergeometric(n1, n2, events)
        chance = np.exp(weight - weight.max())
        rows = x.astype(int)
        p[rows, events - rows] = chance[::-1].cumsum()[::-1] / chance.sum()
    return p


def _binomial(n: int, chance: FloatArray) -> FloatArray:
    """Probabilities of 0 ... n events, (chances, n + 1)."""
    k, c = np.arange(n + 1), chance[:, None]
    return np.asarray(np.exp(_log_choose(n, k) + xlogy(k, c) + xlogy(n - k, 1 - c)))


@lru_cache(maxsize=16)
def _binomial_on_grid(n: int) -> FloatArray:
    return _binomial(n, np.linspace(0, 1, _GRID + 1))


def _largest_probability(extreme: np.ndarray, n1: int, n2: int) -> float:
    """Largest probability, over the common proportion, of the tables marked as extreme."""
    on_grid = ((_binomial_on_grid(n1) @ extreme) * _binomial_on_grid(n2)).sum(axis=1)
    best = int(on_grid.argmax())

    def negative(chance: float) -> float:
        c = np.array([chance])
        return -float(((_binomial(n1, c) @ extreme) * _binomial(n2, c)).sum())

    around = (max(best - 1, 0) / _GRID, min(best + 1, _GRID) / _GRID)
    refined = minimize_scalar(negative, bounds=around, method="bounded")
    return min(max(float(on_grid[best]), -float(refined.fun)), 1.0)


def _boschloo_greater(x1: int, n1: int, x2: int, n2: int) -> float:
    p = _fisher_side(n1, n2)
    return _largest_probability((p <= p[x1, x2] * (1 + _TIE)).astype(float), n1, n2)


def _boschloo(x1: int, n1: int, x2: int, n2: int) -> float:
    return min(1.0, 2 * min(_boschloo_greater(x1, n1, x2, n2), _boschloo_greater(x2, n2, x1, n1)))


def _barnard(x1: int, n1: int, x2: int, n2: int) -> float:
    a, b = np.meshgrid(np.arange(n1 + 1), np.arange(n2 + 1), indexing="ij")
    events = a + b
    spread = np.maximum(events * (n1 + n2 - events), 1)
    # z² up to a constant; a tie in whole numbers stays one, where floats would lose half of a symmetric pair.
    z2 = (a * n2 - b * n1) ** 2 / spread
    return _largest_probability((z2 >= z2[x1, x2] * (1 - _TIE)).astype(float), n1, n2)


_TESTS: Final[dict[str, Callable[[int, int, int, int], float]]] = {
    "pearson": _pearson,
    "n_minus_1": _n_minus_1,
    "yates": _yates,
    "likelihood_ratio": _likelihood_ratio,
    "t_pooled": _t_pooled,
    "t_welch": _t_welch,
    "z_pooled": _pearson,
    "z_unpooled": _z_unpooled,
    "wald_log_or": _wald_log_or,
    "wald_log_rr": _wald_log_rr,
    "fisher": _fisher,
    "mid_p": lambda *counts: _fisher(*counts, half=True),
    "boschloo": _boschloo,
    "barnard": _barnard,
    "fisher_one_sided": _fisher_greater,
    "mid_p_one_sided": lambda *counts: _fisher_greater(*counts, half=True),
    "boschloo_one_sided": _boschloo_greater,
}

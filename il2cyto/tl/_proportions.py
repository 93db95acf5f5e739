"""Two independent proportions: risk difference, odds ratio and risk ratio with their intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.optimize import brentq
from scipy.special import logsumexp, ndtri

from il2cyto._intervals import clopper_pearson as clopper_pearson, require_level, wilson as wilson
from il2cyto.errors import StudyError
from il2cyto.tl._two_by_two import hypergeometric, proportions_p, require_counts

if TYPE_CHECKING:
    from collections.abc import Callable

    from il2cyto.tl._two_by_two import TestName

IntervalName = Literal["miettinen_nurminen", "mee", "newcombe", "wald"]
NAN2 = (np.nan, np.nan)
# How near to -1 and 1 a limit is searched for, and the largest |log odds ratio| that is.
_EDGE = 1e-10
_MOST = 700.0


@dataclass(frozen=True, slots=True)
class ProportionComparison:
    """Two proportions compared, treatment against control.

    Attributes
    ----------
    x_treatment, n_treatment, x_control, n_control
        Subjects with the event and in all.
    p_treatment, p_control
        Proportions, 0-1; NaN for an empty arm.
    risk_difference, ci_low, ci_high, method
        Difference of proportions with its interval, and the name of that.
    p, p_method
        P value and the name of the test.
    odds_ratio, or_low, or_high, or_method
        NaN with a note where a cell is zero and the method is ``logit``.
    risk_ratio, rr_low, rr_high
        Log method; NaN with a note where a cell is zero.
    note
        Why something is NaN; empty otherwise.
    """

    x_treatment: int
    n_treatment: int
    x_control: int
    n_control: int
    p_treatment: float
    p_control: float
    risk_difference: float
    ci_low: float
    ci_high: float
    method: str
    p: float
    p_method: str
    odds_ratio: float
    or_low: float
    or_high: float
    or_method: str
    risk_ratio: float
    rr_low: float
    rr_high: float
    note: str


def compare_proportions(
    x1: int,
    n1: int,
    x2: int,
    n2: int,
    *,
    interval: IntervalName = "miettinen_nurminen",
    test: TestName = "fisher",
    odds_ratio: Literal["logit", "conditional"] = "logit",
    level: float = 0.95,
) -> ProportionComparison:
    """Compare two independent proportions of subjects, treatment first.

    Parameters
    ----------
    x1, n1
        Subjects with the event and subjects in all, treatment.
    x2, n2
        The same, control.
    interval
        Of the risk difference, see :func:`risk_difference_interval`.
    test
        See :func:`proportions_p`.
    odds_ratio
        ``logit``: ad/bc with exp(ln OR ± z·sqrt(sum of 1/cell)). ``conditional``: maximum of the conditional likelihood
        with exact limits, which exist with zero cells too.
    level
        Coverage of the intervals, 0-1.

    Returns
    -------
    The comparison. An empty arm makes everything NaN; a zero cell makes the risk ratio and the logit odds ratio "not
    estimable": NaN, and the note says so. No half is ever added to a cell.

    Raises
    ------
    StudyError
        Counts that are not counts of subjects, or an unknown method.

    Examples
    --------
    >>> c = compare_proportions(16, 29, 9, 30)
    >>> round(c.risk_difference, 4), round(c.ci_low, 4), round(c.ci_high, 4), round(c.p, 4)
    (0.2517, -0.0027, 0.4764, 0.0673)
    >>> compare_proportions(0, 29, 2, 30).note
    'odds ratio and risk ratio not estimable: a cell is zero'
    """
    p = proportions_p(x1, n1, x2, n2, test=test)
    if odds_ratio not in {"logit", "conditional"}:
        msg = f"compare_proportions: no odds ratio {odds_ratio!r}; allowed are 'logit', 'conditional'."
        raise StudyError(msg)
    low, high = risk_difference_interval(x1, n1, x2, n2, method=interval, level=level)
    p1, p2 = (x / n if n else np.nan for x, n in ((x1, n1), (x2, n2)))
    logit_or, risk_ratio = _ratios(x1, n1, x2, n2, level)
    either = conditional_odds_ratio(x1, n1, x2, n2, level=level) if odds_ratio == "conditional" else logit_or
    return ProportionComparison(
        x1, n1, x2, n2, p1, p2, p1 - p2, low, high, interval, p, test, *either, odds_ratio, *risk_ratio,
        note=_note(x1, n1, x2, n2, odds_ratio),
    )  # fmt: skip


def risk_difference_interval(
    x1: int, n1: int, x2: int, n2: int, *, method: IntervalName = "miettinen_nurminen", level: float = 0.95
) -> tuple[float, float]:
    """Interval of the difference of two independent proportions.

    Parameters
    ----------
    x1, n1, x2, n2
        As in :func:`compare_proportions`.
    method
        ``miettinen_nurminen``: the score interval (Stat Med 1985;4:213); ``mee``: the same without N/(N-1) (Biometrics
        1984;40:1175); ``newcombe``: from the two Wilson intervals (method 10, Stat Med 1998;17:873); ``wald``: for
        comparison only, it collapses at 0 and 1.
    level
        Coverage, 0-1.

    Returns
    -------
    Lower and upper limit, within -1 to 1 except Wald's; NaN where an arm is empty.

    Raises
    ------
    StudyError
        Counts that are not counts of subjects, or an unknown method.

    Examples
    --------
    >>> [round(limit, 4) for limit in risk_difference_interval(56, 70, 48, 80)]
    [0.0528, 0.3382]
    """
    require_level(level)
    require_counts(x1, n1, x2, n2)
    if method not in {"miettinen_nurminen", "mee", "newcombe", "wald"}:
        msg = f"risk_difference_interval: no interval {method!r}; allowed are miettinen_nurminen, mee, newcombe, wald."
        raise StudyError(msg)
    if n1 == 0 or n2 == 0:
        return NAN2
    p1, p2, z = x1 / n1, x2 / n2, float(ndtri((1 + level) / 2))
    if method == "newcombe":
        low, high = wilson([x1, x2], [n1, n2], level=level)
        return (
            float(p1 - p2 - np.hypot(p1 - low[0], high[1] - p2)),
            float(p1 - p2 + np.hypot(high[0] - p1, p2 - low[1])),
        )
    if method == "wald":
        half = z * np.sqrt(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2)
        return float(p1 - p2 - half), float(p1 - p2 + half)
    correct = (n1 + n2) / (n1 + n2 - 1) if method == "miettinen_nurminen" else 1.0

    def score(delta: float) -> float:
        r1, r2 = restricted_proportions(x1, n1, x2, n2, delta)
        variance = (r1 * (1 - r1) / n1 + r2 * (1 - r2) / n2) * correct
        gap = p1 - p2 - delta
        if gap == 0:
            return 0.0
        return float(gap / np.sqrt(variance)) if variance > 0 else float(np.copysign(np.inf, gap))

    return crossing(score, p1 - p2, z)


def crossing(score: Callable[[float], float], difference: float, z: float) -> tuple[float, float]:
    """Find the differences of proportions below and above the estimate at which the falling score is z and -z; -1 and 1 if never."""
    return (
        _crossing(lambda delta: score(delta) - z, -1 + _EDGE, difference, beyond=-1.0),
        _crossing(lambda delta: score(delta) + z, difference, 1 - _EDGE, beyond=1.0),
    )


def restricted_proportions(x1: float, n1: float, x2: float, n2: float, delta: float) -> tuple[float, float]:
    """Estimate both proportions by maximum likelihood under p1 - p2 = delta: the root of Miettinen and Nurminen's cubic."""
    total, events = n1 + n2, x1 + x2
    l2 = (n1 + 2 * n2) * delta - total - events
    l1 = (n2 * delta - total - 2 * x2) * delta + events
    l0 = x2 * delta * (1 - delta)
    q = l2**3 / (27 * total**3) - l1 * l2 / (6 * total**2) + l0 / (2 * total)
    p = np.copysign(np.sqrt(max(l2**2 / (9 * total**2) - l1 / (3 * total), 0.0)), q if q else 1.0)
    w = (np.pi + np.arccos(np.clip(q / p**3 if p else 0.0, -1, 1))) / 3
    r2 = float(np.clip(2 * p * np.cos(w) - l2 / (3 * total), max(0.0, -delta), min(1.0, 1 - delta)))
    return float(np.clip(r2 + delta, 0, 1)), r2


def conditional_odds_ratio(x1: int, n1: int, x2: int, n2: int, *, level: float = 0.95) -> tuple[float, float, float]:
    """Odds ratio given both margins: conditional maximum likelihood, with exact limits (as R's ``fisher.test``).

    Parameters
    ----------
    x1, n1, x2, n2, level
        As in :func:`compare_proportions`.

    Returns
    -------
    Estimate, lower and upper limit. 0 or infinite where x1 is the least or the greatest its margins allow; NaN where they
    allow one value only, as then the table says nothing.

    Examples
    --------
    >>> [round(value, 3) for value in conditional_odds_ratio(7, 13, 2, 12)]
    [5.409, 0.708, 70.402]
    """
    require_level(level)
    require_counts(x1, n1, x2, n2)
    x, weight = hypergeometric(n1, n2, x1 + x2)
    if len(x) < 2:
        return np.nan, np.nan, np.nan
    tail = (1 - level) / 2

    def log_chance(theta: float) -> np.ndarray:
        log = weight + x * theta
        return np.asarray(log - logsumexp(log))

    def solve(gap: Callable[[np.ndarray], float]) -> float:
        return float(np.exp(brentq(lambda theta: gap(np.exp(log_chance(theta))), -_MOST, _MOST, xtol=1e-12)))

    least, most = x1 == x[0], x1 == x[-1]
    estimate = 0.0 if least else np.inf if most else solve(lambda chance: float(chance @ x) - x1)
    low = 0.0 if least else solve(lambda chance: float(chance[x >= x1].sum()) - tail)
    high = np.inf if most else solve(lambda chance: float(chance[x <= x1].sum()) - tail)
    return estimate, low, high


def _crossing(function: Callable[[float], float], low: float, high: float, *, beyond: float) -> float:
    at_low, at_high = function(low), function(high)
    if not (at_low > 0 > at_high):
        return beyond
    return float(brentq(function, low, high, xtol=1e-12))


def _ratios(
    x1: int, n1: int, x2: int, n2: int, level: float
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    nothing = (np.nan, np.nan, np.nan)
    if min(x1, n1 - x1, x2, n2 - x2) == 0:
        return nothing, nothing
    z = float(ndtri((1 + level) / 2))
    se_or = np.sqrt(1 / x1 + 1 / (n1 - x1) + 1 / x2 + 1 / (n2 - x2))
    se_rr = np.sqrt(1 / x1 - 1 / n1 + 1 / x2 - 1 / n2)
    return _around(x1 * (n2 - x2) / (x2 * (n1 - x1)), z * se_or), _around(x1 * n2 / (x2 * n1), z * se_rr)


def _around(ratio: float, half: float) -> tuple[float, float, float]:
    return ratio, float(ratio * np.exp(-half)), float(ratio * np.exp(half))


def _note(x1: int, n1: int, x2: int, n2: int, odds_ratio: str) -> str:
    if n1 == 0 or n2 == 0:
        return "not estimable: an arm is empty"
    if min(x1, n1 - x1, x2, n2 - x2) == 0:
        what = "odds ratio and risk ratio" if odds_ratio == "logit" else "risk ratio"
        return f"{what} not estimable: a cell is zero"
    return ""

"""Two proportions compared within strata: Cochran-Mantel-Haenszel and the Mantel-Haenszel estimates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import chdtrc, ndtri

from il2cyto._intervals import require_level
from il2cyto.errors import StudyError
from il2cyto.tl._proportions import crossing, restricted_proportions
from il2cyto.tl._two_by_two import require_counts

if TYPE_CHECKING:
    import numpy.typing as npt

StratifiedInterval = Literal["sato", "miettinen_nurminen"]


@dataclass(frozen=True, slots=True)
class StratifiedComparison:
    """Proportions compared within strata, treatment against control.

    Attributes
    ----------
    strata, empty
        Strata used, and those left out because an arm has no subject in them.
    statistic, p
        Cochran-Mantel-Haenszel chi-square on 1 df without continuity correction.
    odds_ratio, or_low, or_high
        Mantel-Haenszel common odds ratio.
    risk_difference, rd_low, rd_high, rd_method
        Mantel-Haenszel common risk difference with its interval, and the name of that.
    """

    strata: int
    empty: int
    statistic: float
    p: float
    odds_ratio: float
    or_low: float
    or_high: float
    risk_difference: float
    rd_low: float
    rd_high: float
    rd_method: str


def cochran_mantel_haenszel(
    x1: npt.ArrayLike,
    n1: npt.ArrayLike,
    x2: npt.ArrayLike,
    n2: npt.ArrayLike,
    *,
    interval: StratifiedInterval = "sato",
    level: float = 0.95,
) -> StratifiedComparison:
    """Compare two proportions within strata, treatment first.

    Sources: Mantel and Haenszel, JNCI 1959;22:719 (test without continuity correction, common odds ratio); Robins, Breslow
    and Greenland, Biometrics 1986;42:311 (its variance); Greenland and Robins, Biometrics 1985;41:55 with the variance of
    Sato, Biometrics 1989;45:1323 (risk difference; valid for many small strata and for few large ones); Miettinen and
    Nurminen, Stat Med 1985;4:213 (score interval of the stratified risk difference).

    Parameters
    ----------
    x1, n1, x2, n2
        One count per stratum: subjects with the event and in all, treatment and control.
    interval
        Of the risk difference. ``sato``: estimate ± z standard errors. ``miettinen_nurminen``: the differences for which the score,
        summed over strata with Mantel and Haenszel's weights and divided by its standard error under that difference, is
        within ± z; of one stratum it is :func:`risk_difference_interval`.
    level
        Coverage of the intervals, 0-1.

    Returns
    -------
    Test and estimates. `p` is NaN where no stratum has both events and non-events, the odds ratio where either of its two
    sums is 0, and Sato's interval where its variance is: without an event it would shrink to a point.

    Raises
    ------
    StudyError
        Counts that are not counts of subjects, arrays of different lengths, or an unknown interval.

    Examples
    --------
    >>> result = cochran_mantel_haenszel([10, 6], [15, 14], [6, 3], [16, 14])
    >>> round(result.risk_difference, 3), round(result.p, 3)
    (0.255, 0.047)
    """
    if interval not in {"sato", "miettinen_nurminen"}:
        msg = f"cochran_mantel_haenszel: no interval {interval!r}; allowed are 'sato', 'miettinen_nurminen'."
        raise StudyError(msg)
    require_level(level)
    table = [np.atleast_1d(np.asarray(counts)) for counts in (x1, n1, x2, n2)]
    lengths = [len(counts) for counts in table]
    if len(set(lengths)) > 1:
        msg = f"cochran_mantel_haenszel: x1, n1, x2, n2 have {lengths} strata; they must be as many."
        raise StudyError(msg)
    for counts in zip(*(column.tolist() for column in table), strict=True):
        require_counts(*counts)
    used = (table[1] > 0) & (table[3] > 0)
    a, m1, c, m2 = (counts[used].astype(float) for counts in table)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = _statistic(a, m1, c, m2)
        z = float(ndtri((1 + level) / 2))
        return StratifiedComparison(
            int(used.sum()),
            int((~used).sum()),
            statistic,
            float(chdtrc(1, statistic)),
            *_common_odds_ratio(a, m1 - a, c, m2 - c, z),
            *(_common_risk_difference if interval == "sato" else _score_risk_difference)(a, m1, c, m2, z),
            interval,
        )


def _statistic(a: np.ndarray, m1: np.ndarray, c: np.ndarray, m2: np.ndarray) -> float:
    total, events = m1 + m2, a + c
    # A stratum of one subject has no variance; with both arms present it has two at least.
    variance = (m1 * m2 * events * (total - events) / (total**2 * (total - 1))).sum()
    return float((a - m1 * events / total).sum() ** 2 / np.float64(variance))


def _common_odds_ratio(
    a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray, z: float
) -> tuple[float, float, float]:
    total = a + b + c + d
    r, s, p, q = a * d / total, b * c / total, (a + d) / total, (b + c) / total
    if not r.sum() > 0 or not s.sum() > 0:
        return np.nan, np.nan, np.nan
    ratio = r.sum() / s.sum()
    variance = (
        (p * r).sum() / (2 * r.sum() ** 2)
        + (p * s + q * r).sum() / (2 * r.sum() * s.sum())
        + (q * s).sum() / (2 * s.sum() ** 2)
    )
    half = z * np.sqrt(variance)
    return float(ratio), float(ratio * np.exp(-half)), float(ratio * np.exp(half))


def _common_risk_difference(
    a: np.ndarray, m1: np.ndarray, c: np.ndarray, m2: np.ndarray, z: float
) -> tuple[float, float, float]:
    total = m1 + m2
    weight = (m1 * m2 / total).sum()
    difference = ((a * m2 - c * m1) / total).sum() / np.float64(weight)
    p = ((m1**2 * c - m2**2 * a + m1 * m2 * (m2 - m1) / 2) / total**2).sum()
    q = ((a * (m2 - c) + c * (m1 - a)) / (2 * total)).sum()
    variance = difference * p + q
    half = z * np.sqrt(variance) / np.float64(weight) if variance > 0 else np.nan
    return float(difference), float(difference - half), float(difference + half)


def _score_risk_difference(
    a: np.ndarray, m1: np.ndarray, c: np.ndarray, m2: np.ndarray, z: float
) -> tuple[float, float, float]:
    total = m1 + m2
    if not len(total):
        return np.nan, np.nan, np.nan
    weight = m1 * m2 / total / (m1 * m2 / total).sum()
    difference = float(weight @ (a / m1 - c / m2))
    strata = list(zip(a.tolist(), m1.tolist(), c.tolist(), m2.tolist(), strict=True))

    def score(delta: float) -> float:
        r1, r2 = np.array([restricted_proportions(*counts, delta) for counts in strata]).T
        variance = weight**2 @ ((r1 * (1 - r1) / m1 + r2 * (1 - r2) / m2) * total / (total - 1))
        gap = difference - delta
        return float(gap / np.sqrt(variance)) if variance > 0 else float(np.copysign(np.inf, gap) if gap else 0.0)

    return difference, *crossing(score, difference, z)

"""Change within subjects: exact McNemar and Wilcoxon's signed rank. Both take pairs; no unpaired test is offered for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats
from scipy.special import bdtr

from il2cyto.errors import StudyError
from il2cyto.tl._ranks import EXACT, hodges_lehmann

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class McNemar:
    """A status before and after in the same subjects.

    Attributes
    ----------
    n, missing
        Complete pairs, and pairs left out because a status is missing.
    gained, lost
        The discordant pairs: without it before and with it after, and the reverse.
    p
        Exact, two-sided; 1 without discordant pairs, NaN without pairs.
    """

    n: int
    missing: int
    gained: int
    lost: int
    p: float


@dataclass(frozen=True, slots=True)
class SignedRank:
    """A change in the same subjects.

    Attributes
    ----------
    n, missing, zeros
        Changes that are numbers, those that are not, and the zeros among `n`: they are not ranked.
    statistic
        Sum of the ranks of the increases.
    p
        Two-sided; NaN without any change that is not zero.
    method
        ``exact``, or ``normal``: with ties or more than 50 changes, with continuity correction.
    shift, ci_low, ci_high
        Hodges-Lehmann estimate of the change and its interval, zeros among the changes.
    """

    n: int
    missing: int
    zeros: int
    statistic: float
    p: float
    method: str
    shift: float
    ci_low: float
    ci_high: float


def mcnemar(before: Sequence[bool | None], after: Sequence[bool | None]) -> McNemar:
    """Test exactly whether a status became more or less frequent in the same subjects.

    p = min(1, 2·P(Bin(b + c, 1/2) <= min(b, c))) with b and c the discordant pairs (McNemar, Psychometrika 1947;12:153).

    Parameters
    ----------
    before, after
        The status of each subject at two visits, in the same order; a pair with a missing status (None, NaN) is left out.

    Returns
    -------
    The test, with both discordant counts.

    Raises
    ------
    StudyError
        The two are not of the same length: they are not pairs. A status is neither true nor false.

    Examples
    --------
    >>> mcnemar([True] * 13 + [False] * 16, [True] * 2 + [False] * 27)
    McNemar(n=29, missing=0, gained=0, lost=11, p=0.0009765625)
    """
    if len(before) != len(after):
        msg = f"mcnemar: {len(before)} statuses before and {len(after)} after; pairs of the same subjects are needed."
        raise StudyError(msg)
    both = np.array([before, after], float)  # None becomes NaN
    both = both[:, ~np.isnan(both).any(axis=0)]
    if not np.isin(both, (0, 1)).all():
        msg = "mcnemar: a status is true (1) or false (0); other numbers were found."
        raise StudyError(msg)
    pairs = [(bool(b), bool(a)) for b, a in both.T]
    gained, lost = pairs.count((False, True)), pairs.count((True, False))
    p = min(1.0, 2 * float(bdtr(min(gained, lost), gained + lost, 0.5))) if pairs else np.nan
    return McNemar(len(pairs), len(before) - len(pairs), gained, lost, p)


def signed_rank(change: np.ndarray, *, level: float = 0.95) -> SignedRank:
    """Test whether changes within subjects are symmetric about zero (Wilcoxon, Biometrics Bull 1945;1:80).

    Zeros are dropped from the ranks and counted; the p value is exact for up to 50 other changes without ties.

    Parameters
    ----------
    change
        After minus before, one value per subject; NaN is left out and counted.
    level
        Coverage of the interval of the change, 0-1.

    Returns
    -------
    The test and the Hodges-Lehmann shift, see :func:`hodges_lehmann`.

    Examples
    --------
    >>> result = signed_rank(np.array([0.0, 1.1, 2.3, -0.4, 3.2, 2.9, 1.7]))
    >>> result.n, result.zeros, result.p
    (7, 1, 0.0625)
    """
    change = np.asarray(change, float)
    values = change[~np.isnan(change)]
    ranked = values[values != 0]
    shift = hodges_lehmann(values, level=level)
    statistic, p, method = np.nan, np.nan, "none"
    if len(ranked):
        ties = len(np.unique(np.abs(ranked))) < len(ranked)
        method = "normal" if ties or len(ranked) > EXACT else "exact"
        how = "asymptotic" if method == "normal" else "exact"
        result = stats.wilcoxon(ranked, method=how, correction=True, alternative="two-sided")
        statistic = float(stats.rankdata(np.abs(ranked))[ranked > 0].sum())
        p = float(result.pvalue)
    return SignedRank(len(values), len(change) - len(values), len(values) - len(ranked), statistic, p, method, *shift)

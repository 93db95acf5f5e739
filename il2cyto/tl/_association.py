"""Association of two quantities within arms: area under the ROC curve and Spearman's correlation.

Arms are combined by averaging what is found within each: pooling subjects of several arms would turn the drug's effect on
both quantities into an association of theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import stats
from scipy.special import expit, ndtr, ndtri

from il2cyto._intervals import require_level
from il2cyto.errors import StudyError

if TYPE_CHECKING:
    import numpy.typing as npt


class Association(NamedTuple):
    """An estimate with its interval; NaN where it is not estimable.

    Attributes
    ----------
    n
        Subjects that both quantities are known of, in strata that can be used.
    estimate, ci_low, ci_high, p
        The measure, its interval and the p value of no association.
    """

    n: int
    estimate: float
    ci_low: float
    ci_high: float
    p: float


def roc_auc(
    value: npt.ArrayLike, responder: npt.ArrayLike, *, strata: npt.ArrayLike | None = None, level: float = 0.95
) -> Association:
    """Probability that a responder's value is above that of a non-responder, ties half.

    Variance by DeLong, DeLong and Clarke-Pearson, Biometrics 1988;44:837; interval and test on the logit scale, which keeps
    them within 0-1 (Pepe, The Statistical Evaluation of Medical Tests, 2003, 5.2.5).

    Parameters
    ----------
    value
        One number per subject; subjects with NaN are left out.
    responder
        Bool per subject.
    strata
        Label per subject, such as the arm: pairs are formed within strata only, and the strata's areas weighted by their
        numbers of pairs.
    level
        Coverage, 0-1.

    Returns
    -------
    The area. NaN without a pair. Interval and p are NaN where the area is 0 or 1, or a stratum has a single responder or
    non-responder.

    Examples
    --------
    >>> area = roc_auc([1.0, 2.0, 3.0, 4.0, 5.0], [False, True, False, True, True])
    >>> round(area.estimate, 3), area.n
    (0.833, 5)
    """
    require_level(level)
    value, responder, labels = _complete(value, responder, strata, "roc_auc")
    _require_status(responder, "roc_auc")
    pairs, areas, variances, n = [], [], [], 0
    for label in np.unique(labels):
        inside = labels == label
        x, y = value[inside & (responder == 1)], value[inside & (responder == 0)]
        if len(x) and len(y):
            above, below = _placements(x, y)
            n += len(x) + len(y)
            pairs.append(len(x) * len(y))
            areas.append(above.mean())
            variances.append(_covariance([above]).item() / len(x) + _covariance([below]).item() / len(y))
    if not pairs:
        return Association(n, np.nan, np.nan, np.nan, np.nan)
    weights = np.array(pairs) / sum(pairs)
    area, se = float(weights @ areas), float(np.sqrt(weights**2 @ variances))
    if not 0 < area < 1 or not se > 0:
        return Association(n, area, np.nan, np.nan, np.nan)
    middle, error = np.log(area / (1 - area)), se / (area * (1 - area))
    half = ndtri((1 + level) / 2) * error
    p = float(2 * ndtr(-abs(middle) / error))
    return Association(n, area, float(expit(middle - half)), float(expit(middle + half)), p)


def compare_aucs(first: npt.ArrayLike, second: npt.ArrayLike, responder: npt.ArrayLike) -> tuple[float, float]:
    """Compare the areas of two predictors of one outcome in the same subjects (DeLong's test for correlated curves).

    Parameters
    ----------
    first, second
        The predictors, one number each per subject; subjects with a NaN in either are left out.
    responder
        Bool per subject.

    Returns
    -------
    Difference of the areas, first - second, and its two-sided p value; p is NaN where the variance is 0 or not estimable.

    Raises
    ------
    StudyError
        Lengths differ, or a status is neither 0 nor 1.

    Examples
    --------
    >>> difference, p = compare_aucs([1, 3, 2, 4, 6, 5], [2, 1, 4, 3, 6, 5], [0, 0, 0, 1, 1, 1])
    >>> round(difference, 3), round(p, 3)
    (0.111, 0.48)
    """
    predictors, status = [np.asarray(x, float) for x in (first, second)], np.asarray(responder, float)
    if len({len(status), *map(len, predictors)}) > 1:
        msg = f"compare_aucs: {len(predictors[0])}, {len(predictors[1])} and {len(status)} values; one of each per subject is needed."
        raise StudyError(msg)
    both = np.column_stack(predictors)
    whole = np.isfinite(both).all(axis=1) & np.isfinite(status)
    both, status = both[whole], status[whole]
    _require_status(status, "compare_aucs")
    placements = [_placements(x[status == 1], x[status == 0]) for x in both.T]
    m, n = int((status == 1).sum()), int((status == 0).sum())
    if not m or not n:
        return np.nan, np.nan
    above, below = zip(*placements, strict=True)
    difference = float(above[0].mean() - above[1].mean())
    contrast = np.array([1.0, -1.0])
    variance = float(contrast @ (_covariance(above) / m + _covariance(below) / n) @ contrast)
    return difference, float(2 * ndtr(-abs(difference) / np.sqrt(variance))) if variance > 0 else np.nan


def spearman(
    x: npt.ArrayLike, y: npt.ArrayLike, *, strata: npt.ArrayLike | None = None, level: float = 0.95
) -> Association:
    """Spearman's rank correlation, within strata where there are any.

    Interval by Fisher's z with the standard error sqrt((1 + r²/2)/(n - 3)) of Bonett and Wright, Psychometrika 2000;65:23.
    The z of strata are averaged with weights n - 3.

    Parameters
    ----------
    x, y
        One number each per subject; subjects with a NaN in either are left out.
    strata
        Label per subject, such as the arm.
    level
        Coverage, 0-1.

    Returns
    -------
    The correlation. Strata of fewer than 4 subjects, or in which a quantity is constant, are left out; NaN without any other.
    Interval and p are NaN where a stratum's correlation is -1 or 1.

    Raises
    ------
    StudyError
        Lengths differ, a subject has no stratum, or the level is no fraction.

    Examples
    --------
    >>> r = spearman([1, 2, 3, 4, 5, 6], [1, 3, 2, 4, 6, 5])
    >>> round(r.estimate, 3), round(r.ci_low, 3), round(r.ci_high, 3)
    (0.886, 0.066, 0.992)
    """
    require_level(level)
    x, y, labels = _complete(x, y, strata, "spearman")
    sizes, correlations = [], []
    for label in np.unique(labels):
        a, b = x[labels == label], y[labels == label]
        if len(a) > 3 and np.ptp(a) > 0 and np.ptp(b) > 0:
            sizes.append(len(a))
            correlations.append(float(stats.spearmanr(a, b).statistic))
    if not sizes:
        return Association(0, np.nan, np.nan, np.nan, np.nan)
    r = np.clip(correlations, -1, 1)
    if np.abs(r).max() > 1 - 1e-12:
        only = float(np.sign(r[0])) if len(r) == 1 else np.nan
        return Association(sum(sizes), only, np.nan, np.nan, np.nan)
    weights = (np.array(sizes) - 3) / (sum(sizes) - 3 * len(sizes))
    z = float(weights @ np.arctanh(r))
    se = float(np.sqrt(weights**2 @ ((1 + r**2 / 2) / (np.array(sizes) - 3))))
    half = ndtri((1 + level) / 2) * se
    return Association(
        sum(sizes), float(np.tanh(z)), float(np.tanh(z - half)), float(np.tanh(z + half)), float(2 * ndtr(-abs(z) / se))
    )


def _complete(
    x: npt.ArrayLike, y: npt.ArrayLike, strata: npt.ArrayLike | None, caller: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, y = np.asarray(x, float), np.asarray(y, float)
    labels = np.zeros(len(x), int) if strata is None else np.asarray(strata)
    if not len(x) == len(y) == len(labels):
        msg = f"{caller}: {len(x)}, {len(y)} and {len(labels)} values; one of each per subject is needed."
        raise StudyError(msg)
    unknown = [label is None or label != label for label in labels.tolist()]
    if any(unknown):
        msg = f"{caller}: {sum(unknown)} subjects have no stratum; subjects are not pooled without one."
        raise StudyError(msg)
    whole = np.isfinite(x) & np.isfinite(y)
    return x[whole], y[whole], labels[whole]


def _require_status(responder: np.ndarray, caller: str) -> None:
    if not np.isin(responder, (0, 1)).all():
        msg = f"{caller}: a subject is a responder (1) or not (0); other numbers were found."
        raise StudyError(msg)


def _placements(responders: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of the others that each responder is above, and of the responders that are above each other; ties half."""
    gap = np.subtract.outer(responders, others)
    above = (gap > 0) + 0.5 * (gap == 0)
    return (above.mean(axis=1), above.mean(axis=0)) if gap.size else (np.empty(0), np.empty(0))


def _covariance(values: list[np.ndarray] | tuple[np.ndarray, ...]) -> np.ndarray:
    """Sample covariance of rows; NaN for one observation."""
    stacked = np.vstack(values)
    if stacked.shape[1] < 2:
        return np.full((len(stacked), len(stacked)), np.nan)
    return np.atleast_2d(np.cov(stacked))

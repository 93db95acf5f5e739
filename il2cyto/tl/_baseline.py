"""Table 1: the subjects at baseline, per arm, with standardised differences.

No p values: after randomisation every difference is chance by design, and a test of it says nothing (CONSORT 2010, item 15;
Senn, Stat Med 1994;13:1715).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from il2cyto.errors import StudyError
from il2cyto.tl._frames import ARM, SUBJECT, require_columns, subject_arms, table

if TYPE_CHECKING:
    from collections.abc import Sequence

Statistic = Literal["mean_sd", "median_iqr", "median_range"]
_LABELS = {"mean_sd": "mean±SD", "median_iqr": "median (IQR)", "median_range": "median (range)"}
_TABLE = {
    "characteristic": pl.String, "level": pl.String, ARM: pl.String, "n": pl.Int64, "value": pl.String,
    "standardised_difference": pl.Float64,
}  # fmt: skip


def baseline_table(
    subjects: pl.DataFrame,
    *,
    control: str,
    characteristics: Sequence[str] | None = None,
    statistics: Sequence[Statistic] = ("mean_sd", "median_range"),
    decimals: int = 2,
) -> pl.DataFrame:
    """Describe the subjects at baseline.

    Parameters
    ----------
    subjects
        One row per subject: `subject`, `arm` and the characteristics, baseline values of clinical measurements among them.
        Choose the analysis set by filtering.
    control
        The control arm; it comes first.
    characteristics
        Columns to describe; all others than `subject` and `arm` if None.
    statistics
        How numbers are described, one row each.
    decimals
        Of means, SDs and quantiles.

    Returns
    -------
    `characteristic level arm n value standardised_difference`. A number gives a row per statistic, with the statistic as its
    level; a bool a row ``yes``, a text a row per level, both as ``21 (70.0)``: subjects and percent of `n`. `n` counts the
    subjects with a value. `value` is ``-`` where there is none. The standardised difference, first treatment arm minus control,
    is the difference of means over the root of the mean variance (Austin, Stat Med 2009;28:3083), for texts of several levels
    the Mahalanobis distance of Yang and Dalton (SAS Global Forum 2012, 335), which has no sign. NaN where it is 0/0, and
    with other than two arms.

    Raises
    ------
    StudyError
        A column is missing, a subject stands twice, nobody is in the control arm, or an unknown statistic.

    Examples
    --------
    >>> subjects = pl.DataFrame({"subject": ["a", "b", "c", "d"], "arm": ["placebo", "placebo", "IL-2", "IL-2"]})
    >>> frame = subjects.with_columns(age=pl.Series([30.0, 34.0, 31.0, 39.0]))
    >>> baseline_table(frame, control="placebo", statistics=["mean_sd"])["value"].to_list()
    ['32.00±2.83', '35.00±5.66']
    """
    caller = "baseline_table"
    unknown = [name for name in statistics if name not in _LABELS]
    if unknown:
        msg = f"{caller}: no statistic {', '.join(map(repr, unknown))}; allowed are {', '.join(_LABELS)}."
        raise StudyError(msg)
    frame, treatments = subject_arms(subjects, control=control, caller=caller)
    names = [c for c in frame.columns if c not in {SUBJECT, ARM}] if characteristics is None else characteristics
    require_columns(frame, names, caller=caller)
    rows: list[tuple[object, ...]] = []
    for name in names:
        groups = {arm: frame.filter(pl.col(ARM) == arm)[name].drop_nulls() for arm in (control, *treatments)}
        if frame.schema[name].is_numeric():
            numbers = {arm: x.cast(pl.Float64).drop_nans().to_numpy() for arm, x in groups.items()}
            rows += _number_rows(name, numbers, statistics, decimals)
        else:
            rows += _level_rows(name, groups)
    return table(rows, _TABLE)


def standardised_difference(treatment: np.ndarray, control: np.ndarray) -> float:
    """Difference of two groups in units of their spread.

    Parameters
    ----------
    treatment, control
        (subjects,) numbers, or (subjects, levels) indicators of all levels of a category but one.

    Returns
    -------
    The signed difference for one column, the Mahalanobis distance for several; NaN where the spread is 0 and the groups
    differ in nothing, or a group has no subject.

    Examples
    --------
    >>> round(standardised_difference(np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 4.0])), 6)
    -1.0
    """
    treatment, control = np.asarray(treatment), np.asarray(control)
    if not len(treatment) or not len(control):
        return np.nan
    treatment, control = (x.reshape(len(x), -1).astype(float) for x in (treatment, control))
    gap = treatment.mean(axis=0) - control.mean(axis=0)
    if len(gap) == 1 and set(np.unique([*treatment, *control])) - {0.0, 1.0}:
        if min(len(treatment), len(control)) < 2:
            return np.nan
        variance = (treatment.var(ddof=1) + control.var(ddof=1)) / 2
    elif len(gap) == 1:
        variance = (treatment.var() + control.var()) / 2
    else:
        spread = (_multinomial(treatment) + _multinomial(control)) / 2
        return float(np.sqrt(max(gap @ np.linalg.pinv(spread) @ gap, 0.0))) if spread.any() else np.nan
    return float(gap[0] / np.sqrt(variance)) if variance > 0 else np.nan


def _multinomial(indicators: np.ndarray) -> np.ndarray:
    p = indicators.mean(axis=0)
    return np.asarray(np.diag(p) - np.outer(p, p))


def _two(groups: dict[str, np.ndarray]) -> float:
    if len(groups) != 2:
        return np.nan
    control, treatment = groups.values()
    return standardised_difference(treatment, control)


def _number_rows(
    name: str, groups: dict[str, np.ndarray], statistics: Sequence[Statistic], decimals: int
) -> list[tuple[object, ...]]:
    difference = _two(groups)
    return [
        (name, _LABELS[statistic], arm, len(x), _describe(x, statistic, decimals), difference)
        for statistic in statistics
        for arm, x in groups.items()
    ]


def _describe(x: np.ndarray, statistic: Statistic, decimals: int) -> str:
    if not len(x):
        return "-"
    if statistic == "mean_sd":
        sd = f"{x.std(ddof=1):.{decimals}f}" if len(x) > 1 else "-"
        return f"{x.mean():.{decimals}f}±{sd}"
    low, middle, high = np.quantile(x, [0.25, 0.5, 0.75] if statistic == "median_iqr" else [0, 0.5, 1])
    return f"{middle:.{decimals}f} ({low:.{decimals}f}-{high:.{decimals}f})"


def _level_rows(name: str, groups: dict[str, pl.Series]) -> list[tuple[object, ...]]:
    either = pl.concat(list(groups.values()))
    if either.dtype == pl.Boolean:
        levels: list[object] = [True]
    elif isinstance(either.dtype, pl.Enum):
        levels = [level for level in either.dtype.categories.to_list() if level in set(either)]
    else:
        levels = list(either.unique().sort())
    indicators = {arm: np.array([[v == level for level in levels] for v in x]) for arm, x in groups.items()}
    shared = {arm: x.reshape(-1, len(levels))[:, : max(len(levels) - 1, 1)] for arm, x in indicators.items()}
    difference = _two(shared) if levels else np.nan
    return [
        (name, "yes" if level is True else str(level), arm, len(x), _share(int(x[:, i].sum()) if len(x) else 0, len(x)), difference)
        for i, level in enumerate(levels)
        for arm, x in indicators.items()
    ]  # fmt: skip


def _share(x: int, n: int) -> str:
    return f"{x} ({100 * x / n:.1f})" if n else "-"

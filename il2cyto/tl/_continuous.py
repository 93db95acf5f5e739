"""Continuous clinical endpoints per arm, and compared between arms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl
from scipy import stats
from scipy.special import stdtrit

from il2cyto._intervals import require_level
from il2cyto._tidy import require_frame
from il2cyto.errors import StudyError
from il2cyto.tl._frames import (
    ARM,
    SUBJECT,
    VISIT,
    require_columns,
    require_unique,
    require_visits,
    subject_arms,
    table,
    visit_order,
    visit_weeks,
)
from il2cyto.tl._linear import Coefficient, coefficient
from il2cyto.tl._ranks import EXACT, hodges_lehmann_two

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from il2cyto.tl._linear import StandardError

Model = Literal["ancova_hc3", "ancova", "hodges_lehmann"]
_KEYS = {"endpoint": pl.String, "unit": pl.String, VISIT: pl.String, "week": pl.Float64}
_NUMBERS = ("mean", "sd", "median", "q1", "q3", "ci_low", "ci_high")
_ENDPOINTS = _KEYS | {ARM: pl.String, "n": pl.Int64} | dict.fromkeys(_NUMBERS, pl.Float64)
_CONTRASTS = (
    _KEYS
    | {"contrast": pl.String, "model": pl.String, "n_treatment": pl.Int64, "n_control": pl.Int64}
    | dict.fromkeys(Coefficient._fields, pl.Float64)
)


def ancova(
    value: np.ndarray,
    baseline: np.ndarray,
    treated: np.ndarray,
    *,
    covariates: np.ndarray | None = None,
    se: StandardError = "HC3",
    level: float = 0.95,
) -> Coefficient:
    """Estimate the difference of arms at a visit, adjusted for baseline.

    value = b0 + b1·treated + b2·baseline + covariates, by least squares.

    Parameters
    ----------
    value, baseline
        One number per subject; subjects with a NaN anywhere are left out.
    treated
        Bool per subject.
    covariates
        (subjects, covariates), coded as numbers.
    se
        ``HC3`` holds with unequal variances (MacKinnon and White, J Econometrics 1985;29:305); ``classical`` does not.
    level
        Coverage of the interval, 0-1.

    Returns
    -------
    `estimate se df ci_low ci_high p`, treatment minus control; all NaN where the design cannot tell the arms apart; all but the
    estimate where the model explains every value, which leaves no variance to test against.

    Raises
    ------
    StudyError
        Lengths differ, an unknown standard error, or the level is no fraction.

    Examples
    --------
    >>> value, baseline = np.array([5.0, 7.0, 6.0, 1.0, 3.0, 4.0]), np.array([1.0, 3.0, 2.0, 1.0, 2.0, 4.0])
    >>> round(ancova(value, baseline, np.array([1, 1, 1, 0, 0, 0], bool), se="classical").estimate, 3)
    3.65
    """
    columns = [baseline, *([] if covariates is None else [covariates])]
    lengths = [len(column) for column in (value, treated, *columns)]
    if len(set(lengths)) > 1:
        msg = f"ancova: {', '.join(map(str, lengths))} values; one of each per subject is needed."
        raise StudyError(msg)
    design = np.column_stack(
        [np.ones(len(value)), np.asarray(treated, float), *(np.asarray(c, float) for c in columns)]
    )
    whole = np.isfinite(design).all(axis=1) & np.isfinite(value)
    return coefficient(np.asarray(value, float)[whole], design[whole], se=se, level=level)


def shift_between(treatment: np.ndarray, control: np.ndarray, *, level: float = 0.95) -> Coefficient:
    """Hodges-Lehmann difference of two independent groups, with the Wilcoxon-Mann-Whitney p value.

    The p value is exact for up to 50 a group without ties, else normal with continuity correction.

    Parameters
    ----------
    treatment, control
        One number per subject, such as changes from baseline; NaN is left out.
    level
        Coverage of the interval, 0-1.

    Returns
    -------
    `estimate se df ci_low ci_high p`; `se` and `df` are NaN, the method has none. All NaN where a group is empty.

    Examples
    --------
    >>> shift = shift_between(np.array([5.0, 6.0, 7.0, 9.0]), np.array([1.0, 2.0, 3.0, 4.0]))
    >>> float(shift.estimate), round(shift.p, 4)
    (4.0, 0.0286)
    """
    treatment, control = np.asarray(treatment, float), np.asarray(control, float)
    treatment, control = treatment[~np.isnan(treatment)], control[~np.isnan(control)]
    shift = hodges_lehmann_two(treatment, control, level=level)
    p = np.nan
    both = np.concatenate([treatment, control])
    if len(treatment) and len(control) and np.ptp(both) > 0:
        exact = len(np.unique(both)) == len(both) and max(len(treatment), len(control)) <= EXACT
        method = "exact" if exact else "asymptotic"
        p = float(stats.mannwhitneyu(treatment, control, method=method, alternative="two-sided").pvalue)
    return Coefficient(shift.estimate, np.nan, np.nan, shift.low, shift.high, p)


def continuous_endpoints(
    continuous: pl.DataFrame,
    sets: pl.DataFrame,
    *,
    control: str,
    weeks: Mapping[str, float] | None = None,
    level: float = 0.95,
) -> pl.DataFrame:
    """Summarise every continuous endpoint per visit and arm.

    Parameters
    ----------
    continuous
        One row per subject, visit and endpoint: `subject visit endpoint unit value`; null or NaN is missing. Rows whose
        `evaluable`, where there is that column, is false are left out.
    sets
        One row per subject: `subject arm`. Choose the analysis set by filtering it.
    control
        The control arm; it comes first.
    weeks
        Visit -> planned week; the column `week` of `continuous` if None.
    level
        Coverage of the t interval of the mean, 0-1.

    Returns
    -------
    `endpoint unit visit week arm n mean sd median q1 q3 ci_low ci_high` in the endpoint's unit. NaN where `n` is 0; `sd` and the
    interval also where it is 1. Quartiles are interpolated linearly.

    Raises
    ------
    StudyError
        A column is missing, a subject has two arms or a visit two values, or nobody is in the control arm.
    """
    caller = "continuous_endpoints"
    values, arms = _in_arms(continuous, sets, control, caller)
    rows = []
    for (endpoint, unit, visit, week), cell in _visits(values, continuous, weeks):
        for arm in arms:
            x = cell.filter(pl.col(ARM) == arm)["value"].to_numpy()
            rows.append((endpoint, unit, visit, week, arm, len(x), *_summary(x, level)))
    return table(rows, _ENDPOINTS)


def continuous_contrasts(
    continuous: pl.DataFrame,
    sets: pl.DataFrame,
    *,
    control: str,
    baseline: str,
    models: Sequence[Model] = ("ancova_hc3", "hodges_lehmann"),
    log: Collection[str] = (),
    weeks: Mapping[str, float] | None = None,
    level: float = 0.95,
) -> pl.DataFrame:
    """Compare every continuous endpoint between each treatment arm and control, visit by visit.

    Parameters
    ----------
    continuous, sets, control, weeks
        As in :func:`continuous_endpoints`.
    baseline
        The baseline visit.
    models
        ``ancova_hc3``, ``ancova``: :func:`ancova` with either standard error. ``hodges_lehmann``: :func:`shift_between` on the
        changes from baseline.
    log
        Endpoints that are analysed as natural logarithms, so that `estimate` is the log of a ratio. The column `log_value`,
        where it is there and filled, says what the logarithm is.
    level
        Coverage of the intervals, 0-1.

    Returns
    -------
    `endpoint unit visit week contrast model n_treatment n_control estimate se df ci_low ci_high p`, one row per visit after
    baseline, treatment and model. `n` counts subjects with a value at baseline and at the visit. NaN as in the two
    functions. The unit of a logarithm reads ``ln(g/24 h)``.

    Raises
    ------
    StudyError
        As :func:`continuous_endpoints`; also an unknown model or visit, or an endpoint in `log` that is not positive.
    """
    require_frame(continuous, caller="continuous_contrasts")
    caller = "continuous_contrasts"
    unknown = [model for model in models if model not in {"ancova_hc3", "ancova", "hodges_lehmann"}]
    if unknown:
        msg = f"{caller}: no model {', '.join(map(repr, unknown))}; allowed are ancova_hc3, ancova, hodges_lehmann."
        raise StudyError(msg)
    require_visits(visit_order(continuous), [baseline], caller=caller)
    values, arms = _in_arms(continuous, sets, control, caller)
    values = _logarithms(values, log, caller)
    first = values.filter(pl.col(VISIT) == baseline).select(SUBJECT, "endpoint", base="value")
    paired = values.filter(pl.col(VISIT) != baseline).join(first, on=[SUBJECT, "endpoint"], maintain_order="left")
    rows = []
    for key, cell in _visits(paired, continuous.filter(pl.col(VISIT).cast(pl.String) != baseline), weeks):
        for arm in arms[1:]:
            pair = cell.filter(pl.col(ARM).is_in([arm, control]))
            treated = (pair[ARM] == arm).to_numpy()
            n = (int(treated.sum()), int((~treated).sum()))
            rows += [
                (*key, f"{arm} - {control}", model, *n, *_contrast(pair, treated, model, level)) for model in models
            ]
    return table(rows, _CONTRASTS)


def _in_arms(continuous: pl.DataFrame, sets: pl.DataFrame, control: str, caller: str) -> tuple[pl.DataFrame, list[str]]:
    require_columns(continuous, [SUBJECT, VISIT, "endpoint", "unit", "value"], caller=caller)
    require_unique(continuous, [SUBJECT, VISIT, "endpoint"], caller=caller)
    arms, treatments = subject_arms(sets, control=control, caller=caller)
    if "evaluable" in continuous.columns:
        continuous = continuous.filter("evaluable")
    values = (
        continuous.with_columns(pl.col(SUBJECT, VISIT, "endpoint", "unit").cast(pl.String))
        .with_columns(pl.col("value").cast(pl.Float64).fill_nan(None))
        .drop_nulls("value")
        .join(arms.select(SUBJECT, ARM), on=SUBJECT, maintain_order="left")
    )
    return values, [control, *treatments]


def _logarithms(values: pl.DataFrame, log: Collection[str], caller: str) -> pl.DataFrame:
    logged = pl.col("endpoint").is_in(list(log))
    given = pl.col("log_value") if "log_value" in values.columns else pl.lit(None, pl.Float64)
    wrong = values.filter(logged & given.is_null() & (pl.col("value") <= 0))
    if wrong.height:
        names = ", ".join(wrong["endpoint"].unique().sort())
        msg = f"{caller}: {wrong.height} values of {names} are not positive and have no logarithm; raise them first."
        raise StudyError(msg)
    return values.with_columns(
        value=pl.when(logged).then(pl.coalesce(given, pl.col("value").log())).otherwise("value"),
        unit=pl.when(logged).then(pl.format("ln({})", "unit")).otherwise("unit"),
    )


def _visits(
    values: pl.DataFrame, source: pl.DataFrame, weeks: Mapping[str, float] | None
) -> Iterator[tuple[tuple[str, str, str, float | None], pl.DataFrame]]:
    week = visit_weeks(source, weeks)
    for endpoint, unit in values.select("endpoint", "unit").unique(maintain_order=True).iter_rows():
        for visit in week:
            chosen = values.filter(pl.col("endpoint") == endpoint, pl.col(VISIT) == visit)
            yield (endpoint, unit, visit, week[visit]), chosen


def _contrast(pair: pl.DataFrame, treated: np.ndarray, model: Model, level: float) -> Coefficient:
    value, base = pair["value"].to_numpy(), pair["base"].to_numpy()
    if model == "hodges_lehmann":
        change = value - base
        return shift_between(change[treated], change[~treated], level=level)
    return ancova(value, base, treated, se="HC3" if model == "ancova_hc3" else "classical", level=level)


def _summary(x: np.ndarray, level: float) -> tuple[float, ...]:
    if not len(x):
        return (np.nan,) * len(_NUMBERS)
    require_level(level)
    mean, sd = float(x.mean()), float(x.std(ddof=1)) if len(x) > 1 else np.nan
    half = float(stdtrit(len(x) - 1, (1 + level) / 2)) * sd / np.sqrt(len(x)) if len(x) > 1 else np.nan
    q1, median, q3 = (float(q) for q in np.quantile(x, [0.25, 0.5, 0.75]))
    return mean, sd, median, q1, q3, mean - half, mean + half

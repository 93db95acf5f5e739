"""Binary clinical endpoints per arm, and compared between arms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import polars as pl

from il2cyto._intervals import wilson
from il2cyto.tl._frames import (
    ARM,
    SUBJECT,
    VISIT,
    require_columns,
    require_unique,
    subject_arms,
    table,
    visit_weeks,
)
from il2cyto.tl._proportions import compare_proportions
from il2cyto.tl._standardised import standardised_risk
from il2cyto.tl._stratified import cochran_mantel_haenszel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from il2cyto.tl._proportions import IntervalName
    from il2cyto.tl._standardised import Variance
    from il2cyto.tl._stratified import StratifiedInterval
    from il2cyto.tl._two_by_two import TestName

Rule = Literal["nri", "observed"]
# Column of the endpoints that holds the status under a rule: non-responder imputation, observed cases.
_STATUS: Mapping[Rule, str] = {"nri": "value", "observed": "observed"}
_KEYS = {"endpoint": pl.String, "set": pl.String, "rule": pl.String, VISIT: pl.String, "week": pl.Float64}
_ENDPOINTS = _KEYS | {
    ARM: pl.String, "x": pl.Int64, "n": pl.Int64, "proportion": pl.Float64, "ci_low": pl.Float64, "ci_high": pl.Float64,
}  # fmt: skip
_CONTRASTS = _KEYS | {
    "contrast": pl.String, "x_treatment": pl.Int64, "n_treatment": pl.Int64, "x_control": pl.Int64,
    "n_control": pl.Int64, "risk_difference": pl.Float64, "ci_low": pl.Float64, "ci_high": pl.Float64,
    "method": pl.String, "p": pl.Float64, "p_method": pl.String, "odds_ratio": pl.Float64, "or_low": pl.Float64,
    "or_high": pl.Float64,
}  # fmt: skip


def binary_endpoints(
    binary: pl.DataFrame,
    sets: pl.DataFrame,
    *,
    control: str,
    analysis_sets: Sequence[str] = ("mitt", "itt"),
    weeks: Mapping[str, float] | None = None,
    level: float = 0.95,
) -> pl.DataFrame:
    """Proportions of subjects with each binary endpoint, per analysis set, missing-data rule, visit and arm.

    Parameters
    ----------
    binary
        One row per subject, visit and endpoint: `subject visit endpoint value observed evaluable`, the first bool after the
        endpoint's missing-data rule, the second null where the status was not observed. Only evaluable rows count.
    sets
        One row per subject: `subject arm` and a bool column per analysis set.
    control
        The control arm; it comes first.
    analysis_sets
        Columns of `sets` to report.
    weeks
        Visit -> planned week; the column `week` of `binary` if None.
    level
        Coverage of Wilson's interval, 0-1.

    Returns
    -------
    `endpoint set rule visit week arm x n proportion ci_low ci_high`; proportions 0-1, NaN where nobody is in the denominator.

    Raises
    ------
    StudyError
        A column is missing, a subject has two arms or a visit two statuses, or nobody is in the control arm.
    """
    rows = []
    for key, counts in _counts(binary, sets, control, analysis_sets, weeks, None, "binary_endpoints"):
        for arm, strata in counts.items():
            x, n = (sum(column) for column in zip(*strata.values(), strict=True))
            low, high = wilson(x, n, level=level)
            rows.append((*key, arm, x, n, x / n if n else None, float(low), float(high)))
    return table(rows, _ENDPOINTS)


def binary_contrasts(
    binary: pl.DataFrame,
    sets: pl.DataFrame,
    *,
    control: str,
    analysis_sets: Sequence[str] = ("mitt", "itt"),
    interval: IntervalName = "miettinen_nurminen",
    test: TestName = "fisher",
    stratum: str | None = None,
    stratified_interval: StratifiedInterval = "sato",
    weeks: Mapping[str, float] | None = None,
    level: float = 0.95,
) -> pl.DataFrame:
    """Compare every binary endpoint between each treatment arm and control.

    Parameters
    ----------
    binary, sets, control, analysis_sets, weeks
        As in :func:`binary_endpoints`.
    interval, test
        Of the risk difference, see :func:`compare_proportions`.
    stratum
        Column of `sets`: compare within its levels by Cochran-Mantel-Haenszel in place of `interval` and `test`. Subjects
        without a level are one more stratum.
    stratified_interval
        Of the risk difference where there is a `stratum`, see :func:`cochran_mantel_haenszel`.
    level
        Coverage of the intervals, 0-1.

    Returns
    -------
    `endpoint set rule visit week contrast x_treatment n_treatment x_control n_control risk_difference ci_low ci_high method p
    p_method odds_ratio or_low or_high`. What is not estimable is NaN, see :func:`compare_proportions` and
    :func:`cochran_mantel_haenszel`.

    Raises
    ------
    StudyError
        As :func:`binary_endpoints`, or an unknown method.
    """
    rows = []
    for key, counts in _counts(binary, sets, control, analysis_sets, weeks, stratum, "binary_contrasts"):
        levels = list(dict.fromkeys(level for strata in counts.values() for level in strata))
        per_arm = {arm: [strata.get(level, (0, 0)) for level in levels] for arm, strata in counts.items()}
        totals = {arm: tuple(map(sum, zip(*pairs, strict=True))) for arm, pairs in per_arm.items()}
        for arm in list(counts)[1:]:
            four = (*totals[arm], *totals[control])
            if stratum is None:
                c = compare_proportions(*four, interval=interval, test=test, level=level)
                result = (c.risk_difference, c.ci_low, c.ci_high, c.method, c.p, c.p_method)
                ratio = (c.odds_ratio, c.or_low, c.or_high)
            else:
                columns = (*zip(*per_arm[arm], strict=True), *zip(*per_arm[control], strict=True))
                s = cochran_mantel_haenszel(*columns, interval=stratified_interval, level=level)
                method = f"mantel_haenszel, {s.rd_method}"
                result = (s.risk_difference, s.rd_low, s.rd_high, method, s.p, "cochran_mantel_haenszel")
                ratio = (s.odds_ratio, s.or_low, s.or_high)
            rows.append((*key, f"{arm} - {control}", *four, *result, *ratio))
    return table(rows, _CONTRASTS)


def standardised_contrasts(
    binary: pl.DataFrame,
    sets: pl.DataFrame,
    *,
    control: str,
    covariates: Sequence[str],
    analysis_sets: Sequence[str] = ("mitt", "itt"),
    variance: Variance = "ye",
    weeks: Mapping[str, float] | None = None,
    level: float = 0.95,
) -> pl.DataFrame:
    """Compare every binary endpoint between each treatment arm and control, standardised over baseline covariates.

    Parameters
    ----------
    binary, sets, control, analysis_sets, weeks
        As in :func:`binary_endpoints`.
    covariates
        Columns of `sets`: what was known of the subjects before randomisation.
    variance, level
        See :func:`standardised_risk`.

    Returns
    -------
    Columns as those of :func:`binary_contrasts`; counts are of the subjects in the model, ratios are marginal. NaN as in
    :func:`standardised_risk`, and `method` then ends with the reason.

    Raises
    ------
    StudyError
        As :func:`binary_endpoints`, or a covariate is not in `sets`.
    """
    caller = "standardised_contrasts"
    require_columns(sets, covariates, caller=caller)
    rows = []
    for (endpoint, name, rule), chosen, arms in _statuses(
        binary, sets, control, analysis_sets, [pl.col(c) for c in covariates], caller
    ):
        for visit, week in visit_weeks(binary, weeks).items():
            at = chosen.filter(pl.col(VISIT) == visit)
            for arm in arms[1:]:
                pair = at.filter(pl.col(ARM).is_in([arm, control])).drop_nulls(covariates)
                x, treated = pair[_STATUS[rule]].cast(pl.Float64).to_numpy(), (pair[ARM] == arm).to_numpy()
                r = standardised_risk(x, treated, pair.select(covariates), variance=variance, level=level)
                counts = (int(x[treated].sum()), r.n_treatment, int(x[~treated].sum()), r.n_control)
                method = f"g-computation, {variance}" + (f"; {r.note}" if r.note else "")
                result = (r.risk_difference, r.ci_low, r.ci_high, method, r.p, "wald")
                ratio = (r.odds_ratio, r.or_low, r.or_high)
                rows.append((endpoint, name, rule, visit, week, f"{arm} - {control}", *counts, *result, *ratio))
    return table(rows, _CONTRASTS)


def _statuses(
    binary: pl.DataFrame,
    sets: pl.DataFrame,
    control: str,
    analysis_sets: Sequence[str],
    columns: Sequence[pl.Expr],
    caller: str,
) -> Iterator[tuple[tuple[str, str, Rule], pl.DataFrame, list[str]]]:
    """For each endpoint, set and rule: the subjects that count with their known status, and the arms, control first."""
    require_columns(binary, [SUBJECT, VISIT, "endpoint", *_STATUS.values(), "evaluable"], caller=caller)
    require_columns(sets, analysis_sets, caller=caller)
    require_unique(binary, [SUBJECT, VISIT, "endpoint"], caller=caller)
    arms, treatments = subject_arms(sets, control=control, caller=caller)
    joined = (
        binary.filter("evaluable")
        .with_columns(pl.col(SUBJECT, VISIT, "endpoint").cast(pl.String))
        .select(SUBJECT, VISIT, "endpoint", *_STATUS.values())
        .join(arms.select(SUBJECT, ARM, *analysis_sets, *columns), on=SUBJECT, maintain_order="left")
    )
    for endpoint in joined["endpoint"].unique(maintain_order=True):
        for name in analysis_sets:
            for rule, status in _STATUS.items():
                chosen = joined.filter(pl.col("endpoint") == endpoint, pl.col(name)).drop_nulls(status)
                yield (endpoint, name, rule), chosen, [control, *treatments]


def _counts(
    binary: pl.DataFrame,
    sets: pl.DataFrame,
    control: str,
    analysis_sets: Sequence[str],
    weeks: Mapping[str, float] | None,
    stratum: str | None,
    caller: str,
) -> Iterator[tuple[tuple[str, str, str, str, float | None], dict[str, dict[str, tuple[int, int]]]]]:
    """For each endpoint, set, rule and visit: arm, control first -> stratum -> subjects with the endpoint and in all."""
    require_columns(sets, [stratum] if stratum else [], caller=caller)
    level = (pl.col(stratum).cast(pl.String).fill_null("") if stratum else pl.lit("")).alias("level")
    for (endpoint, name, rule), chosen, arms in _statuses(binary, sets, control, analysis_sets, [level], caller):
        counted = chosen.group_by(VISIT, ARM, "level").agg(x=pl.col(_STATUS[rule]).sum(), n=pl.len()).sort("level")
        cells = {(visit, arm, of): (x, n) for visit, arm, of, x, n in counted.iter_rows()}
        for visit, week in visit_weeks(binary, weeks).items():
            yield (
                (endpoint, name, rule, visit, week),
                {
                    arm: {of: pair for (v, a, of), pair in cells.items() if (v, a) == (visit, arm)} or {"": (0, 0)}
                    for arm in arms
                },
            )

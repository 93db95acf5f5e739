"""Do frequencies differ between responders and non-responders, and did they do so before the response? Exploratory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from il2cyto._tidy import require_frame
from il2cyto.errors import StudyError
from il2cyto.tl._association import Association, roc_auc, spearman
from il2cyto.tl._frames import (
    ARM,
    LOGIT,
    SUBJECT,
    VISIT,
    require_columns,
    require_unique,
    require_visits,
    subject_frequencies,
    table,
    visit_weeks,
)
from il2cyto.tl._linear import coefficient

if TYPE_CHECKING:
    from collections.abc import Sequence

ALL = "all"
_TABLE = {
    "population": pl.String, VISIT: pl.String, "week": pl.Float64, ARM: pl.String, "measure": pl.String, "n": pl.Int64,
    "estimate": pl.Float64, "ci_low": pl.Float64, "ci_high": pl.Float64, "p": pl.Float64, "method": pl.String,
    "label": pl.String,
}  # fmt: skip
_METHODS = {
    "auc_baseline": "DeLong, logit interval",
    "auc_change": "DeLong, logit interval",
    "difference": "linear model of the logit, HC3",
    "spearman_sledai": "Fisher z, Bonett-Wright standard error",
}


def response_association(
    frequencies: pl.DataFrame,
    binary: pl.DataFrame,
    *,
    outcome_visit: str,
    baseline: str,
    endpoint: str = "sri4",
    exposure_visits: Sequence[str] | None = None,
    continuous: pl.DataFrame | None = None,
    activity: str = "sledai",
    level: float = 0.95,
) -> pl.DataFrame:
    """Relate the frequency of every population to clinical response, within arms and adjusted for the arm.

    Frequencies are empirical logits, averaged over replicates; change is the visit's minus baseline's. A predictor has to
    come before what it predicts: areas and correlations use visits before `outcome_visit` only. The difference describes, and
    is given at every visit.

    Parameters
    ----------
    frequencies
        As :func:`il2cyto.get.frequencies` gives them, with `week` and `arm`.
    binary
        Binary endpoints: `subject visit endpoint value evaluable`.
    outcome_visit
        The visit of the response, and of the change in disease activity.
    baseline
        The baseline visit.
    endpoint
        The response, a name in `binary`.
    exposure_visits
        Visits after baseline whose change is a predictor; all before `outcome_visit` if None.
    continuous
        Continuous endpoints, `subject visit endpoint value`, for the correlation with disease activity.
    activity
        The disease activity, a name in `continuous`.
    level
        Coverage of the intervals, 0-1.

    Returns
    -------
    `population visit week arm measure n estimate ci_low ci_high p method label`. Arm ``all`` is adjusted for the arm. Measures:

    ``auc_baseline``, ``auc_change``
        :func:`roc_auc` of the logit at baseline, of its change; above 0.5: higher in responders.
    ``difference``
        Responders minus non-responders, mean logit at baseline and mean change later.
    ``spearman_sledai``
        :func:`spearman` of the change with the change in activity, baseline to `outcome_visit`.

    What is not estimable is NaN. The label is always ``exploratory``: these numbers validate no predictor.

    Raises
    ------
    StudyError
        A column, visit or endpoint is missing, no subject has an arm (pooling without adjustment is not offered), an
        exposure does not come before the outcome, or a population stands there with two denominators.
    """
    require_frame(frequencies, caller="response_association")
    caller = "response_association"
    week = visit_weeks(frequencies)
    exposures = _exposures(week, baseline, outcome_visit, exposure_visits, caller)
    values = _with_change(subject_frequencies(frequencies, caller=caller), baseline)
    if not values.height:
        msg = f"{caller}: no subject has an arm; subjects are not pooled without adjustment. Join the arms first."
        raise StudyError(msg)
    require_unique(values, ["population", SUBJECT, VISIT], caller=caller)
    values = values.join(
        _status(binary, endpoint, outcome_visit, caller), on=SUBJECT, maintain_order="left", how="left"
    )
    values = values.join(
        _activity(continuous, activity, baseline, outcome_visit, caller), on=SUBJECT, maintain_order="left", how="left"
    )
    order = frequencies[ARM].drop_nulls().unique().sort().cast(pl.String)
    arms = order.filter(order.is_in(values[ARM].unique().implode())).to_list()
    rows = []
    for population in values["population"].unique(maintain_order=True):
        for visit in week:
            at_visit = values.filter(pl.col("population") == population, pl.col(VISIT) == visit)
            for arm in (*arms, ALL):
                part = at_visit if arm == ALL else at_visit.filter(pl.col(ARM) == arm)
                measures = _measures(
                    part,
                    baseline=visit == baseline,
                    exposure=visit in exposures,
                    with_activity=continuous is not None,
                    level=level,
                )
                rows += [
                    (population, visit, week[visit], arm, name, *found, _METHODS[name], "exploratory")
                    for name, found in measures.items()
                ]
    return table(rows, _TABLE)


def _exposures(
    week: dict[str, float | None], baseline: str, outcome: str, chosen: Sequence[str] | None, caller: str
) -> list[str]:
    require_visits(week, [baseline, outcome, *(chosen or ())], caller=caller)
    unknown = [visit for visit, at in week.items() if at is None]
    if unknown:
        msg = f"{caller}: no week for visit {', '.join(unknown)}; without it nothing says what came before the outcome."
        raise StudyError(msg)
    weeks = {visit: at for visit, at in week.items() if at is not None}
    before = [visit for visit, at in weeks.items() if weeks[baseline] < at < weeks[outcome]]
    late = [visit for visit in chosen or () if visit not in before]
    if late:
        msg = (
            f"{caller}: exposure at {', '.join(late)} does not lie between baseline {baseline} and the outcome at {outcome}; "
            f"allowed are {', '.join(before) or 'no visits'}."
        )
        raise StudyError(msg)
    return list(before if chosen is None else chosen)


def _with_change(values: pl.DataFrame, baseline: str) -> pl.DataFrame:
    """Add the change of the logit, null at baseline: there the logit itself is looked at."""
    keys = ["population", "denominator", ARM, SUBJECT]
    first = values.filter(pl.col(VISIT) == baseline).select(*keys, base=LOGIT)
    change = pl.when(pl.col(VISIT) != baseline).then(pl.col(LOGIT) - pl.col("base"))
    return values.join(first, on=keys, how="left", maintain_order="left").with_columns(change=change)


def _status(binary: pl.DataFrame, endpoint: str, visit: str, caller: str) -> pl.DataFrame:
    require_columns(binary, [SUBJECT, VISIT, "endpoint", "value", "evaluable"], caller=caller)
    require_unique(binary, [SUBJECT, VISIT, "endpoint"], caller=caller)
    names = binary["endpoint"].cast(pl.String)
    chosen = binary.filter((names == endpoint) & (binary[VISIT].cast(pl.String) == visit))
    if not chosen.height:
        msg = f"{caller}: no endpoint {endpoint!r} at {visit}; endpoints are {', '.join(names.unique().sort())}."
        raise StudyError(msg)
    return chosen.filter("evaluable").select(
        pl.col(SUBJECT).cast(pl.String), responder=pl.col("value").cast(pl.Float64)
    )


def _activity(continuous: pl.DataFrame | None, name: str, baseline: str, visit: str, caller: str) -> pl.DataFrame:
    if continuous is None:
        return pl.DataFrame(schema={SUBJECT: pl.String, "activity": pl.Float64})
    require_columns(continuous, [SUBJECT, VISIT, "endpoint", "value"], caller=caller)
    require_unique(continuous, [SUBJECT, VISIT, "endpoint"], caller=caller)
    values = continuous.select(pl.col(SUBJECT, VISIT, "endpoint").cast(pl.String), pl.col("value").cast(pl.Float64))
    values = values.filter(pl.col("endpoint") == name)
    before, after = (values.filter(pl.col(VISIT) == at).select(SUBJECT, "value") for at in (baseline, visit))
    if not before.height or not after.height:
        msg = f"{caller}: no {name!r} at {baseline} and {visit}; the correlation needs its change between them."
        raise StudyError(msg)
    return before.join(after, on=SUBJECT, maintain_order="left").select(
        SUBJECT, activity=pl.col("value_right") - pl.col("value")
    )


def _measures(
    part: pl.DataFrame, *, baseline: bool, exposure: bool, with_activity: bool, level: float
) -> dict[str, Association]:
    value = _numbers(part, LOGIT if baseline else "change")
    responder, arm = _numbers(part, "responder"), part[ARM].to_numpy()
    found: dict[str, Association] = {"difference": _difference(value, responder, arm, level)}
    if baseline or exposure:
        name = "auc_baseline" if baseline else "auc_change"
        found[name] = roc_auc(value, responder, strata=arm, level=level)
    if exposure and with_activity:
        found["spearman_sledai"] = spearman(value, _numbers(part, "activity"), strata=arm, level=level)
    return found


def _difference(value: np.ndarray, responder: np.ndarray, arm: np.ndarray, level: float) -> Association:
    whole = np.isfinite(value) & np.isfinite(responder)
    dummies = [arm[whole] == name for name in np.unique(arm[whole])[1:]]
    design = np.column_stack([np.ones(whole.sum()), responder[whole], *dummies])
    c = coefficient(value[whole], design, level=level)
    return Association(int(whole.sum()), c.estimate, c.ci_low, c.ci_high, c.p)


def _numbers(frame: pl.DataFrame, name: str) -> np.ndarray:
    return frame[name].fill_null(np.nan).to_numpy()

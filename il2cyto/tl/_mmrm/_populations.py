"""`tl.population_mmrm`: one model per population, out of a table of counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from il2cyto.errors import ModelError
from il2cyto.tl._mmrm._frame import label, levels
from il2cyto.tl._mmrm._model import empirical_logit, mmrm
from il2cyto.tl._mmrm._population_tables import KEYS, adjusted, complete, contrast_rows, mean_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from il2cyto.tl._mmrm._covariance import Covariance
    from il2cyto.tl._mmrm._ddf import Ddf
    from il2cyto.tl._mmrm._result import MMRMResult

REQUIRED = ("subject", "visit", "arm", "population", "count", "parent_count")
# Names of the columns that are made here; terms of the coefficients bear them.
LOGIT, BASELINE = "logit", "baseline"
ESTIMATES = ("estimate", "se", "df", "ci_low", "ci_high", "p", "odds_ratio", "or_low", "or_high")


@dataclass(frozen=True)
class PopulationModels:
    """One model per population and denominator.

    Parameters
    ----------
    contrasts
        `population denominator visit week contrast role model covariance ddf n_treatment n_control estimate se df ci_low
        ci_high p p_adjusted adjustment odds_ratio or_low or_high flags`: each arm minus the control, on the logit scale.
    means
        `population denominator arm visit week kind n mean ci_low ci_high`: adjusted medians (`kind` is `model`), 0-1.
    models
        (population, denominator) -> the result.
    problems
        (population, denominator) -> why there is none; its rows are NaN, with the flag `not_fitted`.
    """

    contrasts: pl.DataFrame = field(repr=False)
    means: pl.DataFrame = field(repr=False)
    models: Mapping[tuple[str, str | None], MMRMResult] = field(repr=False)
    problems: Mapping[tuple[str, str | None], str]


def population_mmrm(
    frame: pl.DataFrame,
    *,
    baseline: Any,
    primary_visit: Any = None,
    covariates: Sequence[str] = (),
    by_visit: Sequence[str] = (),
    covariance: Covariance = "us",
    ddf: Ddf = "kenward-roger",
    control: object = None,
    fallback: bool = True,
    level: float = 0.95,
    adjust: Callable[[Sequence[float]], Sequence[float]] | None = None,
    adjustment: str | None = None,
) -> PopulationModels:
    """Fit :func:`mmrm` to the empirical logit of each population, with the logit at baseline as covariate.

    Parameters
    ----------
    frame
        One row per sample and population, as from :func:`il2cyto.get.frequencies`: `subject visit arm population count
        parent_count`, and, where there are such, `denominator` or `parent` (what `parent_count` counts), `week`, `frequency`
        (a missing one says that the sample is not evaluable, whatever was counted). Logits of replicates are averaged.
    baseline
        The visit before treatment; this visit and earlier ones are not responses.
    primary_visit
        Its contrasts have the role `primary`, the others `secondary`.
    covariates, by_visit, covariance, ddf, control, fallback, level
        As for :func:`mmrm`; the baseline logit is the covariate `baseline`.
    adjust
        Takes the p-values of all populations at the primary visit, of one denominator and contrast, and returns them
        adjusted for their number.
    adjustment
        Name of that method, for the table.

    Returns
    -------
    The models and two tables. A row without an estimate is NaN. `flags` holds, joined by ";": `covariance_fallback`, the
    structure is not the one asked for; `not_estimable`; `not_fitted`.

    Raises
    ------
    ModelError
        A column is missing, or the visits do not fit the table.

    Examples
    --------
    Simulated counts of eight subjects at three visits.

    >>> import polars as pl
    >>> from il2cyto import tl
    >>> rows = [
    ...     (s, week, s % 2, "Treg", 200 + 37 * s % 90 + 11 * s * week % 70, 4000)
    ...     for s in range(8)
    ...     for week in (0, 2, 12)
    ... ]
    >>> columns = ["subject", "visit", "arm", "population", "count", "parent_count"]
    >>> counts = pl.DataFrame(rows, schema=columns, orient="row")
    >>> models = tl.population_mmrm(counts, baseline=0, primary_visit=12)
    >>> models.contrasts.select("population", "visit", "role", "n_treatment", "n_control").rows()
    [('Treg', 2, 'secondary', 4, 4), ('Treg', 12, 'primary', 4, 4)]
    """
    logits, visits = _logits(frame, baseline, primary_visit, covariates)
    roles = {"response": LOGIT, "subject": "subject", "visit": "visit", "arm": "arm"}
    models: dict[tuple[str, str | None], MMRMResult] = {}
    problems: dict[tuple[str, str | None], str] = {}
    contrasts, means = [], []
    for (population, denominator), rows in logits.group_by(KEYS, maintain_order=True):
        key = (str(population), None if denominator is None else str(denominator))
        try:
            result = mmrm(
                rows,
                **roles,
                covariates=[BASELINE, *covariates],
                by_visit=by_visit,
                covariance=covariance,
                ddf=ddf,
                control=control,
                fallback=fallback,
                level=level,
            )
        except ModelError as e:
            problems[key] = str(e)
            continue
        models[key] = result
        contrasts.append(contrast_rows(result, key))
        means.append(mean_rows(result, key))
    if not models:
        msg = (
            f"population_mmrm: no population could be fitted. {'; '.join(f'{k[0]}: {v}' for k, v in problems.items())}"
        )
        raise ModelError(msg)
    table = complete(pl.concat(contrasts), list(problems), ["visit", "contrast"], visits)
    table = table.with_columns(
        role=pl.when(pl.col("visit") == primary_visit).then(pl.lit("primary")).otherwise(pl.lit("secondary"))
        if primary_visit is not None
        else pl.lit("secondary")
    )
    return PopulationModels(
        contrasts=adjusted(table, adjust, adjustment).select(
            *KEYS, "visit", "week", "contrast", "role", "model", "covariance", "ddf", "n_treatment", "n_control",
            *ESTIMATES[:6], "p_adjusted", "adjustment", *ESTIMATES[6:], "flags",
        ),
        means=complete(pl.concat(means), list(problems), ["arm", "visit"], visits).select(
            *KEYS, "arm", "visit", "week", pl.lit("model").alias("kind"), "n", "mean", "ci_low", "ci_high"
        ),
        models=models,
        problems=problems,
    )  # fmt: skip


def _logits(
    frame: pl.DataFrame, baseline: Any, primary_visit: Any, covariates: Sequence[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of the models, and the visits after baseline with their week."""
    missing = [name for name in (*REQUIRED, *covariates) if name not in frame.columns]
    if missing:
        msg = f"population_mmrm: no column {', '.join(missing)}; the frame has {', '.join(frame.columns)}."
        raise ModelError(msg)
    order = levels(frame["visit"])
    strangers = [v for v in (baseline, primary_visit) if v is not None and v not in order]
    if baseline is None or strangers:
        msg = (
            f"population_mmrm: no visit {', '.join(map(repr, strangers or [baseline]))}; the frame has "
            f"{', '.join(map(label, order))}."
        )
        raise ModelError(msg)
    after = order[order.index(baseline) + 1 :]
    denominator = next((pl.col(c) for c in ("denominator", "parent") if c in frame.columns), pl.lit(None, pl.String))
    week = pl.col("week") if "week" in frame.columns else pl.lit(None, pl.Float64)
    evaluable = pl.col("frequency").fill_nan(None).is_not_null() if "frequency" in frame.columns else pl.lit(value=True)
    logit = pl.Series(LOGIT, empirical_logit(frame["count"].to_numpy(), frame["parent_count"].to_numpy()))
    frame = frame.with_columns(
        logit.fill_nan(None), denominator=denominator.cast(pl.String), week=week.cast(pl.Float64)
    ).with_columns(pl.when(evaluable).then(LOGIT))
    keys = [*KEYS, "subject", "visit", "arm"]
    rows = frame.group_by(keys, maintain_order=True).agg(pl.col(LOGIT).mean(), pl.col("week", *covariates).first())
    base = rows.filter(pl.col("visit") == baseline).select(*KEYS, "subject", pl.col(LOGIT).alias(BASELINE))
    rows = rows.filter(pl.col("visit").is_in(after)).join(
        base, on=[*KEYS, "subject"], how="left", nulls_equal=True, maintain_order="left"
    )
    weeks = frame.filter(pl.col("visit").is_in(after)).group_by("visit").agg(pl.col("week").min())
    position = pl.DataFrame({"visit": pl.Series(after, dtype=frame.schema["visit"]), "position": range(len(after))})
    return rows, weeks.join(position, on="visit", maintain_order="left").sort("position")

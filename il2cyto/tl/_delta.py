"""Sensitivity to values that are not missing at random: delta adjustment by multiple imputation."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

from il2cyto.errors import ModelError
from il2cyto.tl._imputation import Pooled, impute_at_random, pool_imputations
from il2cyto.tl._mmrm._design import make_trial
from il2cyto.tl._mmrm._frame import Roles, complete_rows, label
from il2cyto.tl._tipping import verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from il2cyto.tl._mmrm._design import Trial

_KEYS = {"contrast": pl.String, "delta_treatment": pl.Float64, "delta_control": pl.Float64}
_COUNTS = dict.fromkeys(("n_treatment", "missing_treatment", "n_control", "missing_control"), pl.Int64)
_SCHEMA = _KEYS | _COUNTS | dict.fromkeys(Pooled._fields, pl.Float64) | {"tips": pl.Boolean}


class _Wide(NamedTuple):
    """Subjects × visits with their design: 1, arms, covariates."""

    y: np.ndarray
    x: np.ndarray
    arm: np.ndarray


def delta_adjusted(
    frame: pl.DataFrame,
    *,
    response: str,
    subject: str,
    visit: str,
    arm: str,
    at: Any,
    deltas: Sequence[tuple[float, float]],
    covariates: Sequence[str] = (),
    control: object = None,
    imputations: int = 100,
    seed: int = 0,
    level: float = 0.95,
) -> pl.DataFrame:
    """Compare arms at a visit by multiple imputation, with imputed values shifted by delta: a tipping-point analysis.

    Missing values are imputed as if missing at random, see :func:`impute_at_random`, from arm, covariates and all visits. Then
    `delta` is added to the imputed values of the visit, never to an observed one, and each completed data set is analysed by
    analysis of covariance; Rubin's rules pool the estimates. A delta of 0 in both arms is the analysis under MAR. A negative
    one says that those who were not seen lie lower than those like them who were. All deltas share the same imputations.

    Parameters
    ----------
    frame
        One row per subject and post-baseline visit, as for :func:`mmrm`; a subject is expected at every visit of the frame. Rows
        without a response count as not seen; a row that names the subject is all it takes to be expected.
    response, subject, visit, arm, covariates, control
        As for :func:`mmrm`. Covariates, such as the baseline, are taken from the subject's rows; subjects without them are left
        out.
    at
        The visit at which arms are compared.
    deltas
        Pairs for (treatment, control), in units of the response.
    imputations, seed
        See :func:`impute_at_random`.
    level
        Coverage of the intervals, 0-1. 1 - `level` is the significance level of `tips`.

    Returns
    -------
    One row per treatment arm and pair: `contrast delta_treatment delta_control n_treatment missing_treatment n_control
    missing_control estimate se df ci_low ci_high p fmi tips`. `n` counts subjects, `missing` those without a value at the visit;
    `tips` says that the verdict of the test, or the sign of a significant estimate, is another than under MAR. With three arms or
    more, the other treatments are shifted as well.

    Raises
    ------
    ModelError
        As :func:`mmrm` and :func:`impute_at_random`; the visit is not in the frame, or no pair is given.

    Notes
    -----
    Carpenter and Kenward, Multiple Imputation and its Application, 2013, ch. 10; Cro et al., Stat Med 2020;39:2815; Ratitch et
    al., Pharm Stat 2013;12:337 (tipping point). The estimate is linear in the deltas: its shift is that of the regression of
    the missing values' deltas on the design.

    Examples
    --------
    Simulated values of twelve subjects at two visits; two treated ones missed the second.

    >>> import polars as pl
    >>> from il2cyto import tl
    >>> rows = [
    ...     (s, week, s % 2, 1.5 * (s % 2) + 0.1 * ((7 * s + 3 * week) % 11)) for s in range(12) for week in (2, 12)
    ... ]
    >>> frame = pl.DataFrame(rows, schema=["subject", "week", "arm", "y"], orient="row")
    >>> frame = frame.filter(~(pl.col("subject").is_in([3, 7]) & (pl.col("week") == 12)))
    >>> roles = {"response": "y", "subject": "subject", "visit": "week", "arm": "arm"}
    >>> table = tl.delta_adjusted(frame, **roles, at=12, deltas=[(0, 0), (-3, 0)], imputations=20)
    >>> shift = table["estimate"][1] - table["estimate"][0]
    >>> round(shift, 6), table["missing_treatment"][0]
    (-1.0, 2)
    """
    if not deltas or not np.isfinite(np.array(deltas, float)).all():
        msg = (
            f"delta_adjusted: deltas are {list(deltas)}; allowed are pairs of finite numbers for treatment and control."
        )
        raise ModelError(msg)
    trial = _expected(frame, Roles(response, subject, visit, arm, tuple(covariates)), control)
    visits = trial.coding.visits
    if at not in visits:
        msg = f"delta_adjusted: no visit {at!r}; the frame has {', '.join(map(label, visits))}."
        raise ModelError(msg)
    wide = _wide(trial)
    # Under MAR a visit that nobody was seen at tells nothing of the others.
    told = np.isfinite(wide.y).any(0)
    if not told[visits.index(at)]:
        msg = f"delta_adjusted: nobody was seen at visit {label(at)}."
        raise ModelError(msg)
    values = impute_at_random(wide.y[:, told], wide.x, imputations=imputations, seed=seed)
    completed = values[:, :, int(told[: visits.index(at)].sum())]
    missing = ~np.isfinite(wide.y[:, visits.index(at)])
    arms = trial.coding.arms
    rows = []
    for treated in range(1, len(arms)):
        n, gone = (
            [int(which[wide.arm == a].sum()) for a in (treated, 0)] for which in (np.ones_like(missing), missing)
        )
        counts = (n[0], gone[0], n[1], gone[1])
        mar = _contrast(completed, wide.x, treated, level)
        for up, down in deltas:
            shift = np.where(missing, np.where(wide.arm > 0, up, down), 0.0)
            found = _contrast(completed + shift, wide.x, treated, level)
            tips = verdict(found.p, found.estimate, level) != verdict(mar.p, mar.estimate, level)
            rows.append((f"{label(arms[treated])} - {label(arms[0])}", up, down, *counts, *found, tips))
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _expected(frame: pl.DataFrame, roles: Roles, control: object) -> Trial:
    """Code one row per subject and visit; the response is NaN where it was not seen."""
    absent = [name for name in roles.columns if name not in frame.columns]
    if absent:
        msg = f"delta_adjusted: no column {', '.join(map(repr, absent))}; the frame has {', '.join(frame.columns)}."
        raise ModelError(msg)
    if not frame[roles.response].dtype.is_numeric():
        msg = f"delta_adjusted: the response {roles.response!r} holds {frame[roles.response].dtype}, not numbers."
        raise ModelError(msg)
    known = pl.col(roles.response).cast(pl.Float64).is_finite().fill_null(value=False)
    flagged = frame.with_columns(
        _known=known, _y=pl.when(known).then(pl.col(roles.response).cast(pl.Float64)).otherwise(0.0)
    )
    rows, _ = complete_rows(
        flagged.select(roles.subject, roles.visit, roles.arm, "_y", "_known", *roles.covariates),
        Roles("_y", roles.subject, roles.visit, roles.arm, ("_known", *roles.covariates)),
    )
    trial = make_trial(
        rows, Roles("_y", roles.subject, roles.visit, roles.arm, roles.covariates), by_visit=(), control=control
    )
    trial.y[~rows["_known"].to_numpy()] = np.nan
    return trial


def _wide(trial: Trial) -> _Wide:
    Z = trial.subject_covariates
    y = np.full((len(Z), len(trial.coding.visits)), np.nan)
    y[trial.subject, trial.visit] = trial.y
    arm = np.zeros(len(Z), int)
    arm[trial.subject] = trial.arm
    dummies = (arm[:, None] == np.arange(1, len(trial.coding.arms))).astype(float)
    return _Wide(y, np.hstack([np.ones((len(Z), 1)), dummies, Z]), arm)


def _contrast(y: np.ndarray, x: np.ndarray, column: int, level: float) -> Pooled:
    """Analysis of covariance of every completed data set, (imputations, subjects), pooled."""
    inverse = np.linalg.inv(x.T @ x)
    beta = y @ x @ inverse
    residual = y - beta @ x.T
    df = x.shape[0] - x.shape[1]
    variance = inverse[column, column] * np.square(residual).sum(1) / df
    return pool_imputations(beta[:, column], variance, complete_df=df, level=level)

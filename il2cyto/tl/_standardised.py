"""Risks of two arms standardised over covariates: logistic g-computation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import polars as pl
from scipy.optimize import linprog, minimize
from scipy.special import expit, ndtr, ndtri

from il2cyto._intervals import require_level
from il2cyto.errors import StudyError
from il2cyto.tl._mmrm._design import independent_columns

if TYPE_CHECKING:
    import numpy.typing as npt

Variance = Literal["ye", "ge"]
# A direction that separates events from non-events by less than this, in units of orthonormal columns, is rounding.
_SEPARATES = 1e-7


@dataclass(frozen=True, slots=True)
class StandardisedRisk:
    """Risks as if everybody had been in one arm and as if everybody had been in the other.

    Attributes
    ----------
    n_treatment, n_control, missing
        Subjects in the model, and those left out because something is missing.
    risk_treatment, risk_control
        Standardised risks, 0-1.
    risk_difference, se, ci_low, ci_high, p
        Their difference with its Wald interval and test.
    risk_ratio, rr_low, rr_high, odds_ratio, or_low, or_high
        Marginal ratios of the standardised risks, intervals on the log scale.
    variance
        ``ye`` or ``ge``.
    note
        Why all is NaN; empty otherwise.
    """

    n_treatment: int
    n_control: int
    missing: int
    risk_treatment: float
    risk_control: float
    risk_difference: float
    se: float
    ci_low: float
    ci_high: float
    p: float
    risk_ratio: float
    rr_low: float
    rr_high: float
    odds_ratio: float
    or_low: float
    or_high: float
    variance: str
    note: str


def standardised_risk(
    event: npt.ArrayLike,
    treated: npt.ArrayLike,
    covariates: pl.DataFrame | pd.DataFrame | np.ndarray,
    *,
    variance: Variance = "ye",
    level: float = 0.95,
) -> StandardisedRisk:
    """Compare the risks of two arms, adjusted for baseline covariates by standardisation (g-computation).

    A logistic model of the event on arm and covariates predicts everybody's risk in either arm; the means of these predictions are
    compared. The difference is that of the whole trial, as without covariates (not that at some value of them), it needs no correct
    model in a randomised trial, and it is more precise where covariates predict the event.

    Parameters
    ----------
    event
        The status of each subject, 0 or 1, or bool; NaN and None are missing.
    treated
        Bool per subject.
    covariates
        One row per subject: numbers, bools and texts, the last two coded by treatment contrasts. Only what was known before
        randomisation belongs here. Subjects that lack one are left out and counted.
    variance
        ``ye``: robust to a wrong model, and valid for the population that the subjects come from (Ye, Bannick, Yi and Shao, Stat Theory
        Relat Fields 2023;7:159). ``ge``: delta method with the model's own covariance, for these subjects' covariates (Ge et al., Drug
        Inf J 2011;45:481).
    level
        Coverage of the intervals, 0-1.

    Returns
    -------
    The comparison. All but the counts is NaN, and `note` says why, where an arm has fewer than two subjects, the covariates tell
    the arms apart, or arm and covariates separate events from non-events, so that the model has no maximum.

    Raises
    ------
    StudyError
        Lengths differ, a status is neither 0 nor 1, a covariate is of another type, an unknown variance, or the level is no fraction.

    Notes
    -----
    FDA, Adjusting for Covariates in Randomized Clinical Trials for Drugs and Biological Products, Guidance for Industry, 2023.

    Examples
    --------
    >>> event = [0, 1, 1, 1, 0, 1, 0, 0, 1, 0, 0, 1]
    >>> treated = [True] * 6 + [False] * 6
    >>> risk = standardised_risk(
    ...     event, treated, pl.DataFrame({"age": [50, 40, 35, 28, 44, 60, 49, 33, 31, 55, 62, 45]})
    ... )
    >>> round(risk.risk_difference, 3), round(risk.se, 3)
    (0.281, 0.272)
    """
    if variance not in {"ye", "ge"}:
        msg = f"standardised_risk: no variance {variance!r}; allowed are 'ye', 'ge'."
        raise StudyError(msg)
    require_level(level)
    y, arm, Z = np.asarray(event, float), np.asarray(treated, bool), _coded(covariates)
    if not len(y) == len(arm) == len(Z):
        msg = (
            f"standardised_risk: {len(y)}, {len(arm)} and {len(Z)} statuses, arms and covariates; one per subject each."
        )
        raise StudyError(msg)
    whole = np.isfinite(y) & np.isfinite(Z).all(axis=1)
    if not np.isin(y[whole], (0, 1)).all():
        msg = "standardised_risk: the status of a subject is 0 or 1; other numbers were found."
        raise StudyError(msg)
    y, arm, Z = y[whole], arm[whole], Z[whole]
    counts = (int(arm.sum()), int((~arm).sum()), int((~whole).sum()))
    risks, spread, note = _standardise(y, arm, Z, variance)
    z = float(ndtri((1 + level) / 2))
    difference, se = float(risks[0] - risks[1]), _se(spread, np.array([1.0, -1.0]))
    p = float(2 * ndtr(-abs(difference) / se)) if se > 0 else np.nan
    return StandardisedRisk(
        *counts, float(risks[0]), float(risks[1]), difference, se, difference - z * se, difference + z * se, p,
        *_ratio(np.log(risks), 1 / risks, spread, z),
        *_ratio(np.log(risks / (1 - risks)), 1 / (risks * (1 - risks)), spread, z),
        variance, note,
    )  # fmt: skip


def _coded(covariates: pl.DataFrame | pd.DataFrame | np.ndarray) -> np.ndarray:
    """(subjects, columns) numbers, NaN where missing."""
    if isinstance(covariates, np.ndarray):
        return (covariates[:, None] if covariates.ndim == 1 else covariates).astype(float)
    frame = pl.from_pandas(covariates) if isinstance(covariates, pd.DataFrame) else covariates
    columns = [np.empty((frame.height, 0))]
    for column in frame.iter_columns():
        if column.dtype.is_numeric():
            columns.append(column.cast(pl.Float64).fill_null(np.nan).to_numpy()[:, None])
        elif column.dtype in (pl.String, pl.Categorical, pl.Enum, pl.Boolean):
            values = column.cast(pl.String)
            levels = values.drop_nulls().unique().sort()[1:]
            coded = [(values == level).cast(pl.Float64).fill_null(np.nan).to_numpy() for level in levels]
            # A column of one level adds nothing, but those who lack it still lack it.
            columns.append(np.column_stack(coded or [np.where(values.is_null(), np.nan, 0.0)]))
        else:
            msg = f"standardised_risk: covariate {column.name!r} holds {column.dtype}, not numbers, bools or texts."
            raise StudyError(msg)
    return np.hstack(columns)


def _standardise(
    y: np.ndarray, arm: np.ndarray, Z: np.ndarray, variance: Variance
) -> tuple[np.ndarray, np.ndarray, str]:
    """Both risks, treatment first, their 2 × 2 covariance, and why they are NaN."""
    nothing = np.full(2, np.nan), np.full((2, 2), np.nan)
    if min(arm.sum(), (~arm).sum()) < 2:
        return *nothing, "not estimable: an arm has fewer than two subjects"
    X = np.column_stack([np.ones(len(y)), Z, arm])
    kept = independent_columns(X)
    if not kept[-1]:
        return *nothing, "not estimable: the covariates tell the arms apart"
    Q, R = np.linalg.qr(X[:, kept])
    if _separated(y, Q):
        return *nothing, "not estimable: arm and covariates separate subjects with the event from those without"
    beta = _logistic(y, Q)
    sides = [np.column_stack([X[:, kept][:, :-1], np.full(len(y), side)]) @ np.linalg.inv(R) for side in (1.0, 0.0)]
    predicted = np.array([expit(side @ beta) for side in sides])
    risks = predicted.mean(axis=1)
    if variance == "ye":
        return risks, _ye(y, arm, predicted), ""
    slopes = np.array([(p * (1 - p)) @ side / len(y) for p, side in zip(predicted, sides, strict=True)])
    weight = expit(Q @ beta) * (1 - expit(Q @ beta))
    return risks, slopes @ np.linalg.solve(Q.T @ (weight[:, None] * Q), slopes.T), ""


def _separated(y: np.ndarray, Q: np.ndarray) -> bool:
    """Whether a combination of the columns is never on the wrong side of 0, and not 0 throughout (Konis, DPhil Oxford 2007)."""
    signed = np.where(y > 0, 1.0, -1.0)[:, None] * Q
    best = linprog(-signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(y)), bounds=(-1, 1))
    return bool(-best.fun > _SEPARATES)


def _logistic(y: np.ndarray, Q: np.ndarray) -> np.ndarray:
    """Maximum likelihood of a logistic model that has one."""

    def slope(beta: np.ndarray) -> np.ndarray:
        return np.asarray(Q.T @ (expit(Q @ beta) - y))

    def curvature(beta: np.ndarray) -> np.ndarray:
        p = expit(Q @ beta)
        return np.asarray(Q.T @ ((p * (1 - p))[:, None] * Q))

    def loss(beta: np.ndarray) -> float:
        return float(np.logaddexp(0, Q @ beta).sum() - y @ (Q @ beta))

    found = minimize(
        loss, np.zeros(Q.shape[1]), jac=slope, hess=curvature, method="trust-exact", options={"gtol": 1e-6}
    )
    # Newton's last step is quadratic: it takes the rest of the way, which differences of the loss are too coarse for.
    return np.asarray(found.x - np.linalg.solve(curvature(found.x), slope(found.x)))


def _ye(y: np.ndarray, arm: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Covariance of both risks by Ye et al. (2023): a wrong model costs precision, not validity."""
    n, groups = len(y), (arm, ~arm)
    between = np.cov(predicted)
    of_status = [np.array([np.cov(y[own], p[own])[0, 1] for p in predicted]) for own in groups]
    spread = np.empty((2, 2))
    for a, own in enumerate(groups):
        residual = float(np.var(y[own] - predicted[a][own], ddof=1))
        spread[a, a] = residual * n / own.sum() + 2 * of_status[a][a] - between[a, a]
    spread[0, 1] = spread[1, 0] = of_status[0][1] + of_status[1][0] - between[0, 1]
    return spread / n


def _se(spread: np.ndarray, contrast: np.ndarray) -> float:
    return float(np.sqrt(np.maximum(contrast @ spread @ contrast, 0.0)))


def _ratio(logs: np.ndarray, slopes: np.ndarray, spread: np.ndarray, z: float) -> tuple[float, float, float]:
    middle, half = float(logs[0] - logs[1]), z * _se(spread, slopes * np.array([1.0, -1.0]))
    return float(np.exp(middle)), float(np.exp(middle - half)), float(np.exp(middle + half))

"""The tables of a result: one row per coefficient, contrast or mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from scipy.special import fdtrc

from il2cyto.tl._mmrm._fit import NOT_ESTIMABLE, Estimate
from il2cyto.tl._mmrm._frame import label

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from il2cyto.tl._mmrm._covariance import FloatArray
    from il2cyto.tl._mmrm._fallback import Models

COLUMNS = Estimate._fields


def estimates(keys: Sequence[dict[str, Any]], values: Iterable[Estimate], schema: pl.Schema) -> pl.DataFrame:
    """Put keys and estimates side by side."""
    rows = [key | value._asdict() for key, value in zip(keys, values, strict=True)]
    return pl.DataFrame(rows, schema={**schema, **dict.fromkeys(COLUMNS, pl.Float64)})


def coefficients(models: Models, *, level: float) -> pl.DataFrame:
    """Tabulate the coefficients; in per-visit ANCOVA each term bears its visit."""
    coding = models.trial.coding
    if models.joint is not None:
        named = [(term, models.joint, k) for k, term in enumerate(coding.terms)]
    else:
        named = [
            (f"{coding.visit}{label(visit)} | {term}", fit, k)
            for visit, fit in zip(coding.visits, models.fits, strict=True)
            if fit is not None
            for k, term in enumerate(fit.trial.coding.terms)
        ]
    keys = [{"term": term} for term, _, _ in named]
    table = estimates(keys, (fit.coefficient(k, level=level) for _, fit, k in named), pl.Schema({"term": pl.String}))
    return table.select("term", "estimate", "se", "df", "p")


def contrasts(models: Models, visit_type: pl.DataType, *, level: float) -> pl.DataFrame:
    """Tabulate each arm minus the control at each visit."""
    coding = models.trial.coding
    keys, values = [], []
    for j, visit in enumerate(coding.visits):
        for arm in range(1, len(coding.arms)):
            fit = models.fits[j]
            keys.append({"visit": visit, "contrast": arm_contrast(models, arm)})
            values.append(NOT_ESTIMABLE if fit is None else fit.estimate(difference(models, arm, j), level=level))
    return estimates(keys, values, pl.Schema({"visit": visit_type, "contrast": pl.String()}))


def means(models: Models, schema: pl.Schema, *, level: float, offset: float = 0.0) -> pl.DataFrame:
    """Tabulate the marginal mean of each arm and visit at the mean covariates of the subjects, minus `offset`."""
    coding, trial = models.trial.coding, models.trial
    Z = trial.subject_covariates.mean(0, keepdims=True)
    keys, values = [], []
    for a, arm in enumerate(coding.arms):
        for j, visit in enumerate(coding.visits):
            fit = models.fits[j]
            n = int(np.sum((trial.arm == a) & (trial.visit == j)))
            keys.append({"arm": arm, "visit": visit, "n": n})
            row = models.rows(a, j, Z)[0]
            values.append(NOT_ESTIMABLE if fit is None else fit.estimate(row, level=level, offset=offset))
    keyed = pl.Schema({"arm": schema["arm"], "visit": schema["visit"], "n": pl.Int64()})
    return estimates(keys, values, keyed)


def omnibus(models: Models) -> pl.DataFrame:
    """Test arm × visit; null with one arm, with one visit, or where each visit has its own model."""
    test = None
    if models.joint is not None and len(columns := models.trial.coding.interaction):
        test = models.joint.test(np.eye(len(models.joint.kept))[columns])
    row = (None,) * 4 if test is None else (test.f, test.ndf, test.ddf, float(fdtrc(test.ndf, test.ddf, test.f)))
    schema = {"f": pl.Float64, "ndf": pl.Int64, "ddf": pl.Float64, "p": pl.Float64}
    return pl.DataFrame([row], schema=schema, orient="row")


def covariance(models: Models) -> pl.DataFrame:
    """Tabulate Ω, the visits as text; NaN where each visit has its own model, for what two of them share."""
    visits = models.trial.coding.visits
    omega = np.full((len(visits), len(visits)), np.nan)
    if models.joint is not None:
        omega = models.joint.omega
    else:
        for j, fit in enumerate(models.fits):
            omega[j, j] = np.nan if fit is None else fit.omega[0, 0]
    names = [label(visit) for visit in visits]
    return pl.DataFrame({"visit": names} | {name: omega[:, j] for j, name in enumerate(names)})


def difference(models: Models, arm: int, visit: int) -> FloatArray:
    """Coefficients of an arm minus the control at a visit; the covariates cancel."""
    Z = np.zeros((1, len(models.trial.coding.covariates)))
    gap: FloatArray = (models.rows(arm, visit, Z) - models.rows(0, visit, Z)).ravel()
    return gap


def arm_contrast(models: Models, arm: int) -> str:
    """Name a contrast."""
    arms = models.trial.coding.arms
    return f"{label(arms[arm])} - {label(arms[0])}"

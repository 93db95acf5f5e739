"""From the logit scale of the model to mean fractions."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl
from scipy.special import expit

from il2cyto.tl._mmrm import _tables

if TYPE_CHECKING:
    from il2cyto.tl._mmrm._covariance import FloatArray
    from il2cyto.tl._mmrm._fallback import Models
    from il2cyto.tl._mmrm._fit import Fit

NODES = 20


class MeanFractions(NamedTuple):
    """Adjusted mean fractions, and each arm's difference from the control."""

    means: pl.DataFrame
    differences: pl.DataFrame


def mean_fractions(models: Models, schema: pl.Schema, *, seed: int, draws: int, level: float) -> MeanFractions:
    """Average the fraction over subjects and residuals; see :meth:`MMRMResult.mean_fractions`."""
    coding, trial = models.trial.coding, models.trial
    tails = [50 * (1 - level), 50 * (1 + level)]
    means, differences = [], []
    for j, visit in enumerate(coding.visits):
        # The first of a visit's values is the estimate, the others are the bootstrap's, on the same draws in every arm.
        values = np.stack([_averages(models, arm, j, seed=seed, draws=draws) for arm in range(len(coding.arms))])
        lows, highs = np.percentile(values[:, 1:], tails, axis=1)
        for a, arm in enumerate(coding.arms):
            n = int(np.sum((trial.arm == a) & (trial.visit == j)))
            means.append((arm, visit, n, values[a, 0], lows[a], highs[a]))
        gaps = values[1:] - values[0]
        for a, gap in enumerate(gaps, start=1):
            low, high = np.percentile(gap[1:], tails)
            differences.append((visit, _tables.arm_contrast(models, a), gap[0], low, high))
    arm_type, visit_type, real = schema["arm"], schema["visit"], pl.Float64()
    mean_schema = {"arm": arm_type, "visit": visit_type, "n": pl.Int64(), "mean": real, "ci_low": real, "ci_high": real}
    gap_schema = {"visit": visit_type, "contrast": pl.String(), "difference": real, "ci_low": real, "ci_high": real}
    means.sort(key=lambda row: coding.arms.index(row[0]))  # stable: by arm, then by visit, as the other tables
    return MeanFractions(
        pl.DataFrame(means, schema=mean_schema, orient="row"),
        pl.DataFrame(differences, schema=gap_schema, orient="row"),
    )


def _averages(models: Models, arm: int, visit: int, *, seed: int, draws: int) -> FloatArray:
    """The mean fraction with the estimates, then with each draw of them."""
    fit = models.fits[visit]
    X = models.rows(arm, visit, models.trial.subject_covariates)
    if fit is None or not fit.is_estimable(X.mean(0)):
        return np.full(draws + 1, np.nan)
    beta, sd = _draw(fit, models.position(visit), seed=seed, draws=draws)
    linear = X[:, fit.kept] @ beta.T
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    weights = weights / weights.sum()
    return sum((w * expit(linear + sd * z).mean(0) for z, w in zip(nodes, weights, strict=True)), np.zeros(draws + 1))


def _draw(fit: Fit, position: int, *, seed: int, draws: int) -> tuple[FloatArray, FloatArray]:
    """β (draws + 1 × p) and √Ω_jj (draws + 1), the estimates first."""
    normal = np.random.default_rng(seed).standard_normal((draws, len(fit.beta) + 1))
    values, vectors = np.linalg.eigh(fit.vcov)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    variance = fit.omega[position, position]
    spread = fit.omega_se[position] / variance
    beta = np.vstack([fit.beta, fit.beta + normal[:, 1:] @ root.T])
    return beta, np.sqrt(variance * np.exp(np.append(0.0, spread * normal[:, 0])))

"""Least squares for one coefficient of interest, with classical or HC3 standard errors."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from il2cyto._intervals import require_level
from il2cyto.errors import StudyError

# Residuals this small beside the values are rounding.
_EXACT = 1e-12

StandardError = Literal["HC3", "classical"]


class Coefficient(NamedTuple):
    """One coefficient of a linear model; NaN throughout where the data cannot give it."""

    estimate: float
    se: float
    df: float
    ci_low: float
    ci_high: float
    p: float


NOT_ESTIMABLE = Coefficient(*[np.nan] * 6)


def coefficient(
    y: np.ndarray, x: np.ndarray, *, column: int = 1, se: StandardError = "HC3", level: float = 0.95
) -> Coefficient:
    """Coefficient of one column of the design, (rows, columns), by least squares, with a t test on rows - columns df.

    ``HC3`` allows for unequal variances (MacKinnon and White, J Econometrics 1985;29:305), as arms of a trial have them.
    Where the columns explain every value there is an estimate and no standard error. All is NaN where the design is not of full rank, no degree of freedom is left or, with HC3, a row has leverage 1.
    """
    if se not in {"HC3", "classical"}:
        msg = f"no standard error {se!r}; allowed are 'HC3', 'classical'."
        raise StudyError(msg)
    require_level(level)
    n, k = x.shape
    if n <= k or np.linalg.matrix_rank(x) < k:
        return NOT_ESTIMABLE
    inverse = np.linalg.inv(x.T @ x)
    beta = inverse @ x.T @ y
    residual = y - x @ beta
    if np.abs(residual).max() <= _EXACT * np.abs(y).max():
        return Coefficient(float(beta[column]), np.nan, float(n - k), np.nan, np.nan, np.nan)
    if se == "classical":
        variance = inverse[column, column] * float(residual @ residual) / (n - k)
    else:
        leverage = np.einsum("ij,jk,ik->i", x, inverse, x)
        if leverage.max() > 1 - 1e-10:
            return NOT_ESTIMABLE
        scaled = (x * (residual / (1 - leverage))[:, None]) @ inverse[:, column]
        variance = float(scaled @ scaled)
    error, df = float(np.sqrt(variance)), n - k
    half = float(stdtrit(df, (1 + level) / 2)) * error
    p = float(2 * stdtr(df, -abs(beta[column]) / error)) if error > 0 else np.nan
    estimate = float(beta[column])
    return Coefficient(estimate, error, float(df), estimate - half, estimate + half, p)

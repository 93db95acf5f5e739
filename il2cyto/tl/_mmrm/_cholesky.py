"""A slower search for the unstructured Ω: quasi-Newton steps in the logarithms of its Cholesky factor.

Newton's long steps can jump over a narrow maximum onto a slope without end; these steps are short, and every one of them is a
covariance matrix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from il2cyto.tl._mmrm._reml import evaluate, score

if TYPE_CHECKING:
    from il2cyto.tl._mmrm._covariance import FloatArray
    from il2cyto.tl._mmrm._reml import Rows

# Beyond this a variance given the earlier visits has left the range in which it means anything.
_RANGE = 20.0


def search(rows: Rows, omega: FloatArray) -> FloatArray | None:
    """Follow −2ℓ_R down from Ω by BFGS; Ω where it ends, None if that is at the edge of the positive definite matrices."""
    T = len(omega)
    lower, diagonal = np.tril_indices(T), np.diag_indices(T)

    def factor(theta: FloatArray) -> FloatArray:
        L = np.zeros((T, T))
        L[lower] = theta
        L[diagonal] = np.exp(np.clip(L[diagonal], -_RANGE, _RANGE))
        return L

    def minus2l(theta: FloatArray) -> tuple[float, FloatArray]:
        L = factor(theta)
        try:
            point = evaluate(rows, L @ L.T)
        except np.linalg.LinAlgError:
            return np.inf, np.zeros_like(theta)
        slope = 2 * np.tril(score(point) @ L)
        slope[diagonal] *= L[diagonal]
        return point.minus2l, slope[lower]

    start = np.linalg.cholesky(omega)
    start[diagonal] = np.log(start[diagonal])
    with np.errstate(invalid="ignore"):  # the line search takes differences of infinite values before it turns back
        found = minimize(minus2l, start[lower], jac=True, method="BFGS", options={"gtol": 1e-4})
    steepest = float(np.abs(found.jac).max())
    return factor(found.x) @ factor(found.x).T if np.isfinite(found.fun) and steepest < 0.1 else None

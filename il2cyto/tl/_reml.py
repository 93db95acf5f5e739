"""Variance components of crossed random effects by restricted maximum likelihood."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

if TYPE_CHECKING:
    from collections.abc import Mapping

# Smallest eigenvalue of the correlations between what the components do to the data, below which they are one.
_SAME = 1e-6
_FLOOR = 1e-8


def separable(x: np.ndarray, effects: Mapping[str, np.ndarray]) -> list[str]:
    """Names of the random effects that this design can tell apart, in the order given; the residual is the first of all.

    A component is told by its kernel ZZ' after the fixed effects are projected out: it is dropped where that kernel is nothing,
    or a sum of multiples of the residual's and of those before it, as subjects' are where each was measured once.

    Parameters
    ----------
    x
        (rows, columns) fixed effects.
    effects
        Name -> (rows, levels) indicators.
    """
    q, _ = np.linalg.qr(x)
    projector = np.eye(len(x)) - q @ q.T
    kept = {"": projector}
    for name, indicators in effects.items():
        candidate = projector @ indicators
        trial = [*kept.values(), candidate]
        gram = np.array([[np.square(a.T @ b).sum() for b in trial] for a in trial])
        size = np.sqrt(gram.diagonal())
        if candidate.size and size[-1] > _SAME * size[0]:
            correlations = gram / np.outer(size, size)
            if np.linalg.eigvalsh(correlations)[0] > _SAME:
                kept[name] = candidate
    return [name for name in kept if name]


def variances(y: np.ndarray, x: np.ndarray, effects: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Estimate the variance of every random effect and of the residual by REML, none below zero.

    Source: Patterson and Thompson, Biometrika 1971;58:545; with balanced data, and no estimate at zero, it equals the analysis
    of variance. Dense matrices: time grows with the cube of the rows, about a second at 500.

    Parameters
    ----------
    y
        (rows,) values.
    x
        (rows, columns) fixed effects of full rank.
    effects
        Name -> (rows, levels) indicators, separable.

    Returns
    -------
    Name -> variance; the residual's name is ``""``. Empty where there are no degrees of freedom or the search did not end.
    """
    n, p = x.shape
    if n <= p + len(effects):
        return {}
    residual = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    scale = float(residual @ residual) / (n - p)
    if not scale > 0:
        return {}
    kernels = [np.eye(n), *(z @ z.T for z in effects.values())]
    start = np.full(len(kernels), 1 / len(kernels))
    found = minimize(
        _criterion,
        start,
        args=(y / np.sqrt(scale), x, kernels),
        jac=True,
        method="L-BFGS-B",
        bounds=[(_FLOOR, None), *([(0.0, None)] * len(effects))],
        options={"ftol": 1e-14, "gtol": 1e-8, "maxiter": 500},
    )
    inside = found.x > 2 * _FLOOR
    if np.abs(np.asarray(found.jac)[inside]).max(initial=0.0) > 1e-3:
        return {}
    estimates = np.where(inside, found.x, 0.0) * scale
    return dict(zip(["", *effects], estimates.tolist(), strict=True))


def _criterion(theta: np.ndarray, y: np.ndarray, x: np.ndarray, kernels: list[np.ndarray]) -> tuple[float, np.ndarray]:
    """Minus twice the restricted log likelihood, but for a constant, and its gradient."""
    v = np.sum([t * k for t, k in zip(theta, kernels, strict=True)], axis=0)
    factor = cho_factor(v, lower=True)
    inverse = cho_solve(factor, np.eye(len(y)))
    vx = inverse @ x
    information = cho_factor(x.T @ vx, lower=True)
    projector = inverse - vx @ cho_solve(information, vx.T)
    py = projector @ y
    log_det = 2 * (np.log(np.diag(factor[0])).sum() + np.log(np.diag(information[0])).sum())
    gradient = np.array([(projector * k).sum() - py @ k @ py for k in kernels])
    return float(log_det + y @ py), gradient

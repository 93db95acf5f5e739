"""`tl.mmrm` with `us` on small trials full of holes, against a search of one dense likelihood by scipy from random starts."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.optimize import minimize

from il2cyto import tl
from tests.tl._mmrm_data import ROLES


def sparse(
    subjects: int, visits: int, missing: float, seed: list[int], *, rho: float | None, least: float
) -> pl.DataFrame:
    """Simulated values, each visit missed with probability `missing`; Ω is AR(1) or random with a least eigenvalue."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((visits, visits))
    values, vectors = np.linalg.eigh(A @ A.T)
    values[0] = least
    lag = np.abs(np.subtract.outer(range(visits), range(visits)))
    half = vectors * np.sqrt(values) if rho is None else np.linalg.cholesky(rho**lag)
    base, arm = rng.standard_normal(subjects), rng.permutation(np.arange(subjects) % 2)
    y = rng.standard_normal((subjects, visits)) @ half.T + 0.5 * base[:, None] + 0.4 * arm[:, None]
    i, j = np.nonzero(rng.random(y.shape) >= missing)
    return pl.DataFrame({"subject": i, "week": j, "arm": arm[i], "base": base[i], "y": y[i, j]})


def oracle(frame: pl.DataFrame, starts: int) -> list[float]:
    """−2ℓ_R at the maxima inside the positive definite matrices that BFGS ends in, differences for derivatives."""
    frame = frame.sort("subject", "week")
    subject, visit, arm, base, y = (frame[name].to_numpy() for name in ("subject", "week", "arm", "base", "y"))
    T = int(visit.max()) + 1
    at = (visit[:, None] == np.arange(T)).astype(float)
    X = np.column_stack([base, at, at * arm[:, None]])
    X = X @ np.linalg.inv(np.linalg.qr(X)[1])
    # The program's X spans the same space; ln|X'V⁻¹X| needs the same columns.
    program = np.column_stack([np.ones(len(y)), base, arm, at[:, 1:], at[:, 1:] * arm[:, None]])
    shift = 2 * np.linalg.slogdet(np.linalg.qr(program)[1])[1]
    same = subject[:, None] == subject

    def spread(theta: np.ndarray) -> np.ndarray:
        L = np.zeros((T, T))
        L[np.tril_indices(T)] = theta
        L[np.diag_indices(T)] = np.exp(np.clip(np.diag(L), -15, 15))
        return L @ L.T

    def minus2l(theta: np.ndarray) -> float:
        V = np.where(same, spread(theta)[visit[:, None], visit], 0.0)
        sign, logdet = np.linalg.slogdet(V)
        if sign <= 0:
            return 1e10
        W = np.linalg.solve(V, np.column_stack([X, y]))
        XVX, XVy = X.T @ W[:, :-1], X.T @ W[:, -1]
        fit = y @ W[:, -1] - XVy @ np.linalg.solve(XVX, XVy)
        return float((len(y) - X.shape[1]) * np.log(2 * np.pi) + logdet + np.linalg.slogdet(XVX)[1] + shift + fit)

    residual = y - X @ (X.T @ y)
    half = np.linalg.cholesky(np.full((T, T), 0.5) + 0.5 * np.eye(T)) * np.sqrt(residual @ residual / len(y))
    half[np.diag_indices(T)] = np.log(np.diag(half))
    rng, found = np.random.default_rng(0), []
    for _ in range(starts):
        theta = half[np.tril_indices(T)] + 0.2 * rng.standard_normal(T * (T + 1) // 2)
        end = minimize(minus2l, theta, method="BFGS", options={"gtol": 1e-4, "maxiter": 300})
        omega = spread(end.x)
        sd = np.sqrt(np.diag(omega))
        if np.abs(end.jac).max() < 1e-2 and np.linalg.eigvalsh(omega / np.outer(sd, sd))[0] > 1e-5:
            found.append(float(end.fun))
    return found


@pytest.mark.parametrize(
    ("subjects", "visits", "missing", "seed", "rho", "least"),
    [
        # The first three have maxima that a single Newton climb does not find, or not the highest of.
        (12, 3, 0.3, [12, 3, 12, 7], None, 0.05),
        (12, 4, 0.2, [12, 4, 12, 7], None, 0.05),
        (16, 4, 0.35, [16, 4, 12, 7], None, 0.05),
        (10, 4, 0.1, [10, 4, 3], 0.6, 0.3),
    ],
)
def test_the_likelihood_is_as_high_as_that_of_a_search_from_random_starts(
    subjects: int, visits: int, missing: float, seed: list[int], rho: float | None, least: float
) -> None:
    frame = sparse(subjects, visits, missing, seed, rho=rho, least=least)
    maxima = oracle(frame, starts=3)

    result = tl.mmrm(frame, **ROLES, covariates=["base"])

    assert maxima
    assert result.diagnostics.covariance == "us"
    assert result.loglik >= -min(maxima) / 2 - 1e-4


def test_a_likelihood_that_rises_without_end_is_no_maximum_and_said_so() -> None:
    frame = sparse(12, 4, 0.45, [5], rho=0.6, least=0.3)

    result = tl.mmrm(frame, **ROLES, covariates=["base"])

    assert not oracle(frame, starts=2)
    failure = result.diagnostics.fallback[0]
    assert failure.covariance == "us"
    assert failure.reason.endswith(", from each of 5 starts")
    assert result.diagnostics.covariance != "us"

"""Restricted likelihood of y = Xβ + ε, ε_i ~ N(0, V_i), with its derivatives in Ω, and its maximum.

V_i holds the rows and columns of Ω at which subject i was seen. Subjects who were seen at the same visits share V, so all
sums over subjects are taken once, as moments of a missingness pattern, and no step of the fit visits a subject again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from il2cyto.tl._mmrm._covariance import FloatArray, Structure

MAX_ITERATIONS = 200
MAX_HALVINGS = 40
# Distance to the maximum in standard errors of φ: where the iteration stops, and what still counts as converged.
STOP, TOLERANCE = 1e-9, 1e-4
# A visit that is a linear combination of others to this relative precision leaves Ω singular.
SINGULAR = 1e-12


@dataclass(frozen=True)
class Moments:
    """Σ_i z_a z_b' of z = (x, y) for visits a and b, per missingness pattern.

    Parameters
    ----------
    seen
        Patterns × T.
    n
        Subjects of each pattern.
    S
        Patterns × T × T × (p+1) × (p+1).
    """

    seen: NDArray[np.bool_]
    n: NDArray[np.int64]
    S: FloatArray

    @property
    def p(self) -> int:
        return self.S.shape[-1] - 1

    @property
    def N(self) -> int:
        return int((self.n[:, None] * self.seen).sum())


def gather(X: FloatArray, y: FloatArray, subject: NDArray[np.int64], visit: NDArray[np.int64], T: int) -> Moments:
    """Sum the rows of X and y (N) over subjects with the same visits; `subject` and `visit` are codes from 0."""
    q, subjects = X.shape[1] + 1, int(subject.max()) + 1
    cube, seen_by = np.zeros((subjects, T, q)), np.zeros((subjects, T), bool)
    cube[subject, visit] = np.column_stack([X, y])
    seen_by[subject, visit] = True
    seen, pattern, n = np.unique(seen_by, axis=0, return_inverse=True, return_counts=True)
    S = np.empty((len(seen), T, T, q, q))
    for k in range(len(seen)):
        flat = cube[pattern.ravel() == k].reshape(-1, T * q)
        S[k] = (flat.T @ flat).reshape(T, q, T, q).transpose(0, 2, 1, 3)
    return Moments(seen, n, S)


@dataclass(frozen=True)
class Point:
    """−2ℓ_R at one Ω, without the constant (N−p) ln 2π, and what its derivatives need."""

    minus2l: float
    beta: FloatArray
    Phi: FloatArray
    Vinv: FloatArray  # patterns × T × T, zero where a visit is missing

    @property
    def gamma(self) -> FloatArray:
        """What takes (X, y) to the residuals r = y − Xβ."""
        return np.append(-self.beta, 1.0)


def evaluate(moments: Moments, omega: FloatArray) -> Point:
    """Profile β out; raises LinAlgError where Ω is not positive definite."""
    scale = np.sqrt(np.maximum(np.diag(omega), np.finfo(float).tiny))
    if np.diag(np.linalg.cholesky(omega / np.outer(scale, scale))).min() ** 2 < SINGULAR:
        msg = "Ω is singular"
        raise np.linalg.LinAlgError(msg)
    pair = moments.seen[:, :, None] & moments.seen[:, None, :]
    L = np.linalg.cholesky(np.where(pair, omega, np.eye(len(omega))))
    half = np.linalg.inv(L)
    Vinv = np.where(pair, half.transpose(0, 2, 1) @ half, 0.0)
    ZVZ = np.tensordot(Vinv, moments.S, 3)
    XVX, XVy, yVy = ZVZ[:-1, :-1], ZVZ[:-1, -1], ZVZ[-1, -1]
    half_X = np.linalg.inv(np.linalg.cholesky(XVX))
    Phi = half_X.T @ half_X
    beta = Phi @ XVy
    logdet_V = 2 * float(moments.n @ np.log(np.diagonal(L, axis1=1, axis2=2)).sum(1))
    logdet_X = -2 * float(np.log(np.diag(half_X)).sum())
    return Point(logdet_V + logdet_X + float(yVy - XVy @ beta), beta, Phi, Vinv)


@dataclass(frozen=True)
class Derivatives:
    """Of −2ℓ_R in φ: gradient (d), observed and expected Hessian (d × d), and P_k = ∂(X'V⁻¹X)/∂φ_k (d × p × p)."""

    gradient: FloatArray
    observed: FloatArray
    expected: FloatArray
    P: FloatArray


def differentiate(moments: Moments, point: Point, structure: Structure, phi: FloatArray) -> Derivatives:
    """Derive −2ℓ_R in φ once and twice."""
    D, Vinv, Phi = structure.jacobian(phi), point.Vinv, point.Phi
    r = np.outer(point.gamma, point.gamma)
    by_X = Vinv @ np.tensordot(moments.S[..., :-1, :-1], Phi, 2) @ Vinv  # V⁻¹XΦX'V⁻¹, summed over a pattern's subjects
    by_r = Vinv @ np.tensordot(moments.S, r, 2) @ Vinv  # V⁻¹rr'V⁻¹
    by_V = moments.n[:, None, None] * Vinv
    G = (by_V - by_X - by_r).sum(0)

    M = np.tensordot(D, _outer_products(Vinv, moments.S), 2)
    P, u = -M[:, :-1, :-1], M[:, :-1] @ point.gamma
    PhiP = Phi @ P
    expected = _sandwich(D, Vinv, by_V - 2 * by_X) + np.einsum("kij,lji->kl", PhiP, PhiP)
    observed = 2 * (_sandwich(D, Vinv, by_r) - u @ Phi @ u.T) - expected
    curvature = structure.curvature(phi)
    if curvature is not None:
        observed = observed + np.tensordot(curvature, G, 2)
    return Derivatives(np.tensordot(D, G, 2), observed, expected, P)


def _outer_products(Vinv: FloatArray, S: FloatArray) -> FloatArray:
    """Σ (V⁻¹z)_a (V⁻¹z)_d' over all subjects, T × T × (p+1) × (p+1)."""
    patterns, T, _, q, _ = S.shape
    left = (Vinv @ S.reshape(patterns, T, -1)).reshape(patterns, T, T, q * q)
    total: FloatArray = (Vinv[:, None] @ left).sum(0)
    return total.reshape(T, T, q, q)


def _sandwich(D: FloatArray, Vinv: FloatArray, N: FloatArray) -> FloatArray:
    """Σ_patterns tr(G_k V⁻¹ G_l N) for all k and l."""
    patterns, T, _ = Vinv.shape
    pairs = Vinv.reshape(patterns, -1).T @ N.reshape(patterns, -1)  # (b, c) × (a, d)
    pairs = pairs.reshape(T, T, T, T).transpose(2, 0, 1, 3).reshape(T * T, T * T)
    flat = D.reshape(len(D), -1)
    return flat @ pairs @ flat.T


@dataclass(frozen=True)
class Maximum:
    """Where the iteration ended: `distance` from the maximum in standard errors, and the `problem` if it is none."""

    phi: FloatArray
    point: Point
    derivatives: Derivatives
    distance: float
    iterations: int
    problem: str | None


def maximise(moments: Moments, structure: Structure, start: FloatArray) -> Maximum:
    """Climb ℓ_R by Newton steps where it is concave, by Fisher scoring elsewhere, halving steps that do not climb.

    Fisher scoring in variances and covariances is not disturbed by the units or the correlation of the visits: with complete
    data it reaches the maximum in one step from anywhere.
    """
    phi, point, distance = start, evaluate(moments, structure.omega(start)), np.inf
    problem: str | None = f"no maximum within {MAX_ITERATIONS} iterations"
    iteration = 0
    for iteration in range(1, MAX_ITERATIONS + 1):
        d = differentiate(moments, point, structure, phi)
        concave = is_positive_definite(d.observed)
        if not concave and not is_positive_definite(d.expected):
            problem = "the data do not identify every variance and correlation: the information matrix is singular"
            break
        step = -np.linalg.solve(d.observed if concave else d.expected, d.gradient)
        before, distance = distance, float(np.sqrt(np.abs(d.gradient @ step) / 2))
        # Close to the maximum the likelihood is flat to rounding, and only the steps' shrinking shows progress.
        if distance < STOP or (before < TOLERANCE and distance > before / 2):
            problem = None if concave else "the Hessian is not positive definite where the gradient vanishes"
            break
        moved = _climb(moments, structure, phi, point, step, must_rise=distance > TOLERANCE)
        if moved is None:
            problem = "Ω became singular on the way to the maximum"
            break
        phi, point = moved
    return Maximum(phi, point, d, distance, iteration, problem)


def _climb(
    moments: Moments, structure: Structure, phi: FloatArray, point: Point, step: FloatArray, *, must_rise: bool
) -> tuple[FloatArray, Point] | None:
    """Take the longest of the step, its half, its quarter, ... that raises the likelihood."""
    for halving in range(MAX_HALVINGS):
        there = phi + step * 0.5**halving
        try:
            candidate = evaluate(moments, structure.omega(there))
        except np.linalg.LinAlgError:
            continue
        if candidate.minus2l < point.minus2l or not must_rise:
            return there, candidate
    return None


def is_positive_definite(matrix: FloatArray) -> bool:
    """Judge by the correlation form, which does not depend on units."""
    variance = np.diag(matrix)
    if not np.isfinite(matrix).all() or variance.min() <= 0:
        return False
    scale = np.sqrt(variance)
    return bool(np.linalg.eigvalsh(matrix / np.outer(scale, scale))[0] > SINGULAR)

"""Restricted likelihood of y = Xβ + ε, ε_i ~ N(0, V_i), with its derivatives in Ω, and its maximum.

V_i holds the rows and columns of Ω at which subject i was seen, padded with zeros to T × T once it is inverted. Subjects who
were seen at the same visits share it: it is factored once per missingness pattern, and no step visits subjects one by one.
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
# Largest part of the variance in any direction that one step may take away.
FLATTEN = 0.5
# Curvature, relative to that expected, below which a direction counts as flat and gets a step of limited length.
LEAST_CURVATURE = 0.1
# Distance to the maximum in standard errors of φ: where the iteration stops, and what still counts as converged.
STOP, TOLERANCE = 1e-9, 1e-4
# A visit that is a linear combination of others to this relative precision leaves Ω singular.
SINGULAR = 1e-12


@dataclass(frozen=True)
class Rows:
    """The rows of (X, y), arranged by subject and visit.

    Parameters
    ----------
    Z
        Subjects × T × (p+1), zero where a visit is missing.
    patterns
        The distinct sets of visits seen, patterns × T.
    pattern
        Which of them each subject has.
    """

    Z: FloatArray
    patterns: NDArray[np.bool_]
    pattern: NDArray[np.int64]


def arrange(X: FloatArray, y: FloatArray, subject: NDArray[np.int64], visit: NDArray[np.int64], T: int) -> Rows:
    """Arrange the rows of X and y (N); `subject` and `visit` are codes from 0."""
    subjects = int(subject.max()) + 1
    Z, seen = np.zeros((subjects, T, X.shape[1] + 1)), np.zeros((subjects, T), bool)
    Z[subject, visit] = np.column_stack([X, y])
    seen[subject, visit] = True
    patterns, pattern = np.unique(seen, axis=0, return_inverse=True)
    return Rows(Z, patterns, pattern.ravel())


@dataclass(frozen=True)
class Point:
    """−2ℓ_R at one Ω, without the constant (N−p) ln 2π, and what its derivatives need."""

    minus2l: float
    beta: FloatArray
    Phi: FloatArray
    Vinv: FloatArray  # subjects × T × T, zero where a visit is missing
    U: FloatArray  # V⁻¹(X, y), subjects × T × (p+1)

    @property
    def VinvX(self) -> FloatArray:
        """V⁻¹X, subjects × T × p."""
        return self.U[..., :-1]

    @property
    def Vinvr(self) -> FloatArray:
        """V⁻¹(y − Xβ), subjects × T."""
        return self.U[..., -1] - self.VinvX @ self.beta


def evaluate(rows: Rows, omega: FloatArray) -> Point:
    """Profile β out; raises LinAlgError where Ω is not positive definite."""
    scale = np.sqrt(np.diag(omega)) if np.diag(omega).min() > 0 else np.ones(len(omega))
    if np.diag(np.linalg.cholesky(omega / np.outer(scale, scale))).min() ** 2 < SINGULAR:
        msg = "Ω is singular"
        raise np.linalg.LinAlgError(msg)
    pair = rows.patterns[:, :, None] & rows.patterns[:, None, :]
    L = np.linalg.cholesky(np.where(pair, omega, np.eye(len(omega))))
    half = np.linalg.inv(L)
    Vinv = np.where(pair, half.transpose(0, 2, 1) @ half, 0.0)[rows.pattern]
    logdet_V = 2 * np.log(np.diagonal(L, axis1=1, axis2=2)).sum(1)[rows.pattern].sum()
    U = Vinv @ rows.Z
    ZVZ = np.tensordot(rows.Z, U, ((0, 1), (0, 1)))
    XVX, XVy, yVy = ZVZ[:-1, :-1], ZVZ[:-1, -1], ZVZ[-1, -1]
    half_X = np.linalg.inv(np.linalg.cholesky(XVX))
    Phi = half_X.T @ half_X
    beta = Phi @ XVy
    logdet_X = -2 * np.log(np.diag(half_X)).sum()
    return Point(float(logdet_V + logdet_X + yVy - XVy @ beta), beta, Phi, Vinv, U)


def score(point: Point) -> FloatArray:
    """Derive −2ℓ_R in every entry of Ω, T × T: Σ_i V⁻¹ − V⁻¹XΦX'V⁻¹ − V⁻¹rr'V⁻¹."""
    X, r = point.VinvX, point.Vinvr
    by_X = np.tensordot(X @ point.Phi, X, ((0, 2), (0, 2)))
    return np.asarray(point.Vinv.sum(0) - by_X - r.T @ r)


@dataclass(frozen=True)
class Derivatives:
    """Of −2ℓ_R in φ: gradient (d), observed and expected Hessian (d × d), and P_k = ∂(X'V⁻¹X)/∂φ_k (d × p × p)."""

    gradient: FloatArray
    observed: FloatArray
    expected: FloatArray
    P: FloatArray


def differentiate(point: Point, structure: Structure, phi: FloatArray) -> Derivatives:
    """Derive −2ℓ_R in φ once and twice."""
    D, Vinv, Phi, X, r = structure.jacobian(phi), point.Vinv, point.Phi, point.VinvX, point.Vinvr
    by_X = X @ Phi @ X.transpose(0, 2, 1)  # V⁻¹XΦX'V⁻¹
    by_r = r[:, :, None] * r[:, None, :]  # V⁻¹rr'V⁻¹
    G = score(point)

    P = -np.tensordot(D, np.tensordot(X, X, (0, 0)).transpose(0, 2, 1, 3), 2)
    u = np.tensordot(D, np.tensordot(X, r, (0, 0)).transpose(0, 2, 1), 2)  # X'V⁻¹G_kV⁻¹r
    PhiP = Phi @ P
    expected = _sandwich(D, Vinv, Vinv - 2 * by_X) + np.einsum("kij,lji->kl", PhiP, PhiP)
    observed = 2 * (_sandwich(D, Vinv, by_r) - u @ Phi @ u.T) - expected
    curvature = structure.curvature(phi)
    if curvature is not None:
        observed = observed + np.tensordot(curvature, G, 2)
    return Derivatives(np.tensordot(D, G, 2), observed, expected, P)


def _sandwich(D: FloatArray, Vinv: FloatArray, N: FloatArray) -> FloatArray:
    """Σ_i tr(G_k V⁻¹ G_l N) for all k and l."""
    T = Vinv.shape[1]
    pairs = np.tensordot(Vinv, N, (0, 0)).transpose(2, 0, 1, 3)  # (b, c, a, d) to (a, b, c, d)
    flat = D.reshape(len(D), T * T)
    return flat @ pairs.reshape(T * T, T * T) @ flat.T


@dataclass(frozen=True)
class Maximum:
    """Where an iteration ended: `distance` from the maximum in standard errors of φ."""

    structure: Structure
    phi: FloatArray
    point: Point
    derivatives: Derivatives
    distance: float
    iterations: int


def ascend(rows: Rows, structure: Structure, phi: FloatArray) -> Maximum | str:
    """Climb ℓ_R by Newton steps where it is concave, by steps turned uphill elsewhere, halving those that do not climb.

    Steps in variances and covariances, measured by the expected information, are not disturbed by the units or the correlation of
    the visits.
    """
    try:
        point, distance = evaluate(rows, structure.omega(phi)), np.inf
        for iteration in range(1, MAX_ITERATIONS + 1):
            structure, phi = structure.recentred(phi)
            d = differentiate(point, structure, phi)
            concave = is_positive_definite(d.observed)
            if not concave and not is_positive_definite(d.expected):
                return "the data do not identify every variance and correlation: the information matrix is singular"
            step = -np.linalg.solve(d.observed, d.gradient) if concave else _uphill(d)
            before, distance = distance, float(np.sqrt(np.abs(d.gradient @ step) / 2))
            # Close to the maximum the likelihood is flat to rounding, and only the steps' shrinking shows progress.
            if distance < STOP or (before < TOLERANCE and distance > before / 2):
                if concave:
                    return Maximum(structure, phi, point, d, distance, iteration)
                return "the Hessian is not positive definite where the gradient vanishes"
            moved = _climb(rows, structure, phi, point, step, must_rise=distance > TOLERANCE)
            if moved is None:
                return "Ω became singular on the way to the maximum"
            phi, point = moved
    except np.linalg.LinAlgError:
        return "variances of the visits differ by more orders of magnitude than the arithmetic has digits for"
    return f"no maximum within {MAX_ITERATIONS} iterations"


def _uphill(d: Derivatives) -> FloatArray:
    """Take Newton's step with the directions turned round in which the likelihood is not concave.

    Source: Dauphin et al., NeurIPS 2014, with curvature relative to the expected information: for complete data near the maximum,
    where the two agree, it is Fisher's scoring.
    """
    half = np.linalg.inv(np.linalg.cholesky(d.expected))
    curvature, directions = np.linalg.eigh(half @ d.observed @ half.T)
    slopes = directions.T @ half @ d.gradient
    return np.asarray(-half.T @ directions @ (slopes / np.maximum(np.abs(curvature), LEAST_CURVATURE)))


def _climb(
    rows: Rows, structure: Structure, phi: FloatArray, point: Point, step: FloatArray, *, must_rise: bool
) -> tuple[FloatArray, Point] | None:
    """Take the longest of the step, its half, its quarter, ... that raises the likelihood.

    A step that would all but flatten Ω in some direction is shortened first: from there the way back is long.
    """
    half = np.linalg.inv(np.linalg.cholesky(structure.omega(phi)))
    change = half @ np.tensordot(step, structure.jacobian(phi), 1) @ half.T
    longest = min(1.0, FLATTEN / max(-float(np.linalg.eigvalsh(change)[0]), FLATTEN))
    for halving in range(MAX_HALVINGS):
        there = phi + step * longest * 0.5**halving
        try:
            candidate = evaluate(rows, structure.omega(there))
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

"""Degrees of freedom: Satterthwaite's, and Kenward and Roger's with their adjusted covariance of β̂.

Sources: Giesbrecht and Burns (1985), Fai and Cornelius (1996) for Satterthwaite with several rows; Kenward and Roger,
Biometrics 53:983 (1997); Halekoh and Højsgaard, J Stat Softw 59(9) (2014) for the guards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from il2cyto.tl._mmrm._covariance import FloatArray
    from il2cyto.tl._mmrm._reml import Maximum, Point

Ddf = Literal["kenward-roger", "satterthwaite"]


class FTest(NamedTuple):
    """F on ndf and ddf degrees of freedom; Kenward and Roger's F is scaled by λ, which is 1 for Satterthwaite."""

    f: float
    ndf: int
    ddf: float
    scale: float


@dataclass(frozen=True)
class Satterthwaite:
    """Parameters.

    Parameters
    ----------
    Phi
        Covariance of β̂, p × p.
    P
        ∂Φ⁻¹/∂φ_k, d × p × p.
    A
        Covariance of φ̂: the inverse Hessian of −ℓ_R, d × d.
    """

    Phi: FloatArray
    P: FloatArray
    A: FloatArray

    @property
    def vcov(self) -> FloatArray:
        """Φ as REML gives it; only Kenward and Roger adjust it."""
        return self.Phi

    def df(self, c: FloatArray) -> float:
        """Degrees of freedom of c'β̂."""
        Phic = self.Phi @ c
        g = -(self.P @ Phic) @ Phic
        return float(2 * (c @ Phic) ** 2 / (g @ self.A @ g))

    def f(self, L: FloatArray, beta: FloatArray) -> FTest:
        """Test Lβ = 0, where L has full row rank."""
        q = len(L)
        variances, vectors = np.linalg.eigh(L @ self.Phi @ L.T)
        rows = vectors.T @ L
        F = float(np.mean((rows @ beta) ** 2 / variances))
        nu = np.array([self.df(row) for row in rows])
        if q == 1:
            return FTest(F, 1, float(nu[0]), 1.0)
        if (nu <= 2).any():
            return FTest(F, q, 2.0, 1.0)
        E = float(np.sum(nu / (nu - 2)))
        return FTest(F, q, 2 * E / (E - q), 1.0)


@dataclass(frozen=True)
class KenwardRoger:
    """Parameters.

    Parameters
    ----------
    Phi, P
        As for Satterthwaite.
    W
        Covariance of φ̂: the inverse of the expected information, d × d.
    vcov
        Φ_A, the covariance of β̂ adjusted for the estimation of Ω.
    """

    Phi: FloatArray
    P: FloatArray
    W: FloatArray
    vcov: FloatArray

    def df(self, c: FloatArray) -> float:
        """Degrees of freedom of c'β̂."""
        Phic = self.Phi @ c
        z = (self.P @ Phic) @ Phic / (c @ Phic)
        return float(2 / (z @ self.W @ z))

    def f(self, L: FloatArray, beta: FloatArray) -> FTest:
        """Test Lβ = 0, where L has full row rank."""
        q = len(L)
        Theta = L.T @ np.linalg.solve(L @ self.Phi @ L.T, L)
        M = Theta @ self.Phi @ self.P @ self.Phi
        trace = np.trace(M, axis1=1, axis2=2)
        A1 = float(trace @ self.W @ trace)
        A2 = float(np.sum(self.W * np.einsum("kij,lji->kl", M, M)))
        m, scale = _scaled_f(q, A1, A2)
        Lb = L @ beta
        F = scale / q * float(Lb @ np.linalg.solve(L @ self.vcov @ L.T, Lb))
        return FTest(F, q, m, scale)


def _scaled_f(q: int, A1: float, A2: float) -> tuple[float, float]:
    """Match the first two moments of λF to those of an F distribution: its denominator df m, and λ."""
    B = (A1 + 6 * A2) / (2 * q)
    g = ((q + 1) * A1 - (q + 4) * A2) / ((q + 2) * A2)
    d = 3 * q + 2 * (1 - g)
    c1, c2, c3 = g / d, (q - g) / d, (q + 2 - g) / d
    E = 1 / (1 - A2 / q)
    numerator = 1 + c1 * B
    V = 2 / q * (0.0 if abs(numerator) < 1e-10 else numerator) / ((1 - c2 * B) ** 2 * (1 - c3 * B))
    kappa = V / (2 * E**2)
    m = 4 + (q + 2) / (q * kappa - 1)
    return m, 1.0 if abs(m - 2) < 0.01 else m / (E * (m - 2))


def make_inference(method: Ddf, maximum: Maximum) -> Satterthwaite | KenwardRoger:
    """Prepare the tests of β at the maximum."""
    Phi, P = maximum.point.Phi, maximum.derivatives.P
    # The derivatives are those of −2ℓ_R: half of them is the information.
    if method == "satterthwaite":
        return Satterthwaite(Phi, P, 2 * np.linalg.inv(maximum.derivatives.observed))
    W = 2 * np.linalg.inv(maximum.derivatives.expected)
    WQ = _weighted_Q(maximum.point, maximum.structure.jacobian(maximum.phi), W)
    WPP = np.einsum("kij,jl,kln->in", P, Phi, np.tensordot(W, P, 1), optimize=True)
    return KenwardRoger(Phi, P, W, Phi + 2 * Phi @ (WQ - WPP) @ Phi)


def _weighted_Q(point: Point, D: FloatArray, W: FloatArray) -> FloatArray:
    """Σ_kl W_kl Q_kl, with Q_kl = Σ_i X'V⁻¹G_kV⁻¹G_lV⁻¹X, without forming the d² matrices."""
    weights = np.einsum("kab,kcd->bcad", D, np.tensordot(W, D, 1))
    middle = np.tensordot(point.Vinv, weights, 2)  # Σ_kl W_kl G_kV⁻¹G_l, subjects × T × T
    return np.tensordot(point.VinvX, middle @ point.VinvX, ((0, 1), (0, 1)))

"""Structures of Ω, the covariance of one subject's visits, in parameters φ that are variances and correlations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from il2cyto.tl._mmrm._correlations import START_CORRELATIONS, AnteDependent, Banded, Correlated, lag_bands

FloatArray = NDArray[np.floating[Any]]
Covariance = Literal["us", "toeph", "toep", "adh", "ad", "ar1", "cs"]
COVARIANCES: Final[tuple[Covariance, ...]] = get_args(Covariance)
#: Where Ω is linear in its parameters, which the correction of Kenward and Roger supposes.
LINEAR: Final[tuple[Covariance, ...]] = ("us", "toep", "cs")


class Structure(Protocol):
    """How Ω (T × T) depends on its parameters φ (d)."""

    def recentred(self, phi: FloatArray) -> tuple[Structure, FloatArray]:
        """Express the same Ω in the parameters in which steps from here are best conditioned."""

    def starts(self, sd: FloatArray) -> list[FloatArray]:
        """Guess φ from the standard deviation at each visit, the likeliest first."""

    def omega(self, phi: FloatArray) -> FloatArray:
        """Ω, T × T."""

    def jacobian(self, phi: FloatArray) -> FloatArray:
        """∂Ω/∂φ_k, d × T × T."""

    def curvature(self, phi: FloatArray) -> FloatArray | None:
        """∂²Ω/∂φ_k∂φ_l, d × d × T × T; None where Ω is linear in φ."""


@dataclass(frozen=True)
class Unstructured:
    """Every variance and covariance is a parameter: Ω = L Σ_k φ_k G_k L', with G_k the symmetric unit matrices.

    Ω is linear in φ whatever L is, so tests do not depend on it. With L the Cholesky factor of Ω, visits that are nearly
    combinations of one another are as easy to move as any.
    """

    L: FloatArray

    @property
    def T(self) -> int:
        """Number of visits."""
        return len(self.L)

    def recentred(self, phi: FloatArray) -> tuple[Unstructured, FloatArray]:
        """Take the Cholesky factor of Ω for L; φ is then that of the unit matrix."""
        L = np.linalg.cholesky(self.omega(phi))
        return Unstructured(L), np.eye(self.T)[np.tril_indices(self.T)]

    def starts(self, sd: FloatArray) -> list[FloatArray]:
        """Guess the same correlation between all visits, and one that falls with their distance."""
        lag = np.abs(np.subtract.outer(np.arange(self.T), np.arange(self.T)))
        exchangeable = [np.where(lag == 0, 1.0, rho) for rho in START_CORRELATIONS]
        fading = [rho**lag for rho in START_CORRELATIONS if rho]
        half = np.linalg.inv(self.L) * sd
        return [(half @ correlation @ half.T)[np.tril_indices(self.T)] for correlation in (*exchangeable, *fading)]

    def omega(self, phi: FloatArray) -> FloatArray:
        """L Σ_k φ_k G_k L', T × T."""
        return np.tensordot(phi, self.jacobian(phi), 1)

    def jacobian(self, phi: FloatArray) -> FloatArray:
        """L G_k L', the same at every φ."""
        rows, columns = np.tril_indices(self.T)
        G = np.zeros((len(phi), self.T, self.T))
        k = np.arange(len(phi))
        G[k, rows, columns] = G[k, columns, rows] = 1.0
        return self.L @ G @ self.L.T

    def curvature(self, phi: FloatArray) -> None:
        """None: Ω is linear in φ."""
        return None


@dataclass(frozen=True)
class CompoundSymmetry:
    """One variance and one correlation: Ω = φ_1 I + φ_2 J, where φ_2 may be negative."""

    T: int

    def recentred(self, phi: FloatArray) -> tuple[CompoundSymmetry, FloatArray]:
        """Two parameters need no better coordinates."""
        return self, phi

    def starts(self, sd: FloatArray) -> list[FloatArray]:
        """Split the mean variance at the guessed correlations."""
        variance = float(np.mean(sd**2))
        return [variance * np.array([1 - rho, rho]) for rho in START_CORRELATIONS]

    def omega(self, phi: FloatArray) -> FloatArray:
        """φ_1 + φ_2 on the diagonal, φ_2 off it."""
        return np.tensordot(phi, self.jacobian(phi), 1)

    def jacobian(self, phi: FloatArray) -> FloatArray:
        """I and J, the same at every φ."""
        return np.stack([np.eye(self.T), np.ones((self.T, self.T))])

    def curvature(self, phi: FloatArray) -> None:
        """None: Ω is linear in φ."""
        return None


@dataclass(frozen=True)
class Autoregressive:
    """Correlation falls with the distance of visits in the list, not in weeks: Ω_jk = φ_1 φ_2^|j−k|."""

    T: int

    def recentred(self, phi: FloatArray) -> tuple[Autoregressive, FloatArray]:
        """Two parameters need no better coordinates."""
        return self, phi

    @property
    def lag(self) -> FloatArray:
        """|j−k|, T × T."""
        position = np.arange(self.T, dtype=float)
        return np.abs(position[:, None] - position)

    def starts(self, sd: FloatArray) -> list[FloatArray]:
        """Guess the mean variance and neighbours' correlations of either sign."""
        variance = float(np.mean(sd**2))
        return [np.array([variance, sign * rho]) for rho in START_CORRELATIONS for sign in ((1, -1) if rho else (1,))]

    def omega(self, phi: FloatArray) -> FloatArray:
        """φ_1 φ_2^|j−k|, T × T."""
        correlation: FloatArray = phi[1] ** self.lag
        return float(phi[0]) * correlation

    def jacobian(self, phi: FloatArray) -> FloatArray:
        """φ_2^|j−k| and φ_1 |j−k| φ_2^(|j−k|−1)."""
        return np.stack([phi[1] ** self.lag, phi[0] * self._power(phi[1], 1)])

    def curvature(self, phi: FloatArray) -> FloatArray:
        """Zero twice in φ_1."""
        mixed = self._power(phi[1], 1)
        return np.array([[np.zeros_like(mixed), mixed], [mixed, phi[0] * self._power(phi[1], 2)]])

    def _power(self, rho: float, order: int) -> FloatArray:
        """Derive ρ^lag once or twice; no negative power is formed, which ρ = 0 would not survive."""
        factor = self.lag if order == 1 else self.lag * (self.lag - 1)
        power: FloatArray = rho ** np.maximum(self.lag - order, 0.0)
        return factor * power


@dataclass(frozen=True)
class Toeplitz:
    """One variance and one covariance for each distance of two visits in the list: Ω_jk = φ_|j−k|."""

    T: int

    def recentred(self, phi: FloatArray) -> tuple[Toeplitz, FloatArray]:
        """Bands overlap little enough."""
        return self, phi

    def starts(self, sd: FloatArray) -> list[FloatArray]:
        """Guess the mean variance, and correlations that stay or fall with the distance."""
        variance, lag = float(np.mean(sd**2)), np.arange(self.T)
        alike = [np.where(lag == 0, 1.0, rho) for rho in START_CORRELATIONS]
        return [variance * band for band in (*alike, *(rho**lag for rho in START_CORRELATIONS if rho))]

    def omega(self, phi: FloatArray) -> FloatArray:
        """φ_|j−k|, T × T."""
        return np.tensordot(phi, self.jacobian(phi), 1)

    def jacobian(self, phi: FloatArray) -> FloatArray:
        """Bands of ones, the same at every φ."""
        return lag_bands(self.T)

    def curvature(self, phi: FloatArray) -> None:
        """None: Ω is linear in φ."""
        return None


def make_structure(name: Covariance, T: int) -> Structure:
    """Make the named structure for T visits; with one visit all of them are one variance."""
    if T == 1 or name == "us":
        return Unstructured(np.eye(T))
    structures: dict[Covariance, Structure] = {
        "toep": Toeplitz(T),
        "toeph": Correlated(Banded(T), heterogeneous=True),
        "ad": Correlated(AnteDependent(T), heterogeneous=False),
        "adh": Correlated(AnteDependent(T), heterogeneous=True),
        "ar1": Autoregressive(T),
        "cs": CompoundSymmetry(T),
    }
    return structures[name]

"""Structures of Ω that are standard deviations and patterned correlations: Ω_jk = exp(λ_j + λ_k) R_jk(ρ)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.floating[Any]]

# With holes the likelihood can have several maxima, and none that is reached from everywhere.
START_CORRELATIONS = (0.5, 0.0, 0.8)


class Correlations(Protocol):
    """How the correlation of visits R (T × T) depends on its parameters ρ, with first and second derivatives."""

    @property
    def T(self) -> int:
        """Number of visits."""

    def guess(self, rho: float) -> FloatArray:
        """Give the parameters where neighbours correlate by `rho`."""

    def derive(self, rho: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """R (T × T), ∂R (d × T × T) and ∂²R (d × d × T × T)."""


@dataclass(frozen=True)
class Banded:
    """One correlation for each distance of two visits in the list: R_jk = ρ_|j−k|."""

    T: int

    def guess(self, rho: float) -> FloatArray:
        """Let it fall with the distance."""
        return np.asarray(rho ** np.arange(1.0, self.T))

    def derive(self, rho: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """R is linear in ρ."""
        bands = lag_bands(self.T)
        return np.eye(self.T) + np.tensordot(rho, bands[1:], 1), bands[1:], np.zeros((self.T - 1,) * 2 + (self.T,) * 2)


@dataclass(frozen=True)
class AnteDependent:
    """One correlation for each pair of neighbours, whose product is that of visits further apart: R_jk = ρ_j ⋯ ρ_(k−1)."""

    T: int

    def guess(self, rho: float) -> FloatArray:
        """Let all neighbours correlate alike."""
        return np.full(self.T - 1, rho)

    def derive(self, rho: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Leave one factor out, or two; nothing is divided, which ρ = 0 would not survive."""
        j, k, m = np.ogrid[: self.T, : self.T, : self.T - 1]
        between = (np.minimum(j, k) <= m) & (m < np.maximum(j, k))  # T × T × d: is ρ_m a factor of R_jk
        one = np.eye(self.T - 1, dtype=bool)
        two = one[:, None] | one[None]

        def product(without: np.ndarray) -> FloatArray:
            return np.asarray(np.where(between & ~without, rho, 1.0).prod(-1))

        by_one = between.transpose(2, 0, 1).astype(float)
        first = by_one * np.stack([product(leave) for leave in one])
        both = by_one[:, None] * by_one[None] * ~one[:, :, None, None]
        second = both * np.stack([np.stack([product(leave) for leave in row]) for row in two])
        return product(np.zeros(self.T - 1, bool)), first, second


@dataclass(frozen=True)
class Correlated:
    """Ω = exp(λ_j + λ_k) R_jk(ρ); φ is λ, one for all visits or one for each, then ρ."""

    correlations: Correlations
    heterogeneous: bool

    @property
    def _spread(self) -> FloatArray:
        """∂(λ_j + λ_k)/∂λ, parameters × T × T: the logarithm of Ω is linear in λ."""
        own = np.eye(self.correlations.T) if self.heterogeneous else np.ones((1, self.correlations.T))
        return own[:, :, None] + own[:, None, :]

    def recentred(self, phi: FloatArray) -> tuple[Correlated, FloatArray]:
        """Logarithms and correlations have no units."""
        return self, phi

    def starts(self, sd: FloatArray) -> list[FloatArray]:
        """Guess neighbours' correlations of either sign."""
        scale = np.log(sd) if self.heterogeneous else np.log([np.sqrt(np.mean(sd**2))])
        signed = [sign * rho for rho in START_CORRELATIONS for sign in ((1, -1) if rho else (1,))]
        return [np.concatenate([scale, self.correlations.guess(rho)]) for rho in signed]

    def omega(self, phi: FloatArray) -> FloatArray:
        """Ω, T × T."""
        scale, R, _, _ = self._parts(phi)
        return scale * R

    def jacobian(self, phi: FloatArray) -> FloatArray:
        """In λ Ω times how often it occurs; in ρ the scaled derivatives of R."""
        scale, R, first, _ = self._parts(phi)
        return np.concatenate([self._spread * scale * R, scale * first])

    def curvature(self, phi: FloatArray) -> FloatArray:
        """Second derivatives, by blocks of λ and ρ."""
        scale, R, first, second = self._parts(phi)
        by = self._spread
        twice, mixed = by[:, None] * by[None] * scale * R, by[:, None] * (scale * first)[None]
        return np.concatenate(
            [np.concatenate([twice, mixed], 1), np.concatenate([mixed.swapaxes(0, 1), scale * second], 1)]
        )

    def _parts(self, phi: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        by = self._spread
        return np.exp(np.tensordot(phi[: len(by)], by, 1)), *self.correlations.derive(phi[len(by) :])


def lag_bands(T: int) -> FloatArray:
    """Mark the pairs of visits at each distance from 0 on, T × T × T."""
    position = np.arange(T)
    lag = np.abs(position[:, None] - position)
    return np.asarray(lag == position[:, None, None], float)

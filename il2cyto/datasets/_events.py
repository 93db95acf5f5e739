"""Events of one simulated tube: labels first, then brightness, spillover and noise.

Everything is drawn for all events at once, channel by channel in float32; the arrays stay small enough for the cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from il2cyto.datasets import _panel as panel

TIMESTEP = 0.01
EVENTS_PER_SECOND = 1000.0
_TOP = np.float32(panel.RANGE - 1)
_LN10 = np.float32(np.log(10))
# A + A has a pulse twice as wide, hardly higher: area adds up, height is that of the larger cell and a little more.
_HEIGHT_OF_AREA, _DOUBLET_HEIGHT, _HEIGHT_NOISE = np.float32(0.8), np.float32(1.1), np.float32(1200)


@dataclass(frozen=True, slots=True)
class Tube:
    """What is in a tube.

    Attributes
    ----------
    fractions
        Fractions of lymphocytes, in the order of `LYMPHOCYTES`.
    n_events
        Events to acquire.
    shift
        (12,) shift of log10 brightness per marker: the batch.
    drug
        How far the drug has moved CD25 and CD56: 0 not at all, 1 by the assumed sizes.
    """

    fractions: np.ndarray
    n_events: int
    shift: np.ndarray
    drug: float = 0.0


@dataclass(frozen=True, slots=True)
class Events:
    """Events in the order of acquisition: values (events, 17) float32 uncompensated, and the truth of each event."""

    values: np.ndarray
    population: np.ndarray
    status: np.ndarray

    def counts(self) -> np.ndarray:
        """Live single cells per population, in the order of `POPULATIONS`."""
        live = self.status == panel.STATUSES.index("live")
        return np.bincount(self.population[live], minlength=len(panel.POPULATIONS))


def draw_events(tube: Tube, rng: np.random.Generator) -> Events:
    """Simulate one tube."""
    population, status = _draw_labels(tube, rng)
    n = tube.n_events
    # The second cell of each doublet stands behind the events proper; once added to the first it is dropped.
    first = np.flatnonzero(status == panel.STATUSES.index("doublet"))
    cell = np.concatenate([population, rng.permutation(population[first])])
    dead = status == panel.STATUSES.index("dead")
    scatter, size = _draw_scatter(cell, first, dead, rng)
    light = _draw_brightness(tube, cell, rng)
    light[:, first] += light[:, n:]
    light = light[:, :n]
    viability = panel.MARKERS.index("Viability")
    mean, sd = panel.DEAD_VIABILITY
    light[viability, dead] = 10 ** rng.normal(mean + tube.shift[viability], sd, int(dead.sum()))
    light += panel.AUTOFLUORESCENCE[:, None] * (size * np.where(dead, np.float32(2), np.float32(1)))
    values = np.empty((n, len(panel.NAMES)), np.float32)
    values[:, 0] = np.cumsum(rng.standard_exponential(n, dtype=np.float32)) / np.float32(EVENTS_PER_SECOND * TIMESTEP)
    scatter[:2, status == panel.STATUSES.index("margin")] = _TOP
    values[:, 1:5] = np.clip(scatter, 0, _TOP).T
    values[:, 5:] = np.minimum(_detect(light, rng), _TOP).T
    return Events(values, population, status)


def _draw_labels(tube: Tube, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw population and status of every event: few debris and dead cells are common, many are rare."""
    doublet = rng.uniform(0.01, 0.04)
    debris = 0.03 + 0.07 * rng.beta(1.2, 4)
    dead = 0.02 + 0.08 * rng.beta(1.2, 4)
    margin = rng.uniform(0.001, 0.004)
    monocytes = rng.uniform(0.03, 0.09)
    granulocytes = rng.uniform(0.005, 0.015)
    cells = np.array([*tube.fractions * (1 - monocytes - granulocytes), monocytes, granulocytes, 0.0])
    numbers = rng.multinomial(tube.n_events, [1 - doublet - debris - dead - margin, dead, doublet, debris, margin])
    status = np.repeat(np.arange(len(panel.STATUSES), dtype=np.uint8), numbers)
    population = np.full(tube.n_events, panel.CODE["debris"], np.uint8)
    is_cell = status != panel.STATUSES.index("debris")
    population[is_cell] = rng.permutation(np.repeat(np.arange(len(cells)), rng.multinomial(int(is_cell.sum()), cells)))
    order = rng.permutation(tube.n_events)
    return population[order], status[order]


def _draw_scatter(
    cell: np.ndarray, first: np.ndarray, dead: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """FSC-A, FSC-H, SSC-A, SSC-H, (4, events), and the size relative to a lymphocyte."""
    n = len(dead)
    forward, forward_cv, side, side_cv = _scatter_tables()[:, cell]
    noise = rng.standard_normal((4, len(cell)), dtype=np.float32)
    areas = np.stack([forward * (1 + forward_cv * noise[0]), side * (1 + side_cv * noise[1])])
    # Dying cells shrink and become granular.
    areas[:, :n][:, dead] *= np.array([[0.65], [1.3]], np.float32)
    heights = areas * _HEIGHT_OF_AREA
    heights[:, first] = _DOUBLET_HEIGHT * np.maximum(heights[:, first], heights[:, n:])
    areas[:, first] += areas[:, n:]
    heights += noise[2:] * _HEIGHT_NOISE
    scatter = np.stack([areas[0], heights[0], areas[1], heights[1]])[:, :n]
    return scatter, scatter[0] / _scatter_tables()[0, 0]


def _draw_brightness(tube: Tube, cell: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw the true light of the dyes, (12, cells): 10^N(mean, sd)."""
    mean, sd, drug = _brightness_tables()
    mean = mean + np.float32(tube.drug) * drug + tube.shift.astype(np.float32)[:, None]
    light = rng.standard_normal((len(mean), len(cell)), dtype=np.float32)
    light *= np.take(sd * _LN10, cell, axis=1)
    light += np.take(mean * _LN10, cell, axis=1)
    return np.exp(light, out=light)


def _detect(light: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Spill the light, (12, events), and add the noise of photons and electronics."""
    signal = light.copy()
    # Few terms are not zero, and a sum in a fixed order has the same bytes whatever BLAS does.
    for source, target, share in _spill_terms():
        signal[target] += share * light[source]
    noise = rng.standard_normal(signal.shape, dtype=np.float32)
    noise *= np.sqrt(np.float32(panel.PHOTON_NOISE**2) * signal + np.float32(panel.ELECTRONIC_NOISE**2))
    signal += noise
    return signal


@lru_cache(maxsize=1)
def _spill_terms() -> tuple[tuple[int, int, np.float32], ...]:
    matrix = panel.spillover_matrix()
    sources, targets = np.nonzero(matrix - np.eye(len(matrix)))
    return tuple((int(i), int(j), np.float32(matrix[i, j])) for i, j in zip(sources, targets, strict=True))


@lru_cache(maxsize=1)
def _brightness_tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return (*panel.level_tables(), panel.drug_shift())


@lru_cache(maxsize=1)
def _scatter_tables() -> np.ndarray:
    return np.array([panel.SCATTER_LEVELS[name] for name in panel.POPULATIONS], np.float32).T

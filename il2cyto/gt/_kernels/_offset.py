"""Median and median absolute deviation of bootstrap draws of a histogram."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from il2cyto.gt._kernels._decorator import kernel
from il2cyto.gt._kernels._random import draw_poisson, poisson_constants, seeded

if TYPE_CHECKING:
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float64]


@kernel
def drawn_medians(counts: FloatArray, n_draws: int, seed: np.unsignedinteger[Any]) -> tuple[FloatArray, FloatArray]:
    """(n_draws,) medians and (n_draws,) median absolute deviations, in bins, of Poisson draws of (g,) counts.

    A draw's cumulative histogram is taken to be linear within a bin.
    """
    medians, deviations = np.empty(n_draws), np.empty(n_draws)
    constants, state = poisson_constants(counts), seeded(seed)
    drawn, upto = np.empty(counts.size), np.zeros(counts.size + 1)
    for row in range(n_draws):
        draw_poisson(counts, constants, state, drawn)
        for i in range(drawn.size):
            upto[i + 1] = upto[i] + drawn[i]
        medians[row] = crossing(upto, upto[-1] / 2)
        deviations[row] = _deviation(upto, medians[row])
    return medians, deviations


@kernel
def _deviation(upto: FloatArray, median: float) -> float:
    """How many bins to each side of the median hold half of the events."""
    whole = int(median)
    part = median - whole
    # The same histogram with the median on an edge: as many events lie within j bins as between two edges.
    shifted = upto[:-1] + part * (upto[1:] - upto[:-1])
    reach = min(whole, shifted.size - 1 - whole)
    within = np.empty(reach + 1)
    for j in range(reach + 1):
        within[j] = shifted[whole + j] - shifted[whole - j]
    return crossing(within, upto[-1] / 2)


@kernel
def crossing(increasing: FloatArray, level: float) -> float:
    """Find the fractional index at which a curve reaches a level."""
    above = min(max(int(np.searchsorted(increasing, level)), 1), increasing.size - 1)
    low, high = increasing[above - 1], increasing[above]
    return float(above - (high - level) / (high - low)) if high > low else float(above)

"""Exact quantiles without sorting: a histogram finds where they are, and only the values of their bins are sorted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from il2cyto.gt._kernels._decorator import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float64]

_BINS = 2048


@kernel
def quantiles(values: FloatArray, levels: FloatArray) -> FloatArray:
    """Quantiles of at least one finite value, interpolated linearly as numpy does by default."""
    low, high = values.min(), values.max()
    unit = _BINS / (high - low) if high > low else 0.0
    upto = np.zeros(_BINS + 1, dtype=np.int64)
    for value in values:
        upto[1 + _bin(value, low, unit)] += 1
    upto = np.cumsum(upto)
    found = np.empty(levels.size)
    known, inside = -1, values[:0]
    for i in range(levels.size):
        rank = levels[i] * (values.size - 1)
        ends = np.empty(2)
        for side in range(2):
            whole = min(int(rank) + side, values.size - 1)
            at = int(np.searchsorted(upto, whole, side="right")) - 1
            if at != known:
                known, inside = at, np.sort(_values_in(values, at, upto[at + 1] - upto[at], low, unit))
            ends[side] = inside[whole - upto[at]]
        part = rank - int(rank)
        found[i] = ends[0] + part * (ends[1] - ends[0]) if part < 0.5 else ends[1] - (1 - part) * (ends[1] - ends[0])
    return found


@kernel
def median(values: FloatArray) -> float:
    """Median of at least one finite value."""
    return float(quantiles(values, np.array([0.5]))[0])


@kernel
def median_distance(values: FloatArray, centre: float) -> float:
    """Median of |x - centre|."""
    return median(np.abs(values - centre))


@kernel
def _bin(value: float, low: float, unit: float) -> int:
    return min(int((value - low) * unit), _BINS - 1)


@kernel
def _values_in(values: FloatArray, at: int, count: int, low: float, unit: float) -> FloatArray:
    inside, k = np.empty(count), 0
    for value in values:
        if _bin(value, low, unit) == at:
            inside[k] = value
            k += 1
    return inside

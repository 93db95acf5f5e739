"""Columns on the linear scale: compensation as sums over the numbers of an event, and ratios of two columns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from il2cyto.gt._kernels._decorator import kernel
from il2cyto.gt._kernels._lanes import lane_sums
from il2cyto.gt._kernels._ops import LANES

if TYPE_CHECKING:
    import numpy.typing as npt

    # Blocks are float32 or float64, lists uint32, tables int64: numba sees what comes.
    FloatArray = npt.NDArray[Any]
    IntArray = npt.NDArray[Any]
    ByteArray = npt.NDArray[np.uint8]


@kernel
def one_column(raw: FloatArray, events: IntArray, positions: IntArray, weights: FloatArray, out: FloatArray) -> None:
    """Sum of stored columns times a row of the inverse spillover, in the order of pp.compensate."""
    if positions.size == 1:
        at, weight = positions[0], weights[0, 0]
        for i in events:
            out[i] = np.float64(raw[i, at]) * weight
        return
    for i in events:
        total = 0.0
        for k in range(positions.size):
            total += np.float64(raw[i, positions[k]]) * weights[k, 0]
        out[i] = total


@kernel
def four_columns(
    raw: FloatArray,
    events: IntArray,
    positions: IntArray,
    weights: FloatArray,
    first: FloatArray,
    second: FloatArray,
    third: FloatArray,
    fourth: FloatArray,
) -> None:
    """Four sums at once; a weight of 0 changes none, because all events are finite."""
    sums = np.empty(LANES)
    for i in events:
        lane_sums(raw, i, positions, weights, sums)  # type: ignore[call-arg]  # numba gives the first itself
        first[i], second[i], third[i], fourth[i] = sums[0], sums[1], sums[2], sums[3]


@kernel
def ratio(events: IntArray, x: FloatArray, y: FloatArray, p: FloatArray, out: FloatArray) -> None:
    """A (x - b) / (y - c), infinite or NaN where the denominator is 0; p: a, b, c."""
    a, b, c = p[0], p[1], p[2]
    for i in events:
        above, below = x[i] - b, y[i] - c
        if below != 0.0:
            out[i] = a * (above / below)
        else:
            out[i] = a * (above * (np.inf if math.copysign(1.0, below) > 0 else -np.inf))

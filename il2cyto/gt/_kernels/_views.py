"""Binned densities: each event's bin on each axis once, then two-dimensional counts of many populations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from il2cyto.gt._kernels._decorator import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

    Block = npt.NDArray[Any]
    FloatArray = npt.NDArray[np.float64]
    IntArray = npt.NDArray[np.int64]
    ByteArray = npt.NDArray[np.uint8]
    CountArray = npt.NDArray[np.uint32]
    Rows = npt.NDArray[np.int64]

#: Bins of an axis; a two-dimensional count has one for each four.
BINS, SHIFT = 256, 2
#: Steps of the table of an axis: float32 by sign, exponent and 7 bits of the mantissa.
STEPS = 1 << 16
_WITHIN_STEP = np.float32(1.0 / (1 << 16))


@kernel
def list_bits(bits: ByteArray) -> Rows:
    """List the events of a block whose bit is set."""
    rows, count = np.empty(8 * bits.size, dtype=np.int64), 0
    for k in range(bits.size):
        byte = bits[k]
        if byte:
            for j in range(8):
                rows[count] = 8 * k + j
                count += (byte >> (7 - j)) & 1
    return rows[:count]


@kernel
def bin_axis(
    block: Block,
    rows: Rows,
    positions: IntArray,
    weights: FloatArray,
    table: npt.NDArray[np.float32],
    bins: ByteArray,
) -> None:
    """Fill `bins` for some rows of a block; `table` gives the fractional bin at the steps of float32."""
    short = np.empty(1, dtype=np.float32)
    bits = short.view(np.uint32)
    for i in rows:
        total = 0.0
        for k in range(positions.size):
            total += np.float64(block[i, positions[k]]) * weights[k]
        short[0] = total
        step = bits[0] >> 16
        at = table[step] + (table[step + 1] - table[step]) * (np.float32(bits[0] & 0xFFFF) * _WITHIN_STEP)
        bins[i] = np.uint8(at)


@kernel
def count_grid(rows: Rows, x: ByteArray, y: ByteArray, grid: CountArray) -> None:
    """Count events by their bins on two axes."""
    for i in rows:
        grid[x[i] >> SHIFT, y[i] >> SHIFT] += np.uint32(1)


@kernel
def count_bins(rows: Rows, x: ByteArray, histogram: CountArray) -> None:
    """Count events by their bins on one axis."""
    for i in rows:
        histogram[x[i]] += np.uint32(1)

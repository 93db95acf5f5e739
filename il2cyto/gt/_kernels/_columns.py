"""Samples of events: taken from blocks of stored rows, compensated, brought to a logicle scale."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from il2cyto.gt._kernels._decorator import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

    # Blocks are float32 or float64: numba sees what comes.
    Block = npt.NDArray[Any]
    FloatArray = npt.NDArray[np.float64]
    IntArray = npt.NDArray[Any]
    Rows = npt.NDArray[np.uint32]
    Lots = npt.NDArray[np.uint8]

#: Steps of the table of a scale: sign-free float32 by exponent and 7 bits of the mantissa; from `LAST_STEP` on not finite.
STEPS, LAST_STEP = 1 << 15, 0x7F7F
_WITHIN_STEP = 1.0 / (1 << 16)


@kernel
def gather(stored: Block, rows: IntArray, positions: IntArray, weights: FloatArray, out: FloatArray) -> None:
    """Fill `out` with weighted sums of stored columns, in the order of pp.compensate."""
    for i in range(rows.size):
        row, total = np.uint64(rows[i]), 0.0
        for k in range(positions.size):
            total += np.float64(stored[row, positions[k]]) * weights[k]
        out[i] = total


@kernel
def take(
    block: Block, numbers: IntArray, events: Rows, columns: IntArray, share: int, count: int, stored: Block, lots: Lots
) -> int:
    """Append to `stored` some columns of those events whose lot, 0 to 255, is below the share; return how many there are now.

    A lot hangs on the event's own numbers alone, which `numbers` shows as integers.
    """
    for i in events:
        mixed = np.uint64(0)
        for k in columns:
            mixed = (mixed ^ np.uint64(numbers[i, k])) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
        lot = mixed >> np.uint64(56)
        if lot < share:
            for k in range(columns.size):
                stored[count, k] = block[i, columns[k]]
            lots[count] = lot
            count += 1
    return count


@kernel
def leave_out(share: int, count: int, stored: Block, lots: Lots) -> int:
    """Keep those of the first `count` events whose lot is below the share, in their order; return how many."""
    kept = 0
    for i in range(count):
        if lots[i] < share:
            stored[kept], lots[kept] = stored[i], lots[i]
            kept += 1
    return kept


@kernel
def to_logicle(x: FloatArray, table: FloatArray, b: float, d: float, r: float, x1: float, unit: float) -> None:
    """Bring finite values to a logicle scale, in place: a look-up is within 1e-6, and one step of Halley's exact.

    `table` is the distance from the position of 0 at the steps of float32; the constants are those of pp's LogicleScale.
    """
    short = np.empty(1, dtype=np.float32)
    bits = short.view(np.uint32)
    for i in range(x.size):
        size = abs(x[i])
        short[0] = size
        step, z = int(bits[0] >> 16), size / unit
        if step < LAST_STEP:
            u = table[step] + (table[step + 1] - table[step]) * (np.float64(bits[0] & 0xFFFF) * _WITHIN_STEP)
        else:
            u = math.log(z) / b
        up, down = math.exp(b * u), math.exp(-d * u)
        slope = b * up + (r * d) * down
        newton = (up - 1.0 - r * (down - 1.0) - z) / slope
        u -= newton / (1.0 - (0.5 * b * b) * newton * (up - down) / slope)
        x[i] = x1 + math.copysign(u, x[i])

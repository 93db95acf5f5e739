"""Values of single channels for lists of events: gathered from stored rows, compensated, brought to a logicle scale."""

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
    Bits = npt.NDArray[np.uint8]

#: Steps of the table of a scale: sign-free float32 by exponent and 7 bits of the mantissa; from `LAST_STEP` on not finite.
STEPS, LAST_STEP = 1 << 15, 0x7F7F
_WITHIN_STEP = 1.0 / (1 << 16)


@kernel
def list_finite(block: Block, start: int, needed: IntArray, found: Rows) -> int:
    """List the events of a block that are finite in the `needed` columns, numbered from `start`."""
    count = 0
    for i in range(block.shape[0]):
        finite = True
        for column in needed:
            finite &= math.isfinite(block[i, column])
        found[count] = start + i
        count += finite
    return count


@kernel
def gather(block: Block, start: int, rows: Rows, positions: IntArray, weights: FloatArray, out: FloatArray) -> None:
    """Fill `out` with weighted sums of stored columns, in the order of pp.compensate; the block begins with event `start`."""
    for i in range(rows.size):
        row, total = rows[i] - start, 0.0
        for k in range(positions.size):
            total += np.float64(block[row, positions[k]]) * weights[k]
        out[i] = total


@kernel
def list_bits(bits: Bits, start: int, n: int) -> Rows:
    """List the events whose bit is set among `n` from `start` on, a multiple of 8."""
    rows, count = np.empty(n + 8, dtype=np.uint32), 0
    for k in range(start >> 3, (start + n + 7) >> 3):
        byte = bits[k]
        if byte:
            for j in range(8):
                rows[count] = 8 * k + j
                count += (byte >> (7 - j)) & 1
    return rows[:count]


@kernel
def set_bits(bits: Bits, rows: Rows, chosen: npt.NDArray[np.bool_]) -> int:
    """Set the bits of the chosen ones among some events; how many those are."""
    count = 0
    for i in range(rows.size):
        bits[rows[i] >> 3] |= np.uint8(chosen[i]) << np.uint8(7 - (rows[i] & 7))
        count += chosen[i]
    return count


@kernel
def draw_lots(numbers: IntArray, columns: IntArray, lots: Bits) -> None:
    """Give each event a lot from 0 to 255 that hangs on its own numbers alone, taken as integers."""
    for i in range(numbers.shape[0]):
        mixed = np.uint64(0)
        for k in columns:
            mixed = (mixed ^ np.uint64(numbers[i, k])) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
        lots[i] = mixed >> np.uint64(56)


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

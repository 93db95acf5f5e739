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
    IntArray = npt.NDArray[np.int64]
    Rows = npt.NDArray[np.uint32]

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
def membership(rows: Rows, others: Rows) -> npt.NDArray[np.bool_]:
    """Which of `rows` are among `others`; both ascend."""
    found = np.zeros(rows.size, dtype=np.bool_)
    k = 0
    for i in range(rows.size):
        while k < others.size and others[k] < rows[i]:
            k += 1
        found[i] = k < others.size and others[k] == rows[i]
    return found


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

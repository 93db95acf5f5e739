"""Binned densities: each event's bin on each axis once, then one- and two-dimensional counts of many populations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from il2cyto.gt._kernels._decorator import kernel
from il2cyto.gt._kernels._ops import BIN, GRID

if TYPE_CHECKING:
    import numpy.typing as npt

    # Blocks are float32 or float64, lists uint32, tables int64: numba sees what comes.
    FloatArray = npt.NDArray[Any]
    IntArray = npt.NDArray[Any]
    ByteArray = npt.NDArray[np.uint8]
    CountArray = npt.NDArray[np.uint32]

#: Bins of an axis; a two-dimensional count has one for each four.
LEVELS, SHIFT = 256, 2
#: Steps of the table of an axis: float32 by sign, exponent and 7 bits of the mantissa.
STEPS = 1 << 16
_WITHIN_STEP = np.float32(1.0 / (1 << 16))


@kernel
def view(
    kind: int,
    op: IntArray,
    events: IntArray,
    linear: FloatArray,
    canvas: tuple[FloatArray, ByteArray, CountArray, CountArray],
) -> None:
    """Run one of the operations BIN, GRID and SPECTRUM."""
    tables, bins, grids, spectra = canvas
    if kind == BIN:
        _bin(events, linear[op[3]], tables[op[4]], bins[op[2]])
    elif kind == GRID:
        x, y, grid = bins[op[2]], bins[op[3]], grids[op[4]]
        for i in events:
            grid[x[i] >> SHIFT, y[i] >> SHIFT] += np.uint32(1)
    else:
        x, spectrum = bins[op[2]], spectra[op[3]]
        for i in events:
            spectrum[x[i]] += np.uint32(1)


@kernel
def _bin(events: IntArray, x: FloatArray, table: FloatArray, bins: ByteArray) -> None:
    """Look up the bins of events; `table` gives the fractional bin at the steps of float32."""
    short = np.empty(1, dtype=np.float32)
    bits = short.view(np.uint32)
    for i in events:
        short[0] = x[i]
        step = bits[0] >> 16
        at = table[step] + (table[step + 1] - table[step]) * (np.float32(bits[0] & 0xFFFF) * _WITHIN_STEP)
        bins[i] = np.uint8(at)

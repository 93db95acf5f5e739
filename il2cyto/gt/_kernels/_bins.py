"""Histograms of values by the bits of float32, and the values in chosen bins, from which exact medians are found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from il2cyto.gt._kernels._decorator import kernel
from il2cyto.gt._kernels._ops import BIN_SHIFT

if TYPE_CHECKING:
    import numpy.typing as npt

    # Blocks are float32 or float64, lists uint32, tables int64: numba sees what comes.
    FloatArray = npt.NDArray[Any]
    IntArray = npt.NDArray[Any]
    ByteArray = npt.NDArray[np.uint8]


@kernel
def histogram(events: IntArray, x: FloatArray, counts: IntArray) -> None:
    """Count the values by bin."""
    short = np.empty(1, dtype=np.float32)
    bits = short.view(np.uint32)
    for i in events:
        short[0] = x[i]
        counts[_bin(bits[0])] += np.uint32(1)


@kernel
def gather(events: IntArray, x: FloatArray, first: int, last: int, values: FloatArray, at: int) -> int:
    """Append the values in the bins first to last to those before `at`."""
    short = np.empty(1, dtype=np.float32)
    bits = short.view(np.uint32)
    for i in events:
        short[0] = x[i]
        b = _bin(bits[0])
        if first <= b <= last:
            values[at] = x[i]
            at += 1
    return at


@kernel
def _bin(bits: int) -> int:
    """Order the bit patterns of float32 like their values."""
    return int(bits ^ (np.uint32(0xFFFFFFFF) if bits >> 31 else np.uint32(0x80000000))) >> BIN_SHIFT

"""Exact medians: histograms of values by the bits of float32 say where they lie, and only the values there are kept."""

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
    CountArray = npt.NDArray[np.uint32]

#: The sign of a float32.
_SIGN = 0x80000000


@kernel
def histogram(events: IntArray, x: FloatArray, counts: CountArray) -> None:
    """Count the values by bin."""
    short = np.empty(1, dtype=np.float32)
    bits = short.view(np.uint32)
    for i in events:
        short[0] = x[i]
        # Orders the bit patterns of float32 like their values.
        ordered = bits[0] ^ (np.uint32(0xFFFFFFFF) if bits[0] >> 31 else np.uint32(_SIGN))
        counts[int(ordered) >> BIN_SHIFT] += np.uint32(1)


@kernel
def gather(
    events: IntArray, x: FloatArray, low: np.floating[Any], high: np.floating[Any], seen: IntArray, room: FloatArray
) -> None:
    """Keep the values that lie from low to high as float32, as long as there is room; the last place is for those not kept.

    Added to `seen`: how many values lie below, and how many are to be kept.
    """
    below, inside, last = seen[0], seen[1], room.size - 1
    if inside + events.size <= last:
        upto = below + inside  # how many are not above
        for i in events:
            value = np.float32(x[i])
            room[upto - below] = x[i]
            below += int(value < low)
            upto += int(value <= high)
        seen[0], seen[1] = below, upto - below
        return
    for i in events:
        value = np.float32(x[i])
        room[min(inside, last)] = x[i]
        below += int(value < low)
        inside += int((value >= low) & (value <= high))
    seen[0], seen[1] = below, inside


@kernel
def windows(
    histograms: CountArray, attempts: IntArray, ends: npt.NDArray[np.float32], inside: npt.NDArray[np.float64]
) -> None:
    """Between which values the median of a population lies, by the histogram of a sample of it.

    Parameters
    ----------
    histograms
        (h, bins) from `histogram`.
    attempts
        (h,) how often the median was not where it was looked for. At first the ends are four standard deviations of the rank in the
        sample away from the middle, and as much as values can be unevenly spread in a bin; then ends of bins, twice as far each time.
    ends, inside
        To fill: (h, 2) the lowest and the highest value, and (h,) how many of the sample's values lie there.
    """
    for h in range(len(histograms)):
        counts, total = histograms[h], 0
        for count in counts:
            total += int(count)
        away = (2.0 * np.sqrt(total) + total / 512 + 1.0) * 2.0 ** attempts[h]
        first, last = max((total - 1) // 2 - away, 0.0), min(total // 2 + 1 + away, float(total))
        low, into_low, below = _bin_of(counts, first)
        high, into_high, upto = _bin_of(counts, last)
        inside[h] = last - first
        if attempts[h]:
            inside[h] = upto + counts[high] - below
            into_low, into_high = 0.0, 1.0
        ends[h, 0] = _value(low, into_low) if first > 0 else -np.inf
        ends[h, 1] = _value(high, into_high) if last < total else np.inf


@kernel
def _bin_of(counts: CountArray, rank: float) -> tuple[int, float, int]:
    """The bin with the value of a rank, the share of the bin's values before it, and how many values lie in the bins below."""
    below = 0
    for b in range(counts.size):
        count = int(counts[b])
        if below + count > rank:
            return b, (rank - below) / count, below
        below += count
    return counts.size - 1, 1.0, below


@kernel
def _value(bin_number: int, part: float) -> float:
    """The value that lies at a part of the way through a bin."""
    bits = np.empty(1, dtype=np.uint32)
    ordered = np.uint32((bin_number << BIN_SHIFT) + int(part * ((1 << BIN_SHIFT) - 1)))
    bits[0] = ordered ^ (np.uint32(_SIGN) if ordered >> 31 else np.uint32(0xFFFFFFFF))
    return float(bits.view(np.float32)[0])

"""Lists of events and bytes of membership: intervals, boolean combinations, collecting and counting.

Without a branch where it can be: which events pass is as unpredictable as the biology.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from il2cyto.gt._kernels._decorator import kernel
from il2cyto.gt._kernels._ops import ALL, ALSO, AND, NOT

if TYPE_CHECKING:
    import numpy.typing as npt

    # Blocks are float32 or float64, lists uint32, tables int64: numba sees what comes.
    FloatArray = npt.NDArray[Any]
    IntArray = npt.NDArray[Any]
    ByteArray = npt.NDArray[np.uint8]


@kernel
def usable_events(
    raw: FloatArray, bits: IntArray, exponent: np.unsignedinteger[Any], needed: IntArray, found: IntArray
) -> int:
    """List the events that are finite in the `needed` columns; `bits` are the same numbers as integers."""
    n: int = raw.shape[0]
    largest = exponent - exponent
    for i in range(bits.size):
        largest = max(largest, bits[i] & exponent)
    if largest < exponent:
        for i in range(n):
            found[i] = i
        return n
    count = 0
    for i in range(n):
        finite = True
        for column in needed:
            finite &= math.isfinite(raw[i, column])
        found[count] = i
        count += finite
    return count


@kernel
def cut(
    events: IntArray,
    x: FloatArray,
    interval: FloatArray,
    top: FloatArray,
    answer: ByteArray,
    out: IntArray,
) -> tuple[int, int]:
    """WITHIN, COLLECT and COUNT in one pass; how many are inside, and how many at the top of the range."""
    low, high, count, highest = interval[0], interval[1], 0, -np.inf
    for i in events:
        value = x[i]
        inside = np.uint8((value >= low) & (value <= high))
        answer[i] = inside
        out[count] = i
        count += int(inside)
        highest = value if value > highest else highest
    return count, 0 if highest < top[0] else count_within(events, x, top[0], top[1])


@kernel
def within(events: IntArray, x: FloatArray, low: float, high: float, how: int, answer: ByteArray) -> None:
    """Which events are inside an interval, its ends included, joined to the answer so far as `how` says."""
    flip = np.uint8(how & 1)
    if how < ALSO:
        for i in events:
            answer[i] = np.uint8((x[i] >= low) & (x[i] <= high)) ^ flip
    else:
        for i in events:
            answer[i] &= np.uint8((x[i] >= low) & (x[i] <= high)) ^ flip


@kernel
def count_within(events: IntArray, x: FloatArray, low: float, high: float) -> int:
    """How many events are inside an interval."""
    count = 0
    for i in events:
        count += (x[i] >= low) & (x[i] <= high)
    return count


@kernel
def count(events: IntArray, answer: ByteArray) -> int:
    """How many answers are 1."""
    count = 0
    for i in events:
        count += answer[i]
    return count


@kernel
def collect(events: IntArray, answer: ByteArray, out: IntArray) -> int:
    """List the events whose answer is 1, without a branch: an event that is not kept is overwritten by the next."""
    count = 0
    for i in events:
        out[count] = i
        count += answer[i]
    return count


@kernel
def boolean(kind: int, events: IntArray, member: ByteArray, row: int, a: int, b: int) -> None:
    """Combine the rows `a` and `b`."""
    answer = member[row]
    if kind == ALL:
        for i in events:
            answer[i] = 1
    elif kind == NOT:
        for i in events:
            answer[i] = member[a, i] ^ 1
    elif kind == AND:
        for i in events:
            answer[i] = member[a, i] & member[b, i]
    else:
        for i in events:
            answer[i] = member[a, i] | member[b, i]

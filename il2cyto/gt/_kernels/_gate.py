"""Gates over one block of events, interpreted from a table of operations: one compiled signature serves all templates.

An operation works on the events of one list (a population) and leaves its answer, one byte per event, in a row of `member`.
Lists hold the positions of a population's events within the block. No fused multiply-add and no fast mathematics: what is
computed here is compared with numpy to the last bit.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from il2cyto.gt._kernels._decorator import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

    # Blocks are float32 or float64, lists uint32, tables int64: numba sees what comes.
    FloatArray = npt.NDArray[Any]
    IntArray = npt.NDArray[Any]
    ByteArray = npt.NDArray[np.uint8]

# Kinds of operation; the fields of each stand beside it.
COLUMNS = 0  # list, group of sources, columns in use, four columns: their values on the linear scale
WITHIN = 1  # list, row, column, how, parameters: low <= x < high
ALL = 2  # list, row: every event
NOT = 3  # list, row, a
AND = 4  # list, row, a, b
OR = 5  # list, row, a, b
POLYGON = 6  # list, row, x, y, parameters, grid
ELLIPSE = 7  # likewise
SINGLET = 8  # list, row, x, y, parameters
COLLECT = 9  # list, row, list to fill or -1, count
COUNT = 10  # list, column, count, 0, parameters: how many low <= x < high
CUT = 11  # list, row, column, list to fill or -1, count, parameters, count at the top or -1, its parameters
HISTOGRAM = 12  # list, column, histogram
GATHER = 13  # list, column, histogram: keep the values that lie in some of its bins
#: Bins of a histogram: sign, exponent and 4 bits of the mantissa of float32, in the order of the values.
BINS = 1 << 13
_SHIFT = 32 - 13
#: Columns that one COLUMNS computes.
LANES = 4

#: How WITHIN joins its answer to what stands in the row.
SET, SET_NOT, ALSO, ALSO_NOT = 0, 1, 2, 3
#: An answer that hangs on the last bits of a transform: numpy must give it.
UNSURE = 2
#: Cells of a grid along one axis; classes of a cell.
CELLS = 128
OUTSIDE, INSIDE, MIXED = 0, 1, 2
#: Transforms by number; their constants follow in the parameters.
NONE, LINEAR, LOGICLE, ASINH, LOG = 0, 1, 2, 3, 4
#: Parameters of a transform: number and five constants.
TRANSFORM_SIZE = 6


@kernel
def usable_events(
    raw: FloatArray, bits: IntArray, exponent: np.unsignedinteger[Any], needed: IntArray, found: IntArray
) -> int:
    """List the events that are finite in the `needed` columns; `bits` are the same numbers as integers."""
    n = raw.shape[0]
    largest = exponent - exponent
    for i in range(bits.size):
        largest = max(largest, bits[i] & exponent)
    count = 0
    for i in range(n):
        finite = True
        if largest == exponent:
            for column in needed:
                finite &= math.isfinite(raw[i, column])
        found[count] = i
        count += finite
    return count


@kernel
def run_block(
    raw: FloatArray,
    first: int,
    ops: IntArray,
    parameters: FloatArray,
    sources: tuple[IntArray, IntArray, FloatArray],
    grids: tuple[IntArray, ByteArray, ByteArray],
    linear: FloatArray,
    member: ByteArray,
    lists: IntArray,
    lengths: IntArray,
    counts: IntArray,
    sink: tuple[IntArray, IntArray, IntArray, FloatArray],
) -> int:
    """Run the operations from `first` on.

    Returns the number of the first operation with an UNSURE answer, which the caller must replace before it runs those behind;
    the number of operations if there was none.
    """
    starts, positions, weights = sources
    axes, cells, classes = grids
    histograms, bins, filled, values = sink
    for o in range(first, ops.shape[0]):
        kind, source = ops[o, 0], ops[o, 1]
        events = lists[source, : lengths[source]]
        if kind == COLUMNS:
            g = ops[o, 2]
            own = slice(starts[g], starts[g + 1])
            if ops[o, 3] == 1:
                _column(raw, events, positions[own], weights[own], linear[ops[o, 4]])
            else:
                _columns(
                    raw, events, positions[own], weights[own],
                    linear[ops[o, 4]], linear[ops[o, 5]], linear[ops[o, 6]], linear[ops[o, 7]],
                )  # fmt: skip
        elif kind == CUT:
            target, at, top = ops[o, 4], ops[o, 6], ops[o, 8]
            inside, at_top = _cut(
                events, linear[ops[o, 3]], parameters[at], parameters[at + 1], parameters[top], parameters[top + 1],
                member[ops[o, 2]], lists[target],
            )  # fmt: skip
            counts[ops[o, 5]] += inside
            if target >= 0:
                lengths[target] = inside
            if ops[o, 7] >= 0:
                counts[ops[o, 7]] += at_top
        elif kind == WITHIN:
            at = ops[o, 5]
            _within(events, linear[ops[o, 3]], parameters[at], parameters[at + 1], ops[o, 4], member[ops[o, 2]])
        elif kind == COLLECT:
            target = ops[o, 3]
            if target < 0:
                counts[ops[o, 4]] += _count(events, member[ops[o, 2]])
            else:
                lengths[target] = _collect(events, member[ops[o, 2]], lists[target])
                counts[ops[o, 4]] += lengths[target]
        elif kind == COUNT:
            at = ops[o, 5]
            counts[ops[o, 3]] += _count_within(events, linear[ops[o, 2]], parameters[at], parameters[at + 1])
        elif kind == HISTOGRAM:
            _histogram(events, linear[ops[o, 2]], histograms[ops[o, 3]])
        elif kind == GATHER:
            h = ops[o, 3]
            filled[h] = _gather(events, linear[ops[o, 2]], bins[h, 0], bins[h, 1], values, filled[h])
        elif kind <= OR:
            _boolean(kind, events, member, ops[o, 2], ops[o, 3], ops[o, 4])
        else:
            x, y, answer, own_parameters = (
                linear[ops[o, 3]],
                linear[ops[o, 4]],
                member[ops[o, 2]],
                parameters[ops[o, 5] :],
            )
            if kind == SINGLET:
                unsure = _singlet(events, x, y, own_parameters, answer)
            else:
                g = ops[o, 6]
                unsure = _gridded(
                    kind, events, x, y, own_parameters, cells[axes[g, 0]], cells[axes[g, 1]], classes[g], answer
                )
            if unsure:
                return o
    return len(ops)


@kernel
def _column(raw: FloatArray, events: IntArray, positions: IntArray, weights: FloatArray, out: FloatArray) -> None:
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
def _columns(
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
    for i in events:
        a = b = c = d = 0.0
        for k in range(positions.size):
            x = np.float64(raw[i, positions[k]])
            a += x * weights[k, 0]
            b += x * weights[k, 1]
            c += x * weights[k, 2]
            d += x * weights[k, 3]
        first[i], second[i], third[i], fourth[i] = a, b, c, d


@kernel
def _cut(
    events: IntArray,
    x: FloatArray,
    low: float,
    high: float,
    top_low: float,
    top_high: float,
    answer: ByteArray,
    out: IntArray,
) -> tuple[int, int]:
    """WITHIN, COLLECT and COUNT in one pass."""
    count = top = 0
    for i in events:
        value = x[i]
        inside = np.uint8((value >= low) & (value < high))
        answer[i] = inside
        out[count] = i
        count += int(inside)
        top += int((value >= top_low) & (value < top_high))
    return count, top


@kernel
def _within(events: IntArray, x: FloatArray, low: float, high: float, how: int, answer: ByteArray) -> None:
    flip = np.uint8(how & 1)
    if how < ALSO:
        for i in events:
            answer[i] = np.uint8((x[i] >= low) & (x[i] < high)) ^ flip
    else:
        for i in events:
            answer[i] &= np.uint8((x[i] >= low) & (x[i] < high)) ^ flip


@kernel
def _count_within(events: IntArray, x: FloatArray, low: float, high: float) -> int:
    count = 0
    for i in events:
        count += (x[i] >= low) & (x[i] < high)
    return count


@kernel
def _count(events: IntArray, answer: ByteArray) -> int:
    count = 0
    for i in events:
        count += answer[i]
    return count


@kernel
def _collect(events: IntArray, answer: ByteArray, out: IntArray) -> int:
    """List the events whose answer is 1, without a branch: an event that is not kept is overwritten by the next."""
    count = 0
    for i in events:
        out[count] = i
        count += answer[i]
    return count


@kernel
def _boolean(kind: int, events: IntArray, member: ByteArray, row: int, a: int, b: int) -> None:
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


@kernel
def _gridded(
    kind: int,
    events: IntArray,
    x: FloatArray,
    y: FloatArray,
    p: FloatArray,
    x_cells: ByteArray,
    y_cells: ByteArray,
    classes: ByteArray,
    answer: ByteArray,
) -> bool:
    """Look the event's cell up; only where the outline passes through the cell, transform the event and test it."""
    unsure = False
    short = np.empty(2, dtype=np.float32)
    bits = short.view(np.uint32)
    for i in events:
        short[0], short[1] = x[i], y[i]
        inside = classes[x_cells[bits[0] >> 16] * CELLS + y_cells[bits[1] >> 16]]
        if inside == MIXED:
            u, v = _transform(x[i], p), _transform(y[i], p[TRANSFORM_SIZE:])
            shape = p[2 * TRANSFORM_SIZE :]
            inside = _polygon(u, v, shape) if kind == POLYGON else _ellipse(u, v, shape)
            unsure |= inside == UNSURE
        answer[i] = inside
    return unsure


@kernel
def _transform(x: float, p: FloatArray) -> float:
    """As il2cyto.pp.transform, but for the last bits."""
    kind = int(p[0])
    if kind == LOGICLE:
        return _logicle(x, p[1], p[2], p[3], p[4], p[5])
    if kind == LINEAR:
        return float((x + p[1]) / p[2])
    if kind == ASINH:
        return math.asinh(x / p[1])
    if kind == LOG:
        return math.log10(x / p[1]) / p[2] + 1.0 if x > 0 else -np.inf
    return x


@kernel
def _logicle(x: float, b: float, d: float, r: float, x1: float, unit: float) -> float:
    z = abs(x) / unit
    u = min(z / (b + r * d), math.log1p(z) / b)
    for _ in range(3):
        rise, fall = math.expm1(b * u), math.expm1(-d * u)
        slope = b * (rise + 1.0) + (r * d) * (fall + 1.0)
        newton = (rise - r * fall - z) / slope
        u -= newton / (1.0 - (0.5 * b * b) * newton * (rise - fall) / slope)
    return x1 + math.copysign(u, x)


@kernel
def _polygon(x: float, y: float, p: FloatArray) -> int:
    """Even-odd rule as in _shapes.polygon; p: tolerance, number of edges, then xa, ya, yb, slope of each (ya < yb)."""
    inside, tolerance = 0, p[0]
    for e in range(int(p[1])):
        xa, ya, yb, slope = p[2 + 4 * e], p[3 + 4 * e], p[4 + 4 * e], p[5 + 4 * e]
        if y < ya - tolerance or y > yb + tolerance:
            continue
        distance = x - (xa + (y - ya) * slope)
        if distance > (1.0 + abs(slope)) * tolerance:
            continue
        if abs(y - ya) <= tolerance or abs(y - yb) <= tolerance or distance >= -(1.0 + abs(slope)) * tolerance:
            return UNSURE
        inside ^= 1
    return inside


@kernel
def _ellipse(x: float, y: float, p: FloatArray) -> int:
    """p: tolerance, distance square, mean, a, b, d of the covariance, its determinant."""
    dx, dy = x - p[2], y - p[3]
    distance = (p[6] * dx * dx - 2.0 * p[5] * dx * dy + p[4] * dy * dy) / p[7]
    if abs(distance - p[1]) <= p[0]:
        return UNSURE
    return 1 if distance <= p[1] else 0


@kernel
def _singlet(events: IntArray, x: FloatArray, y: FloatArray, p: FloatArray, answer: ByteArray) -> bool:
    """As _shapes.singlet; after the transforms: intercept, slope, width, centre, sxx, n, and 1 for the lower side alone."""
    unsure = False
    q = p[2 * TRANSFORM_SIZE :]
    intercept, slope, width, centre, sxx, n, lower = q[0], q[1], q[2], q[3], q[4], q[5], q[6] == 1.0
    for i in events:
        area, height = _transform(x[i], p), _transform(y[i], p[TRANSFORM_SIZE:])
        residual = height - intercept - slope * area
        band = width * math.sqrt(1.0 + (1.0 / n + (area - centre) ** 2 / sxx))
        distance = residual + band if lower else band - abs(residual)
        inside = np.uint8(distance >= 0.0)
        if abs(distance) <= 1e-10 * (abs(height) + abs(intercept) + abs(slope * area) + band):
            inside, unsure = np.uint8(UNSURE), True
        answer[i] = inside
    return unsure


@kernel
def _histogram(events: IntArray, x: FloatArray, histogram: IntArray) -> None:
    short = np.empty(1, dtype=np.float32)
    bits = short.view(np.uint32)
    for i in events:
        short[0] = x[i]
        histogram[_bin(bits[0])] += np.uint32(1)


@kernel
def _gather(events: IntArray, x: FloatArray, first: int, last: int, values: FloatArray, at: int) -> int:
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
    return int(bits ^ (np.uint32(0xFFFFFFFF) if bits >> 31 else np.uint32(0x80000000))) >> _SHIFT

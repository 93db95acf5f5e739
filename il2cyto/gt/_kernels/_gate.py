"""The interpreter: gates over one block of events, operation after operation.

One compiled signature serves all templates. What is computed is compared with numpy to the last bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from il2cyto.gt._kernels._bins import gather, histogram
from il2cyto.gt._kernels._decorator import kernel
from il2cyto.gt._kernels._lists import boolean, collect, count, count_within, cut, within
from il2cyto.gt._kernels._ops import (
    ASK,
    BIN,
    COLLECT,
    COLUMNS,
    COUNT,
    CUT,
    GATHER,
    HISTOGRAM,
    OR,
    RATIO,
    SINGLET,
    UNSURE,
    WITHIN,
)
from il2cyto.gt._kernels._shapes import gridded, singlet
from il2cyto.gt._kernels._sums import four_columns, one_column, ratio
from il2cyto.gt._kernels._views import view

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    # Blocks are float32 or float64, lists uint32, tables int64: numba sees what comes.
    FloatArray = npt.NDArray[Any]
    IntArray = npt.NDArray[Any]
    ByteArray = npt.NDArray[np.uint8]


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
    sink: tuple[IntArray, FloatArray, IntArray, IntArray, FloatArray],
    canvas: tuple[FloatArray, ByteArray, IntArray, IntArray],
) -> int:
    """Run the operations from `first` on.

    Returns the number of the first operation with an UNSURE answer, which the caller must replace before it runs those behind;
    the number of operations if there was none.
    """
    starts, positions, weights = sources
    axes, cells, classes = grids
    histograms, windows, seen, rooms, values = sink
    for o in range(first, ops.shape[0]):
        op = ops[o]
        kind, events = op[0], lists[op[1], : lengths[op[1]]]
        if kind == COLUMNS:
            own = slice(starts[op[2]], starts[op[2] + 1])
            if op[3] == 1:
                one_column(raw, events, positions[own], weights[own], linear[op[4]])
            else:
                four_columns(
                    raw, events, positions[own], weights[own],
                    linear[op[4]], linear[op[5]], linear[op[6]], linear[op[7]],
                )  # fmt: skip
        elif kind == RATIO:
            ratio(events, linear[op[3]], linear[op[4]], parameters[op[5] :], linear[op[2]])
        elif kind == WITHIN:
            within(events, linear[op[3]], parameters[op[5]], parameters[op[5] + 1], op[4], member[op[2]])
        elif kind == CUT:
            inside, at_top = cut(
                events, linear[op[3]], parameters[op[6] : op[6] + 2], parameters[op[8] : op[8] + 2],
                member[op[2]], lists[op[4]],
            )  # fmt: skip
            counts[op[5]] += inside
            if op[4] >= 0:
                lengths[op[4]] = inside
            if op[7] >= 0:
                counts[op[7]] += at_top
        elif kind == COLLECT:
            inside = count(events, member[op[2]]) if op[3] < 0 else collect(events, member[op[2]], lists[op[3]])
            counts[op[4]] += inside
            if op[3] >= 0:
                lengths[op[3]] = inside
        elif kind == COUNT:
            counts[op[3]] += count_within(events, linear[op[2]], parameters[op[5]], parameters[op[5] + 1])
        elif kind == HISTOGRAM:
            histogram(events, linear[op[2]], histograms[op[3]])
        elif kind == GATHER:
            h = op[3]
            room = values[rooms[h] : rooms[h + 1]]
            gather(events, linear[op[2]], windows[h, 0], windows[h, 1], seen[h], room)
        elif kind >= BIN:
            view(kind, op, events, linear, canvas)
        elif kind <= OR:
            boolean(kind, events, member, op[2], op[3], op[4])
        elif _shape(kind, op, events, linear, parameters[op[5] :], axes, cells, classes, member[op[2]]):
            return o
    return len(ops)


@kernel
def _shape(
    kind: int,
    op: IntArray,
    events: IntArray,
    linear: FloatArray,
    own: FloatArray,
    axes: IntArray,
    cells: ByteArray,
    classes: ByteArray,
    answer: ByteArray,
) -> bool:
    """Whether any answer is UNSURE."""
    if kind == ASK:
        for i in events:
            answer[i] = UNSURE
        return events.size > 0
    x, y = linear[op[3]], linear[op[4]]
    if kind == SINGLET:
        return singlet(events, x, y, own, answer)
    x_cells, y_cells = cells[axes[op[6], 0]], cells[axes[op[6], 1]]
    return gridded(kind, events, x, y, own, x_cells, y_cells, classes[op[6]], answer)

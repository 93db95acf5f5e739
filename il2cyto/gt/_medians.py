"""Exact medians in memory that does not grow with the file, in one pass and a glance.

A glance at a part of the events says between which values each median must lie. While the events are counted, those values are
kept, and how many are lower is counted: the median is among the kept ones, at a known rank. Where it is not, or the room for them
was too small, another pass looks further.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from il2cyto.gt._engine import Engine, no_sink
from il2cyto.gt._kernels._bins import windows
from il2cyto.gt._kernels._ops import BINS, GATHER, HISTOGRAM
from il2cyto.gt._program import EXACT
from il2cyto.gt._prune import only_histograms

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from il2cyto.gt._engine import Sink
    from il2cyto.gt._plan import Events
    from il2cyto.gt._program import Program

    IntArray = npt.NDArray[np.int64]

#: The glance is at one event of so many.
_PARTS: Final = 8
#: Values kept in one pass over the file: 16 MB, unless one population alone has more that are equal.
_AT_ONCE: Final = 1 << 21


class Search:
    """The search for the median of each marker in each population that the program has a histogram for.

    Attributes
    ----------
    program, sink
        What the engine is to run while it counts.
    """

    def __init__(self, events: Events, program: Program) -> None:
        self._events, self._whole = events, program
        n = len(program.histograms)
        self._attempts, self._room = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        self._histograms = np.zeros((n, BINS), dtype=np.uint32)
        self._found, self._open = np.full(n, np.nan), np.ones(n, dtype=np.bool_)
        self._windows, self._values = np.zeros((n, 2), dtype=np.float32), np.empty(0)
        if n:
            glance = no_sink()._replace(histograms=self._histograms)
            _run(Engine(events, only_histograms(program, np.arange(n)), glance, parts=_PARTS))
            self._look(np.arange(n))
        self.sink = self._make_room()
        self.program = replace(program, ops=_with_gather(program.ops, self._chosen))

    def finish(self, counts: IntArray) -> Mapping[tuple[str, str], float]:
        """The medians, once the engine has run; NaN without events. `counts` are the engine's."""
        pairs = self._whole.histograms
        totals = np.array([counts[self._whole.counters[name, EXACT]] for name, _ in pairs], dtype=np.int64)
        # The two middle ranks, the same one for an odd number.
        ranks = np.stack([(totals - 1) // 2, totals // 2], axis=1)
        self._open &= totals > 0
        self._take(ranks)
        while self._open.any():
            self.sink = self._make_room()
            _run(Engine(self._events, only_histograms(self._whole, self._chosen, kind=GATHER), self.sink))
            self._take(ranks)
        return {pair: float(self._found[h]) for pair, h in pairs.items()}

    def _look(self, of: IntArray) -> None:
        """Choose where to look for some medians, by the glance."""
        ends, inside = np.empty((of.size, 2), dtype=np.float32), np.empty(of.size)
        windows(self._histograms[of], self._attempts[of], ends, inside)
        self._windows[of] = ends
        # A quarter more than expected, since values are not evenly spread in a bin, and four standard deviations.
        self._room[of] = _PARTS * (1.25 * inside + 4 * np.sqrt(inside) + 8)

    def _make_room(self) -> Sink:
        """Choose the medians that the next pass looks for, and make room for the values it keeps."""
        wanted = np.flatnonzero(self._open)
        self._chosen = wanted[np.cumsum(self._room[wanted]) <= _AT_ONCE]
        if not self._chosen.size:
            self._chosen = wanted[:1]
        rooms = np.zeros(self._open.size + 1, dtype=np.int64)
        rooms[self._chosen + 1] = self._room[self._chosen] + 1
        rooms = np.cumsum(rooms)
        seen = np.zeros((self._open.size, 2), dtype=np.int64)
        if rooms[-1] > self._values.size:
            self._values = np.empty(rooms[-1])
        return no_sink()._replace(windows=self._windows, seen=seen, rooms=rooms, values=self._values)

    def _take(self, ranks: IntArray) -> None:
        """Take the medians that are among the values kept, and look further for the others."""
        lost = []
        for h in self._chosen[self._open[self._chosen]].tolist():
            below, inside = self.sink.seen[h].tolist()
            first, last = (ranks[h] - below).tolist()
            if first < 0 or last >= inside:
                lost.append(h)
            elif inside > self._room[h]:
                self._room[h] = inside
            else:
                kept = self.sink.values[self.sink.rooms[h] :][:inside]
                kept.partition([first, last])
                self._found[h], self._open[h] = np.mean(kept[[first, last]]), False
        if lost:
            self._attempts[lost] += 1
            self._look(np.array(lost))


def _run(engine: Engine) -> None:
    for _ in engine.run():
        pass


def _with_gather(ops: IntArray, chosen: IntArray) -> IntArray:
    """All operations, with those that fill the chosen histograms made to keep values, and without the other histograms."""
    fills = ops[:, 0] == HISTOGRAM
    ops = ops[~fills | np.isin(ops[:, 3], chosen)].copy()
    ops[ops[:, 0] == HISTOGRAM, 0] = GATHER
    return ops

"""Gate a file block by block: counts and membership, in memory that does not grow with the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from il2cyto._keys import ROOT
from il2cyto.gt._flags import Flag
from il2cyto.gt._kernels._gate import run_block
from il2cyto.gt._kernels._lists import usable_events
from il2cyto.gt._kernels._ops import BINS, LANES, UNSURE
from il2cyto.gt._kernels._views import LEVELS, SHIFT
from il2cyto.gt._program import EXACT, LOOSE, STRICT
from il2cyto.gt._walk import Node, Walk
from il2cyto.template import RefGate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from il2cyto.gt._plan import Events
    from il2cyto.gt._program import Program
    from il2cyto.gt._types import Decision
    from il2cyto.template import Population

    ByteArray = npt.NDArray[np.uint8]


class Sink(NamedTuple):
    """What is looked for to find medians, by the program's numbers.

    Attributes
    ----------
    histograms
        (h, bins) of values.
    windows
        (h, 2) lowest and highest value to keep.
    seen
        (h, 2) how many values lie below, and how many are to be kept.
    rooms
        (h + 1,) where the room for each begins in `values`; the last place of a room is for a value that is not kept.
    values
        The values kept.
    """

    histograms: npt.NDArray[np.uint32]
    windows: npt.NDArray[np.float32]
    seen: npt.NDArray[np.int64]
    rooms: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]


def no_sink() -> Sink:
    """For a program without histograms."""
    shapes = ((0, BINS), (0, 2), (0, 2), (1,), (0,))
    kinds = (np.uint32, np.float32, np.int64, np.int64, np.float64)
    return Sink(*(np.zeros(shape, dtype=kind) for shape, kind in zip(shapes, kinds, strict=True)))


class Canvas(NamedTuple):
    """What densities are drawn with: the tables of axes, the bins of a block's events, grids and spectra by view."""

    tables: npt.NDArray[np.float32]
    bins: npt.NDArray[np.uint8]
    grids: npt.NDArray[np.uint32]
    spectra: npt.NDArray[np.uint32]


class Engine:
    """Runs a program over the blocks of a file.

    Attributes
    ----------
    n_usable
        Events that are finite in every channel of the plan.
    block, positions
        The stored numbers of the events at hand, and where each column of the file stands in them.
    counts
        By the program's counters.
    canvas
        The densities, in the order of the program's views.
    """

    def __init__(self, events: Events, program: Program, sink: Sink | None = None, *, parts: int = 1) -> None:
        """With `parts`, only about one event of so many is looked at, from everywhere in the file."""
        self._program, self._blocks = program, events.file.blocks(program.columns)
        if parts > 1:
            self._blocks = self._blocks.thinned(parts)
        rows = self._blocks.rows
        self.counts = np.zeros(max(len(program.counters), 1), dtype=np.int64)
        self.n_usable = 0
        self._sink = sink or no_sink()
        n = len(program.views)
        self.canvas = Canvas(
            program.tables,
            np.empty((program.n_bins, rows), dtype=np.uint8),
            np.zeros((n, LEVELS >> SHIFT, LEVELS >> SHIFT), dtype=np.uint32),
            np.zeros((n, LEVELS), dtype=np.uint32),
        )
        self.block = np.empty((0, 0))
        self.positions = place = dict(zip(program.columns, self._blocks.positions.tolist(), strict=True))
        self._finite = np.array([place[column] for column in program.finite], dtype=np.int64)
        self._sources = _sources(program, place)
        self._linear = np.empty((program.n_columns + 1, rows))
        self._member = np.zeros((max(program.n_rows, 1), rows), dtype=np.uint8)
        # One list more, for those that nobody reads.
        self._lists = np.empty((program.n_lists + 1, rows), dtype=np.uint32)
        self._lengths = np.zeros(program.n_lists, dtype=np.int64)

    def run(self) -> Iterator[tuple[int, ByteArray]]:
        """Gate block after block; give its first event and the membership of its events, written over by the next block."""
        for start, block in self._blocks:
            n = len(block)
            member = self._member[:, :n]
            self._member.fill(0)
            self._lengths[0] = _list_usable(block, self._finite, self._lists[0])
            self.n_usable += int(self._lengths[0])
            self._run_block(block)
            self.block = block
            yield start, member

    def events_of(self, name: str) -> npt.NDArray[np.uint32]:
        """The events of a population in the block at hand, if the program lists them."""
        at = self._program.lists[name]
        return self._lists[at, : self._lengths[at]]

    def _run_block(self, block: npt.NDArray[np.floating]) -> None:
        p, at = self._program, 0
        while True:
            at = run_block(
                block, at, p.ops, p.parameters, self._sources, p.grids,
                self._linear, self._member, self._lists, self._lengths, self.counts, self._sink, self.canvas,
            )  # fmt: skip
            if at == len(p.ops):
                return
            self._decide(at)
            at += 1

    def _decide(self, at: int) -> None:
        """Answer in numpy what hangs on the last bits of a transform."""
        _, source, row, _, _, parameters, *_ = self._program.ops[at]
        events = self._lists[source, : self._lengths[source]]
        unsure = events[self._member[row, events] == UNSURE]
        curve, columns = self._program.asked[parameters]
        self._member[row, unsure] = curve.contains(*(self._linear[column, unsure] for column in columns))


def _list_usable(block: npt.NDArray[np.floating], needed: npt.NDArray[np.int64], found: npt.NDArray[np.uint32]) -> int:
    bits, exponent = (np.uint32, 0x7F800000) if block.dtype == np.float32 else (np.uint64, 0x7FF0000000000000)
    return int(usable_events(block, block.view(bits).ravel(), bits(exponent), needed, found))


def _sources(program: Program, place: Mapping[int, int]) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    starts = np.cumsum([0, *(len(group) for group in program.groups)], dtype=np.int64)
    pairs = [(place[column], weights) for group in program.groups for column, weights in group]
    positions = np.array([at for at, _ in pairs], dtype=np.uint64)
    weights = np.array([own for _, own in pairs], dtype=np.float64).reshape(-1, LANES)
    return starts, positions, weights


class Counted(Walk[Node]):
    """The populations of a file whose events the engine has counted."""

    def __init__(
        self,
        events: Events,
        program: Program,
        engine: Engine,
        decide: Callable[[Population], Decision],
        polygons: Mapping[str, Sequence[tuple[float, float]]],
    ) -> None:
        self.plan, self._program, self._counts = events.plan, program, engine.counts
        self._decide, self._polygons = decide, polygons
        n = engine.n_usable
        self._found = {ROOT}
        self.nodes = {ROOT: Node(Flag.NONFINITE if n < events.n else Flag.NONE, count=n, parent_count=n)}
        for name in self.plan.template.order:
            self.nodes[name] = self._evaluate(self.plan.template.by_name[name])

    def interval(self, name: str) -> tuple[float, float]:
        """Fraction of the parent with the cuts moved towards fewer and towards more events; NaN where none was fitted."""
        node = self.nodes[name]
        if not node.evaluable or not node.parent_count or (name, STRICT) not in self._program.counters:
            return float("nan"), float("nan")
        strict, loose = self._count(name, STRICT), self._count(name, LOOSE)
        return strict / node.parent_count, loose / node.parent_count

    def _count(self, name: str, what: int | str) -> int:
        return int(self._counts[self._program.counters[name, what]])

    def _empty(self, flags: Flag, cut_flags: Flag, parent: Node) -> Node:
        return Node(flags, cut_flags, parent_count=parent.count)

    def _filled(self, population: Population, parent: Node, *, missing: bool) -> Node:
        flags = Flag.MISSING_PASS if missing else self._cut_flags(population)
        if flags & Flag.GATE_FAILED:
            return self._empty(flags, flags, parent)
        self._found.add(population.name)
        return Node(flags, flags, self._count(population.name, EXACT), parent.count)

    def _cut_flags(self, population: Population) -> Flag:
        gate = population.gate
        if gate is None:
            return self._carried_by_operands(population)
        if population.name in self._polygons:
            return Flag.MANUAL
        if isinstance(gate, RefGate):
            return self.nodes[gate.of].cut_flags if gate.of in self._found else Flag.GATE_FAILED
        if not gate.fitted:
            return Flag.NONE
        decision = self._decide(population)
        return decision.flags | (Flag.GATE_FAILED if decision.cuts is None else Flag.NONE)

    def _n_at_top(self, population: Population, key: str) -> int:
        counted = (population.name, key) in self._program.counters
        return self._count(population.name, key) if counted else 0

"""Values of channels for some of a file's events: read from the stored blocks when asked for, and not kept."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from il2cyto.gt._kernels._columns import (
    LAST_STEP,
    STEPS,
    draw_lots,
    gather,
    list_bits,
    list_finite,
    set_bits,
    to_logicle,
)
from il2cyto.gt._mixing import Mixing
from il2cyto.pp import transform
from il2cyto.pp._transform import logicle_scale
from il2cyto.template import Logicle

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from il2cyto.gt._plan import Events
    from il2cyto.template._transforms import AnyTransform

    FloatArray = npt.NDArray[np.float64]
    Rows = npt.NDArray[np.uint32]
    Bits = npt.NDArray[np.uint8]
    Columns = Mapping[str, FloatArray]

#: Columns of up to this many bytes, at 4 for each number, are read once and held; of a larger file, they are read again for each
#: population.
HELD_BYTES: Final = 14 << 20
#: Events of a population to which a gate is fitted, to which expectations are put, and whose membership is found at once.
MOST, GLANCE, PIECE = 100_000, 20_000, 1 << 15
LOTS: Final = 256


class Piece(NamedTuple):
    """Some events of a population, with values of some channels; of other channels for a few of them, by place, with their lots."""

    rows: Rows
    columns: Columns
    few: npt.NDArray[np.int64]
    lots: npt.NDArray[np.uint8]
    others: Columns


class Stored:
    """The channels of a plan as sums of stored columns of a file."""

    def __init__(self, events: Events) -> None:
        mixing, plan = Mixing(events.file, events.plan), events.plan
        own = {channel.index: key for key, channel in plan.channels.items() if key not in plan.template.dimensions}
        self._plan, self._mixing = plan, {column: mixing.of_key(key)[0].parts for column, key in own.items()}
        sources = {channel.index for channels in plan.sources.values() for channel in channels}
        columns = tuple(sorted(sources | {column for mixed in self._mixing.values() for column, _ in mixed}))
        self.columns, self.blocks = columns, events.file.blocks(columns)

    def sources(self, key: str) -> tuple[npt.NDArray[np.int64], FloatArray]:
        """Which of the columns make up a channel, and their weights."""
        mixed = self._mixing[self._plan.channels[key].index]
        places = np.array([self.columns.index(column) for column, _ in mixed], dtype=np.int64)
        return places, np.array([weight for _, weight in mixed])


class Values:
    """Reads the channels of one file for some of its events, which are given as packed bits.

    Memory: the columns of the plan where they have no more than 14 MB, else one block of the file; one byte an event where there
    are more than :data:`MOST`; and what is asked for.
    """

    def __init__(self, events: Events) -> None:
        self._events, self.plan, self._stored = events, events.plan, Stored(events)
        self._held: npt.NDArray[Any] | None = None
        self._hold = 4 * len(self._stored.columns) * events.n <= HELD_BYTES
        self._lots = np.zeros(events.n if events.n > MOST else 0, dtype=np.uint8)
        self._known: dict[str, tuple[npt.NDArray[np.int64], FloatArray]] = {}

    def usable(self) -> Bits:
        """The events that are finite in every channel of the plan."""
        bits = np.zeros(-(-self._events.n // 8), dtype=np.uint8)
        for start, block in self._blocks():
            found = np.empty(len(block), dtype=np.uint32)
            count = list_finite(block, start, self._positions, found)
            set_bits(bits, found[:count], np.ones(count, dtype=np.bool_))
            if self._lots.size:
                numbers = block.view(np.uint32 if block.dtype == np.float32 else np.uint64)
                draw_lots(numbers, self._positions, self._lots[start : start + len(block)])
        return np.packbits(self._events.usable) if self.plan.template.dimensions else bits

    def pieces(self, keys: Sequence[str], bits: Bits, more: Sequence[str] = (), share: int = LOTS) -> Iterator[Piece]:
        """Events and their compensated values on the linear scale, so many events at a time that numpy is busy.

        Values of `more` are given only for events with a lot below `share`.
        """
        pending: list[Piece] = []
        for start, block in self._blocks():
            rows = list_bits(bits, start, len(block))
            lots = self._lots[rows] if more else self._lots[:0]
            few = np.flatnonzero(lots < share)
            columns = {key: self._gathered(key, block, start, rows) for key in keys}
            others = {key: self._gathered(key, block, start, rows[few]) for key in more}
            pending.append(Piece(rows, columns, few, lots[few], others))
            if sum(piece.rows.size for piece in pending) >= PIECE:
                yield _joined(pending)
                pending = []
        if pending:
            yield _joined(pending)

    def linear(self, keys: Sequence[str], bits: Bits, count: int) -> dict[str, FloatArray]:
        """Compensated values of markers or dimensions on the linear scale; see :class:`Sample` where there are many events."""
        if count <= MOST:
            found = [piece.columns for piece in self.pieces(keys, bits)]
            return {key: np.concatenate([np.empty(0), *(columns[key] for columns in found)]) for key in keys}
        sample = Sample(keys, share_of(count))
        for piece in self.pieces((), bits, keys, sample.share):
            sample.add(piece.lots, piece.others)
        return sample.columns()

    def _gathered(self, key: str, block: npt.NDArray[Any], start: int, rows: Rows) -> FloatArray:
        if key in self.plan.template.dimensions:
            return self._events.linear(key)[rows]
        values = np.empty(rows.size)
        gather(block, start, rows, *self._sources(key), values)
        return values

    def _sources(self, key: str) -> tuple[npt.NDArray[np.int64], FloatArray]:
        if key not in self._known:
            places, weights = self._stored.sources(key)
            self._known[key] = self._positions[places], weights
        return self._known[key]

    @property
    def _positions(self) -> npt.NDArray[np.int64]:
        """Where in a block's rows the columns of the plan are."""
        return np.arange(len(self._stored.columns)) if self._hold else self._stored.blocks.positions

    def _blocks(self) -> Iterator[tuple[int, npt.NDArray[Any]]]:
        if self._held is not None:
            for start in range(0, self._events.n, PIECE):
                yield start, self._held[start : start + PIECE]
            return
        for start, block in self._stored.blocks:
            if not self._hold:
                yield start, block
                continue
            if self._held is None:
                self._held = np.empty((self._events.n, len(self._stored.columns)), dtype=block.dtype)
            held = self._held[start : start + len(block)]
            np.take(block, self._stored.blocks.positions, axis=1, out=held)
            yield start, held


class Sample:
    """The values of as many events as :data:`MOST` allows: of those whose lots are below a power of two.

    Which ones hangs on the events' own numbers, not on their order.
    """

    def __init__(self, keys: Sequence[str], share: int = LOTS) -> None:
        self.share, self._first = share, share
        self._lots = [np.empty(0, dtype=np.uint8)]
        self._columns = {key: [np.empty(0)] for key in keys}
        self._count = 0

    @property
    def full(self) -> bool:
        """Whether no event was left out that there was room for."""
        return self.share < self._first or self._first == LOTS

    def add(self, lots: npt.NDArray[np.uint8], columns: Columns) -> None:
        """Take events with their lots, and leave out more of all where they have become too many."""
        keep = lots < self.share
        self._lots.append(lots[keep])
        for key, values in columns.items():
            self._columns[key].append(values[keep])
        self._count += self._lots[-1].size
        while self.share > 1 and self._count > MOST:
            self.share //= 2
            self._leave_out()

    def columns(self) -> dict[str, FloatArray]:
        """Hand over the values of the events taken."""
        return {key: np.concatenate(self._columns.pop(key)) for key in list(self._columns)}

    def _leave_out(self) -> None:
        keep = [lots < self.share for lots in self._lots]
        self._lots = [lots[kept] for lots, kept in zip(self._lots, keep, strict=True)]
        for key, parts in self._columns.items():
            self._columns[key] = [values[kept] for values, kept in zip(parts, keep, strict=True)]
        self._count = sum(lots.size for lots in self._lots)


def share_of(count: int) -> int:
    """A power of two below which the lots of more than :data:`MOST` of so many events surely are; all lots if there are fewer."""
    share = LOTS
    while share > 1 and count * share > 2 * MOST * LOTS:
        share //= 2
    return share


def _joined(pieces: Sequence[Piece]) -> Piece:
    if len(pieces) == 1:
        return pieces[0]
    starts = np.cumsum([0, *(piece.rows.size for piece in pieces)])
    columns, others = (
        {key: np.concatenate([own[key] for own in parts]) for key in parts[0]}
        for parts in ([piece.columns for piece in pieces], [piece.others for piece in pieces])
    )
    few = np.concatenate([piece.few + start for piece, start in zip(pieces, starts, strict=False)])
    rows, lots = (np.concatenate([getattr(piece, name) for piece in pieces]) for name in ("rows", "lots"))
    return Piece(rows, columns, few, lots, others)


def rescaled(values: FloatArray, spec: AnyTransform) -> FloatArray:
    """As pp.transform for finite values, but for the last bits of a logicle; `values` may be written over."""
    if not isinstance(spec, Logicle):
        return transform(values, spec)
    scale = logicle_scale(float(spec.t), spec.w, spec.m, spec.a)
    to_logicle(values, _steps(spec), *scale)
    return values


@lru_cache(maxsize=64)
def _steps(spec: Logicle) -> FloatArray:
    """Distance from the position of 0 at each step of float32."""
    bits = np.minimum(np.arange(STEPS, dtype=np.uint32), LAST_STEP) << 16
    return transform(bits.view(np.float32), spec) - logicle_scale(float(spec.t), spec.w, spec.m, spec.a).x1

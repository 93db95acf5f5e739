"""Values of channels for some of a file's events: read from the stored blocks when asked for, and not kept."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from il2cyto.gt._kernels._columns import LAST_STEP, STEPS, gather, list_finite, to_logicle
from il2cyto.gt._mixing import Mixing
from il2cyto.pp import transform
from il2cyto.pp._transform import logicle_scale
from il2cyto.template import Logicle

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from il2cyto.gt._plan import Events, Plan
    from il2cyto.template._transforms import AnyTransform

    FloatArray = npt.NDArray[np.float64]
    Rows = npt.NDArray[np.uint32]

#: A file of up to this many bytes is read once and held as it is stored; a larger one is read again for each column.
HELD_BYTES: Final = 1 << 25


class Stored:
    """The channels of a plan as sums of stored columns of a file."""

    def __init__(self, events: Events) -> None:
        mixing, plan = Mixing(events.file, events.plan), events.plan
        own = {channel.index: key for key, channel in plan.channels.items() if key not in plan.template.dimensions}
        self._plan, self._mixing = plan, {column: mixing.of_key(key)[0].parts for column, key in own.items()}
        columns = tuple(sorted({column for mixed in self._mixing.values() for column, _ in mixed}))
        self.blocks = events.file.blocks(columns)
        self._place = dict(zip(columns, self.blocks.positions.tolist(), strict=True))

    def sources(self, key: str) -> tuple[npt.NDArray[np.int64], FloatArray]:
        """Where in a block's rows the columns are that make up a channel, and their weights."""
        mixed = self._mixing[self._plan.channels[key].index]
        positions = np.array([self._place[column] for column, _ in mixed], dtype=np.int64)
        return positions, np.array([weight for _, weight in mixed])


class Values:
    """Reads the channels of one file for lists of its events.

    Memory: the file as stored where it has no more than 32 MB, else one block of it; and what is asked for.
    """

    def __init__(self, events: Events) -> None:
        self._events, self.plan, self._stored = events, events.plan, Stored(events)
        self._held: npt.NDArray[Any] | None = None

    def usable(self) -> Rows:
        """The events that are finite in every channel of the plan, as numbers in the file, ascending."""
        if self.plan.template.dimensions:
            return np.flatnonzero(self._events.usable).astype(np.uint32)
        rows, count = np.empty(self._events.n, dtype=np.uint32), 0
        for start, block in self._blocks():
            count += list_finite(block, start, self._stored.blocks.positions, rows[count:])
        return rows[:count]

    def linear(self, key: str, rows: Rows) -> FloatArray:
        """Compensated values of a marker or dimension on the linear scale."""
        if key in self.plan.template.dimensions:
            return self._events.linear(key)[rows]
        positions, weights = self._stored.sources(key)
        values, first = np.empty(rows.size), 0
        for start, block in self._blocks():
            last = int(np.searchsorted(rows, start + len(block)))
            gather(block, start, rows[first:last], positions, weights, values[first:last])
            first = last
        return values

    def scaled(self, key: str, rows: Rows) -> FloatArray:
        """Values of a marker or dimension on the template's scale."""
        if key in self.plan.template.dimensions:
            return self._events.scaled(key)[rows]
        return rescaled(self.linear(key, rows), scale_of(self.plan, key))

    def _blocks(self) -> Iterator[tuple[int, npt.NDArray[Any]]]:
        if self._held is not None:
            yield 0, self._held
            return
        for start, block in self._stored.blocks:
            if start == 0 and block.nbytes // len(block) * self._events.n <= HELD_BYTES:
                self._held = np.empty((self._events.n, block.shape[1]), dtype=block.dtype)
            if self._held is None:
                yield start, block
            else:
                self._held[start : start + len(block)] = block
        if self._held is not None:
            yield 0, self._held


def scale_of(plan: Plan, key: str) -> AnyTransform:
    """The scale of a channel, with the top of its range."""
    return plan.template.transform.of(key).at_range(plan.channels[key].range)


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

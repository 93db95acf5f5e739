"""A sample of a population's events, in memory that does not grow with the file."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from il2cyto._keys import ROOT
from il2cyto.gt._compile import compile_plan
from il2cyto.gt._engine import Engine
from il2cyto.gt._kernels._columns import LAST_STEP, STEPS, gather, leave_out, take, to_logicle
from il2cyto.gt._mixing import Mixing
from il2cyto.gt._scale import scale_of
from il2cyto.gt._types import Decision
from il2cyto.pp import transform
from il2cyto.pp._transform import logicle_scale
from il2cyto.template import Logicle

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from il2cyto.gt._plan import Events, Plan
    from il2cyto.gt._program import Program
    from il2cyto.io import FcsFile
    from il2cyto.template._transforms import AnyTransform

    FloatArray = npt.NDArray[np.float64]
    Rows = npt.NDArray[np.uint32]

#: Events of a sample. Which ones hangs on their lots, 0 to 255, and these on the events' own numbers: not on their order.
MOST: Final = 100_000
LOTS: Final = 256


class Wish(NamedTuple):
    """A sample that is wanted of a population: the most events, and between what numbers of events the population surely has."""

    most: int
    fewest: float = 0.0
    highest: float = math.inf


@dataclass(frozen=True, eq=False)
class Sample:
    """Events of one population of a file, in their order, as they are stored.

    Attributes
    ----------
    stored
        Events x columns, at most :data:`MOST` events.
    columns
        Which of the file's columns these are.
    share
        The events are those with a lot below this power of two; :data:`LOTS` if they are all.
    """

    stored: npt.NDArray[Any]
    columns: tuple[int, ...]
    share: int

    @property
    def whole(self) -> bool:
        """Whether all events of the population are here."""
        return self.share == LOTS

    def __len__(self) -> int:
        return len(self.stored)

    def estimate(self, count: int) -> int:
        """About how many events `count` of the sample stand for."""
        return count * LOTS // self.share

    def wish(self, count: int, most: int) -> Wish:
        """A sample anew of a population that has `count` events in this one: its size is known to four standard deviations."""
        doubt, each = 4 * math.sqrt(count) + 8, LOTS / self.share
        return Wish(most, max(count - doubt, 0) * each, (count + doubt) * each)

    def thinned(self, most: int) -> Sample:
        """About so many of the events, evenly spread, as if they were all."""
        few = np.linspace(0, len(self) - 1, most).astype(np.int64) if len(self) > most else slice(None)
        return replace(self, stored=self.stored[few], share=LOTS)


class Channels:
    """How the columns of a sample make the channels and dimensions of a plan."""

    def __init__(self, file: FcsFile, plan: Plan) -> None:
        self._plan, mixing = plan, Mixing(file, plan)
        self._mixtures = {key: mixing.of_key(key) for key in {**plan.channels, **plan.sources}}
        used = {column for mixtures in self._mixtures.values() for mixture in mixtures for column, _ in mixture.parts}
        self.columns = tuple(sorted(used))

    def linear(self, key: str, sample: Sample, rows: npt.NDArray[np.int64]) -> FloatArray:
        """Compensated values of a marker or dimension on the linear scale; infinite or NaN where a ratio's denominator is 0."""
        sums = []
        for mixture in self._mixtures[key]:
            places = np.array([sample.columns.index(column) for column, _ in mixture.parts], dtype=np.uint64)
            sums.append(np.empty(rows.size))
            gather(sample.stored, rows, places, np.array([weight for _, weight in mixture.parts]), sums[-1])
        if len(sums) == 1:
            return sums[0]
        ratio = self._plan.template.dimensions[key].ratio
        assert ratio is not None
        with np.errstate(divide="ignore", invalid="ignore"):
            above, below = sums
            return ratio.a * ((above - ratio.b) / (below - ratio.c))

    def scaled(self, key: str, linear: FloatArray) -> FloatArray:
        """Positions on the template's scale; `linear` may be written over."""
        scale = scale_of(self._plan, key)
        return scale(linear) if key in self._plan.template.dimensions else rescaled(linear, scale.spec)


def draw_samples(
    events: Events, program: Program, columns: tuple[int, ...], wishes: Mapping[str, Wish]
) -> tuple[Engine, dict[str, Sample]]:
    """Read a file once and draw a sample of each population from all over it.

    Parameters
    ----------
    events
        The file.
    program
        Lists the events of the populations.
    columns
        The columns of the file that a sample holds.
    wishes
        Population -> the sample wanted of it.

    Returns
    -------
    The engine, with what it counted, and the samples: all events of a population that has no more, else about half as many at
    least.
    """
    engine = Engine(events, replace(program, columns=tuple(sorted({*program.columns, *columns}))))
    places = np.array([engine.positions[column] for column in columns], dtype=np.uint64)
    draws: dict[str, _Draw] = {}
    for _ in engine.run():
        for name, wish in wishes.items():
            if name not in draws:
                draws[name] = _Draw(wish, engine.block, len(columns))
            draws[name].add(engine.block, engine.events_of(name), places)
    if not draws:
        return engine, {name: Sample(np.empty((0, len(columns))), columns, LOTS) for name in wishes}
    return engine, {name: draws.pop(name).sample(columns) for name in wishes}


def draw_root(events: Events) -> Sample:
    """Draw a sample of all usable events of a file, in the channels of its plan."""
    program = compile_plan(events, lambda _: Decision(None), {}, only=frozenset())
    return draw_samples(events, program, Channels(events.file, events.plan).columns, {ROOT: Wish(MOST)})[1][ROOT]


class _Draw:
    """The events of one population taken so far."""

    def __init__(self, wish: Wish, block: npt.NDArray[Any], n_columns: int) -> None:
        self._most, self._count, self._share = wish.most, 0, LOTS
        while self._share > 1 and wish.fewest * self._share > wish.most * LOTS:
            self._share //= 2
        room = int(min(wish.most, wish.highest * self._share / LOTS)) + len(block)
        self._stored, self._lots = np.empty((room, n_columns), block.dtype), np.empty(room, np.uint8)

    def add(self, block: npt.NDArray[Any], among: Rows, places: npt.NDArray[np.uint64]) -> None:
        """Take events of a block, and leave out half of all where they have become too many."""
        room = len(self._lots)
        if self._count + among.size > room:  # more than the population was said to have, or all alike
            self._stored, self._lots = (
                np.resize(self._stored, (2 * room, self._stored.shape[1])),
                np.resize(self._lots, 2 * room),
            )
        numbers = block.view(np.uint32 if block.dtype == np.float32 else np.uint64)
        self._count = take(block, numbers, among, places, self._share, self._count, self._stored, self._lots)
        while self._count > self._most and self._share > 1:
            self._share //= 2
            self._count = leave_out(self._share, self._count, self._stored, self._lots)

    def sample(self, columns: tuple[int, ...]) -> Sample:
        """What was taken; room that was not needed is given back if it is much."""
        kept = self._stored[: self._count]
        return Sample(kept.copy() if 4 * self._count < 3 * len(self._stored) else kept, columns, self._share)


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

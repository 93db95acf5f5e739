"""The tree by sets of events: each population looks only at its parent's, and only in the channels of its own gate."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np

from il2cyto._keys import ROOT
from il2cyto.gt._flags import Flag
from il2cyto.gt._kernels._columns import list_bits, set_bits
from il2cyto.gt._scale import scale_of
from il2cyto.gt._tree import fitted_shape, fixed_shape
from il2cyto.gt._values import GLANCE, MOST, Sample, Values, rescaled, share_of
from il2cyto.gt._walk import Node, Walk
from il2cyto.template import RefGate

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    import numpy.typing as npt

    from il2cyto.gt._plan import Events, Plan
    from il2cyto.gt._tree import Scales
    from il2cyto.gt._types import Decision
    from il2cyto.template import Gate, GatingTemplate, Population

    FloatArray = npt.NDArray[np.float64]
    BoolArray = npt.NDArray[np.bool_]
    Bits = npt.NDArray[np.uint8]

#: Columns that are kept for the next populations: a few channels of the gates at hand, and of those below.
_KEPT = 4
#: A population of this part of its parent or more is sampled for the gates below while it is found.
_SMALLEST = 4


@dataclass(slots=True)
class RowNode(Node):
    """A population of one file with its events, one bit each; None where it is not evaluable."""

    bits: Bits | None = None


class Fit(Protocol):
    """What finds the cuts of a fitted gate."""

    def __call__(self, population: Population, gate: Gate, tree: RowTree) -> Decision: ...


class RowTree(Walk[RowNode]):
    """The populations of one file that the gates of `wanted` stand on, and these gates themselves.

    Of the gates in `only_fitted` the cuts are wanted and nobody asks for their events. With `most`, about so many events spread
    evenly over the file are looked at. Memory: one bit for each event and population on the way, and the values of at most
    about 100,000 events in a few channels.
    """

    def __init__(
        self,
        events: Events,
        fit: Fit,
        wanted: Collection[str],
        *,
        only_fitted: Collection[str] = (),
        most: int | None = None,
    ) -> None:
        self.events, self.plan, self.template, self._fit = events, events.plan, events.plan.template, fit
        self._values = Values(events)
        self._columns: dict[tuple[str, str], FloatArray] = {}
        self._cuts: dict[str, Mapping[str, float]] = {}
        self._glances: dict[tuple[str, str], FloatArray] = {}
        self._ahead = _channels_fitted(self.plan, {*wanted, *only_fitted})
        self._expected = _channels_expected(self.plan, wanted)
        bits = self._values.usable()
        count = _count(bits)
        flags = Flag.NONFINITE if count < events.n else Flag.NONE
        if most is not None and count > most:
            rows, bits = list_bits(bits, 0, events.n), np.zeros_like(bits)
            rows = rows[np.linspace(0, count - 1, most).astype(np.int64)]
            count = set_bits(bits, rows, np.ones(most, dtype=np.bool_))
        self.nodes = {ROOT: RowNode(flags, count=count, parent_count=count, bits=bits)}
        above = {name for of in only_fitted for name in _above(self.template, of)}
        self._needed = _with_all_above(self.template, {*wanted, *above})
        for name in self.template.order:
            if name in self._needed or name in only_fitted:
                self.nodes[name] = self._evaluate(self.template.by_name[name])

    def values(self, key: str, population: str) -> FloatArray:
        """Values of a channel on the template's scale for the events of a population, or for about 100,000 of them."""
        if (key, population) not in self._columns:
            self._keep(population, self._linear([key, *self._looked_at(population)], population), [key])
        return self._columns[key, population]

    def glance(self, key: str, population: str) -> FloatArray:
        """The values of about 20,000 events of a population at most."""
        if (key, population) not in self._glances:
            self._keep(population, self._linear([key, *self._looked_at(population)], population), glanced_at=[key])
        return self._glances[key, population]

    def linear(self, key: str, population: str) -> FloatArray:
        """Compensated values on the linear scale for the same events."""
        return self._linear([key], population)[key]

    def rows(self, population: str) -> npt.NDArray[np.uint32]:
        """The numbers of a population's events in the file, ascending."""
        return list_bits(self._bits(population), 0, self.events.n)

    def _linear(self, keys: Sequence[str], population: str) -> dict[str, FloatArray]:
        return self._values.linear(list(dict.fromkeys(keys)), self._bits(population), self.nodes[population].count)

    def _looked_at(self, population: str) -> list[str]:
        """The channels in which a population is looked at by gates to be fitted and by expectations."""
        return list(dict.fromkeys([*self._ahead.get(population, ()), *self._expected.get(population, ())]))

    def _keep(
        self,
        population: str,
        linear: Mapping[str, FloatArray],
        fitted: Sequence[str] = (),
        *,
        glanced_at: Sequence[str] = (),
    ) -> None:
        """Keep what the next gates and the expectations look at, the first columns longest."""
        fitted = [*fitted, *self._ahead.get(population, ())]
        glanced_at = [*glanced_at, *self._expected.get(population, ())]
        for key, values in reversed(list(linear.items())):
            scaled = self._scaled(key, values)
            if key in glanced_at:
                self._glances[key, population] = scaled[:: -(-scaled.size // GLANCE) or 1].copy()
            if key in fitted:
                self._columns.pop((key, population), None)
                while len(self._columns) >= _KEPT:
                    self._columns.pop(next(iter(self._columns)))
                self._columns[key, population] = scaled

    def _scaled(self, key: str, linear: FloatArray) -> FloatArray:
        scale = scale_of(self.plan, key)
        return scale(linear) if key in self.template.dimensions else rescaled(linear, scale.spec)

    def _bits(self, population: str) -> Bits:
        bits = self.nodes[population].bits
        if bits is None:
            msg = "a population that is not evaluable has no events"
            raise ValueError(msg)
        return bits

    def _empty(self, flags: Flag, cut_flags: Flag, parent: RowNode) -> RowNode:
        return RowNode(flags, cut_flags, parent_count=parent.count)

    def _filled(self, population: Population, parent: RowNode, *, missing: bool) -> RowNode:
        bits = self._bits(population.parent)
        if not missing:
            if population.name not in self._needed and population.gate is not None:
                self._fitted(population, population.gate)
                return self._empty(Flag.NONE, Flag.NONE, parent)
            inside = self._inside(population, population.parent)
            if inside is None:
                return self._empty(Flag.GATE_FAILED, Flag.GATE_FAILED, parent)
            bits = bits & inside
        return RowNode(Flag.NONE, Flag.NONE, _count(bits), parent.count, bits)

    def _inside(self, population: Population, of: str) -> Bits | None:
        """Which events of the population `of` another's gate takes in; None where that gate has no cut. Other bits say nothing."""
        gate, name = population.gate, population.name
        if population.expression is not None:
            inside: Bits = population.expression.evaluate(self._bits)
            return inside
        if gate is None:
            msg = f"population {name!r} has no gate"
            raise ValueError(msg)
        if isinstance(gate, RefGate):
            return self._referred(gate, of)
        if population.parent == of and name in self.nodes:
            return self.nodes[name].bits
        if not gate.fitted:
            return self._shape(name, of, partial(fixed_shape, gate))
        cuts = self._fitted(population, gate) if population.parent == of else self._cuts.get(name)
        if cuts is None:
            return None
        return self._shape(name, of, lambda among: fitted_shape(gate, among, cuts, {}).mask)

    def _fitted(self, population: Population, gate: Gate) -> Mapping[str, float] | None:
        if population.name not in self._cuts:
            cuts = self._fit(population, gate, self).cuts
            if cuts is not None:
                self._cuts[population.name] = cuts
        return self._cuts.get(population.name)

    def _referred(self, gate: RefGate, of: str) -> Bits | None:
        inside = self._inside(self.template.by_name[gate.of], of) if self.nodes[gate.of].evaluable else None
        same = gate.same_side(self.template.by_name[gate.of].gate)
        return inside if same or inside is None else ~inside

    def _shape(self, name: str, of: str, shape: Callable[[Scales], BoolArray]) -> Bits:
        """Which events of the population `of` lie in the shape of another's gate."""
        gate = self.template.by_name[name].gate
        keys = gate.keys if gate else ()
        inside = np.zeros_like(self._bits(of))
        if self.nodes[of].count <= MOST:  # the values to which the gate was fitted
            set_bits(inside, self.rows(of), shape(_Among(self, of)))
            return inside
        ahead = self._looked_at(name)
        sample = Sample(ahead, share_of(self.nodes[of].count // _SMALLEST))
        for piece in self._values.pieces(keys, self._bits(of), ahead, sample.share):
            chosen = shape(_Some(self, piece.columns))
            set_bits(inside, piece.rows, chosen)
            few = chosen[piece.few]
            sample.add(piece.lots[few], {key: values[few] for key, values in piece.others.items()})
        if sample.full:
            self._keep(name, sample.columns())
        return inside

    def _n_at_top(self, population: Population, key: str) -> int:
        del population, key
        return 0  # a warning that concerns no cut


@dataclass(frozen=True, slots=True)
class _Some:
    """The columns of some events of a population."""

    tree: RowTree
    columns: Mapping[str, FloatArray]

    @property
    def plan(self) -> Plan:
        return self.tree.plan

    def scaled(self, key: str) -> FloatArray:
        return self.tree._scaled(key, self.columns[key].copy())

    def linear(self, key: str) -> FloatArray:
        return self.columns[key]


@dataclass(frozen=True, slots=True)
class _Among:
    """The columns of all events of a population."""

    tree: RowTree
    population: str

    @property
    def plan(self) -> Plan:
        return self.tree.plan

    def scaled(self, key: str) -> FloatArray:
        return self.tree.values(key, self.population)

    def linear(self, key: str) -> FloatArray:
        return self.tree.linear(key, self.population)


def _count(bits: Bits) -> int:
    return int(np.bitwise_count(bits).sum(dtype=np.int64))


def _channels_fitted(plan: Plan, fitted: Collection[str]) -> dict[str, list[str]]:
    """Population -> the channels in which gates to be fitted look at it, as parent or as reference."""
    found: dict[str, list[str]] = {}
    template = plan.template
    for population in (template.by_name[name] for name in template.order if name in fitted):
        gate = population.gate
        if gate is not None and gate.fitted and not plan.missing(population):
            for name in (population.parent, getattr(gate, "reference", None)):
                if name is not None:
                    found.setdefault(name, []).extend(gate.keys)
    return found


def _channels_expected(plan: Plan, wanted: Collection[str]) -> dict[str, list[str]]:
    """Population -> the channels of which something is expected there, as far as the file has them."""
    found: dict[str, list[str]] = {}
    for expectation in plan.template.expect:
        for name in expectation.populations:
            if name in wanted:
                found.setdefault(name, []).extend(m for m in expectation.markers if m in plan.channels)
    return found


def _with_all_above(template: GatingTemplate, wanted: Collection[str]) -> set[str]:
    """The populations `wanted` and all that they stand on."""
    needed = set(wanted)
    for name in reversed(template.order):
        if name in needed:
            needed.update(_above(template, name))
    return needed


def _above(template: GatingTemplate, name: str) -> tuple[str, ...]:
    """What a population stands on: its parent, operands, references."""
    population = template.by_name[name]
    return (population.parent, *population.referred)

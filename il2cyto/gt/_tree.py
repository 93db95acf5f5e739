"""The tree in numpy, on whole columns: what the compiled engine is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from il2cyto._keys import ROOT
from il2cyto.gt import _shapes
from il2cyto.gt._flags import Flag
from il2cyto.gt._versions import versions
from il2cyto.gt._walk import Node, Walk
from il2cyto.template import BoundaryGate, RefGate, SingletGate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from il2cyto.gt._plan import Events, Plan
    from il2cyto.gt._types import Decision
    from il2cyto.template import Gate, Population

    BoolArray = npt.NDArray[np.bool_]
    FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Band:
    """Membership under a gate's cut, and under the cut moved by its spread towards fewer and towards more events."""

    strict: BoolArray
    mask: BoolArray
    loose: BoolArray

    @classmethod
    def exact(cls, mask: BoolArray) -> Band:
        """Membership that no cut's spread can change."""
        return cls(mask, mask, mask)

    def __and__(self, other: Band) -> Band:
        return self._join(other, np.logical_and)

    def __or__(self, other: Band) -> Band:
        return self._join(other, np.logical_or)

    def __invert__(self) -> Band:
        mask = ~self.mask
        return Band(
            mask if self.loose is self.mask else ~self.loose, mask, mask if self.strict is self.mask else ~self.strict
        )

    def _join(self, other: Band, join: np.ufunc) -> Band:
        mask = join(self.mask, other.mask)
        sharp = self.strict is self.mask is self.loose and other.strict is other.mask is other.loose
        return Band.exact(mask) if sharp else Band(join(self.strict, other.strict), mask, join(self.loose, other.loose))


class Scales(Protocol):
    """Columns by marker: of all events of a file, or of some of them."""

    @property
    def plan(self) -> Plan:
        """Where the template's markers are in the file."""

    def linear(self, key: str) -> FloatArray:
        """Compensated values on the linear scale."""

    def scaled(self, key: str) -> FloatArray:
        """Values on the template's scale."""


class CutSource(Protocol):
    """Where the cuts of a fitted gate come from."""

    def __call__(self, population: Population, gate: Gate, tree: Tree) -> Decision: ...


@dataclass(slots=True)
class BandNode(Node):
    """A population of one file with its events."""

    band: Band | None = None  # inside the population, that is also inside its parent
    shape: Band | None = None  # inside the gate alone, wherever in the file

    @property
    def mask(self) -> BoolArray:
        """Events inside; a population that is not evaluable has none to give, which is an error."""
        if self.band is None:
            msg = "a population that is not evaluable has no events"
            raise ValueError(msg)
        return self.band.mask


class Tree(Walk[BandNode]):
    """The populations of one file, evaluated in the order of the template on whole columns of events.

    Fitted gates take their cuts from `source`; `polygons` are gates that a person drew in place of the template's. After
    construction ``nodes`` holds every population, evaluable or not, and ``nodes["root"]`` the file's usable events.
    """

    def __init__(
        self, events: Events, source: CutSource, *, polygons: Mapping[str, Sequence[tuple[float, float]]] | None = None
    ) -> None:
        self.events, self.plan, self.template, self._source = events, events.plan, events.plan.template, source
        self._polygons = polygons or {}
        usable = events.usable
        n = int(np.count_nonzero(usable))
        flags = Flag.NONFINITE if n < events.n else Flag.NONE
        self.nodes = {ROOT: BandNode(flags, count=n, parent_count=n, band=Band.exact(usable))}
        for name in self.template.order:
            self.nodes[name] = self._evaluate(self.template.by_name[name])

    def _empty(self, flags: Flag, cut_flags: Flag, parent: BandNode) -> BandNode:
        return BandNode(flags, cut_flags, parent_count=parent.count)

    def _filled(self, population: Population, parent: BandNode, *, missing: bool) -> BandNode:
        shape: Band | None
        if missing:
            shape, cut_flags = Band.exact(self.nodes[ROOT].mask), Flag.MISSING_PASS
        elif population.expression is not None:
            shape = population.expression.evaluate(lambda name: self.nodes[name].band)
            cut_flags = self._carried_by_operands(population)
        else:
            shape, cut_flags = self._gate(population)
        if shape is None:
            return self._empty(cut_flags, cut_flags, parent)
        band = shape & Band.exact(parent.mask)
        return BandNode(cut_flags, cut_flags, int(np.count_nonzero(band.mask)), parent.count, band, shape)

    def _gate(self, population: Population) -> tuple[Band | None, Flag]:
        gate = population.gate
        if gate is None:
            msg = f"population {population.name!r} has no gate"
            raise ValueError(msg)
        if population.name in self._polygons:
            x, y = (self.events.scaled(key) for key in gate.keys)
            return Band.exact(_shapes.polygon(x, y, self._polygons[population.name])), Flag.MANUAL
        if isinstance(gate, RefGate):
            return self._referred(gate)
        if not gate.fitted:
            return Band.exact(fixed_shape(gate, self.events)), Flag.NONE
        decision = self._source(population, gate, self)
        if decision.cuts is None:
            return None, decision.flags | Flag.GATE_FAILED
        return fitted_shape(gate, self.events, decision.cuts, decision.spread), decision.flags

    def _referred(self, gate: RefGate) -> tuple[Band | None, Flag]:
        node = self.nodes[gate.of]
        if node.shape is None:
            return None, Flag.GATE_FAILED
        same = gate.same_side(self.template.by_name[gate.of].gate)
        return node.shape if same else ~node.shape, node.cut_flags

    def _n_at_top(self, population: Population, key: str) -> int:
        values = self.events.linear(key)[self.nodes[population.parent].mask]
        return int(np.count_nonzero(_shapes.in_top_bin(values, self.plan.channels[key].range)))


def fixed_shape(gate: Gate, events: Scales) -> BoolArray:
    """Membership in a gate that no method fits."""
    scaled = [events.scaled(key) for key in gate.keys]
    if not isinstance(gate, BoundaryGate):
        return _shapes.fixed_shape(gate, scaled)
    channels = [events.plan.channels[key] for key in gate.keys]
    off_edge = _shapes.boundary(
        [events.linear(key) for key in gate.keys],
        [channel.range for channel in channels],
        [channel.detector == "scatter" for channel in channels],
    )
    return off_edge & _shapes.all_within(scaled, gate.min, gate.max)


def fitted_shape(gate: Gate, events: Scales, cuts: Mapping[str, float], spread: Mapping[str, float]) -> Band:
    """Membership in a fitted gate at its cuts, and at its cuts ± spread where a spread is given."""
    if isinstance(gate, SingletGate):
        area, height = (events.scaled(key) for key in gate.keys)
        return Band.exact(_shapes.singlet(area, height, cuts, gate.side))
    strict, exact, loose = versions(gate, cuts, spread)
    mask = fixed_shape(exact, events)
    return Band.exact(mask) if strict is exact else Band(fixed_shape(strict, events), mask, fixed_shape(loose, events))

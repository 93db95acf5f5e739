"""The tree by lists of events: each population looks only at its parent's, and only in the channels of its own gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from il2cyto._keys import ROOT
from il2cyto.gt._flags import Flag
from il2cyto.gt._kernels._columns import membership
from il2cyto.gt._tree import fitted_shape, fixed_shape
from il2cyto.gt._values import Values
from il2cyto.gt._walk import Node, Walk
from il2cyto.template import RefGate

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import numpy.typing as npt

    from il2cyto.gt._plan import Events, Plan
    from il2cyto.gt._types import Decision
    from il2cyto.template import Gate, GatingTemplate, Population

    FloatArray = npt.NDArray[np.float64]
    BoolArray = npt.NDArray[np.bool_]

#: Columns that are kept for the next population: two channels of a gate, which its complement needs too.
_KEPT = 2


@dataclass(slots=True)
class RowNode(Node):
    """A population of one file with the numbers of its events, ascending; None where it is not evaluable."""

    rows: npt.NDArray[np.uint32] | None = None


class Fit(Protocol):
    """What finds the cuts of a fitted gate."""

    def __call__(self, population: Population, gate: Gate, tree: RowTree) -> Decision: ...


class RowTree(Walk[RowNode]):
    """The populations of one file that the gates of `wanted` stand on, and these gates themselves.

    With `most`, about so many events spread evenly over the file are looked at. Memory: 4 bytes for each event of each population on the way, 8 for each value of the gate at hand.
    """

    def __init__(self, events: Events, fit: Fit, wanted: Collection[str], *, most: int | None = None) -> None:
        self.events, self.plan, self.template, self._fit = events, events.plan, events.plan.template, fit
        self._values = Values(events)
        self._columns: dict[tuple[str, str], FloatArray] = {}
        self._cuts: dict[str, Mapping[str, float]] = {}
        rows = self._values.usable()
        flags = Flag.NONFINITE if rows.size < events.n else Flag.NONE
        if most is not None and rows.size > most:
            rows = rows[np.linspace(0, rows.size - 1, most).astype(np.int64)]
        self.nodes = {ROOT: RowNode(flags, count=rows.size, parent_count=rows.size, rows=rows)}
        needed = _with_all_above(self.template, wanted)
        for name in self.template.order:
            if name in needed:
                self.nodes[name] = self._evaluate(self.template.by_name[name])

    def values(self, key: str, population: str) -> FloatArray:
        """Values of a channel on the template's scale for the events of a population."""
        if (key, population) not in self._columns:
            while len(self._columns) >= _KEPT:
                self._columns.pop(next(iter(self._columns)))
            self._columns[key, population] = self._values.scaled(key, self._rows(population))
        return self._columns[key, population]

    def linear(self, key: str, population: str) -> FloatArray:
        """Compensated values of a channel on the linear scale for the events of a population."""
        return self._values.linear(key, self._rows(population))

    def _rows(self, population: str) -> npt.NDArray[np.uint32]:
        rows = self.nodes[population].rows
        if rows is None:
            msg = "a population that is not evaluable has no events"
            raise ValueError(msg)
        return rows

    def _empty(self, flags: Flag, cut_flags: Flag, parent: RowNode) -> RowNode:
        return RowNode(flags, cut_flags, parent_count=parent.count)

    def _filled(self, population: Population, parent: RowNode, *, missing: bool) -> RowNode:
        rows = self._rows(population.parent)
        if not missing:
            inside = self._inside(population, population.parent)
            if inside is None:
                return self._empty(Flag.GATE_FAILED, Flag.GATE_FAILED, parent)
            rows = rows[inside]
        return RowNode(Flag.NONE, Flag.NONE, rows.size, parent.count, rows)

    def _inside(self, population: Population, of: str) -> BoolArray | None:
        """Which events of the population `of` another's gate takes in; None where that gate has no cut."""
        gate, among = population.gate, _Among(self, of)
        if population.expression is not None:
            inside: BoolArray = population.expression.evaluate(
                lambda name: membership(self._rows(of), self._rows(name))
            )
            return inside
        if gate is None:
            msg = f"population {population.name!r} has no gate"
            raise ValueError(msg)
        if isinstance(gate, RefGate):
            return self._referred(gate, of)
        if not gate.fitted:
            return fixed_shape(gate, among)
        if population.parent == of and population.name not in self._cuts:
            cuts = self._fit(population, gate, self).cuts
            if cuts is not None:
                self._cuts[population.name] = cuts
        return (
            fitted_shape(gate, among, self._cuts[population.name], {}).mask if population.name in self._cuts else None
        )

    def _referred(self, gate: RefGate, of: str) -> BoolArray | None:
        inside = self._inside(self.template.by_name[gate.of], of) if self.nodes[gate.of].evaluable else None
        same = gate.same_side(self.template.by_name[gate.of].gate)
        return inside if same or inside is None else ~inside

    def _n_at_top(self, population: Population, key: str) -> int:
        del population, key
        return 0  # a warning that concerns no cut


@dataclass(frozen=True, slots=True)
class _Among:
    """The columns of one population's events."""

    tree: RowTree
    population: str

    @property
    def plan(self) -> Plan:
        return self.tree.plan

    def scaled(self, key: str) -> FloatArray:
        return self.tree.values(key, self.population)

    def linear(self, key: str) -> FloatArray:
        return self.tree.linear(key, self.population)


def _with_all_above(template: GatingTemplate, wanted: Collection[str]) -> set[str]:
    """The populations `wanted` and all that they stand on: parents, operands, references."""
    needed = set(wanted)
    for name in reversed(template.order):
        if name in needed:
            needed.update((template.by_name[name].parent, *template.by_name[name].referred))
    return needed

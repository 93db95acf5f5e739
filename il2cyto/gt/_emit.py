"""From a gate to operations: which tests the events of a population must pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from il2cyto.gt._curves import band_curve, curve_of
from il2cyto.gt._kernels import _ops as k
from il2cyto.gt._program import Asked, FittedBand, FittedCut, side
from il2cyto.template._cuts import SingletGate
from il2cyto.template._gate import RefGate
from il2cyto.template._shapes import BoundaryGate, FixedGate, IntervalGate, QuadrantGate, RectangleGate
from il2cyto.template._transforms import Log

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from il2cyto.gt._table import Table
    from il2cyto.template import Expression, Gate, Population

    Vertices = Sequence[tuple[float, float]]

#: Positions at infinity, such as the logarithm of 0, lie in no interval.
_LOWEST = -float(np.finfo(np.float64).max)


class Shapes:
    """Writes the tests of gates into a table; `cuts`, `bands` and `asked` are those of :class:`Program`."""

    def __init__(
        self,
        table: Table,
        polygons: Mapping[str, Vertices],
        rows: Mapping[str, tuple[int, int, int]],
        shapes: Mapping[str, tuple[Gate, Gate, Gate]],
    ) -> None:
        self._shapes = shapes
        self._table, self._plan, self._polygons, self._rows = table, table.plan, polygons, rows
        self.cuts: list[FittedCut] = []
        self.bands: list[FittedBand] = []
        self.asked: dict[int, Asked] = {}

    def test(self, name: str, source: str, row: int, version: int) -> None:
        """Write what tests the events of `source` with the gate of a population; the answer comes into `row`."""
        population = self._plan.template.by_name[name]
        gate = population.gate
        if population.expression is not None:
            answer = self._expression(population.expression, source, version)
            self._table.emit(k.AND, source, row, answer, answer)
        elif gate is None:
            msg = f"population {name!r} has no gate"
            raise ValueError(msg)
        elif name in self._polygons:
            self._curve(gate, source, row, self._polygons[name])
        elif isinstance(gate, RefGate):
            self._referred(gate, source, row, version)
        elif isinstance(gate, SingletGate):
            self._band(population, gate, source, row)
        elif name in self._shapes:
            self._fixed(self._shapes[name][version], source, row)
        elif gate.fitted:
            self._cut(population, gate, source, row, version)
        else:
            self._fixed(gate, source, row)

    def _referred(self, gate: RefGate, source: str, row: int, version: int) -> None:
        same = gate.same_side(self._plan.template.by_name[gate.of].gate)
        self.test(gate.of, source, row, version if same else 2 - version)
        if not same:
            self._table.emit(k.NOT, source, row, row)

    def _cut(self, population: Population, gate: Gate, source: str, row: int, version: int) -> None:
        key, at = gate.keys[0], self._table.reserve(2)
        self.cuts.append(FittedCut(at, population, version, self._table.scale(key)))
        self._table.emit(k.WITHIN, source, row, self._table.column(key, source), k.SET, at)

    def _band(self, population: Population, gate: SingletGate, source: str, row: int) -> None:
        x, y = (self._table.scale(key) for key in gate.keys)
        area, height = (self._table.column(key, source) for key in gate.keys)
        at = self._table.curve(band_curve(x, y), source, row, (area, height))
        self.bands.append(FittedBand(at, population, gate, (x, y), (area, height)))

    def _fixed(self, gate: Gate, source: str, row: int) -> None:
        match gate:
            case FixedGate():
                self._table.interval(gate.channel, *side(gate.at, gate.keep), source, row, k.SET)
            case IntervalGate():
                self._interval(gate.channel, gate.min, gate.max, source, row, k.SET)
            case RectangleGate():
                for i, (key, low, high) in enumerate(zip(gate.channels, gate.min, gate.max, strict=True)):
                    self._interval(key, low, high, source, row, k.ALSO if i else k.SET)
            case QuadrantGate():
                for key, at, keep, how in zip(gate.channels, (gate.x, gate.y), gate.keep, (k.SET, k.ALSO), strict=True):
                    low, high = (at, None) if keep == "above" else (None, at)
                    self._interval(key, low, high, source, row, how)
            case BoundaryGate():
                self._boundary(gate, source, row)
            case _:
                self._curve(gate, source, row)

    def _interval(self, key: str, low: float | None, high: float | None, source: str, row: int, how: int) -> None:
        low, high = _LOWEST if low is None else low, np.inf if high is None else high
        self._table.interval(key, low, high, source, row, how)

    def _boundary(self, gate: BoundaryGate, source: str, row: int) -> None:
        self._table.emit(k.ALL, source, row)
        for key in gate.channels:
            channel = self._plan.channels[key]
            if channel.detector == "scatter":
                self._table.linear_interval(key, np.nextafter(0.0, 1.0), np.inf, source, row, k.ALSO)
            if np.isfinite(channel.range) and channel.range > 1:
                self._table.linear_interval(key, channel.range - 1, channel.range, source, row, k.ALSO_NOT)
            if gate.min is not None or gate.max is not None or isinstance(self._table.scale(key).spec, Log):
                self._interval(key, gate.min, gate.max, source, row, k.ALSO)

    def _curve(self, gate: Gate, source: str, row: int, vertices: Vertices | None = None) -> None:
        curve = curve_of(gate, [self._table.scale(key) for key in gate.keys], vertices=vertices)
        columns = tuple(self._table.column(key, source) for key in gate.keys)
        self.asked[self._table.curve(curve, source, row, columns)] = Asked(curve, columns)

    def _expression(self, node: Expression, source: str, version: int) -> int:
        """Write a boolean expression and return the row of its answer; ``not`` swaps stricter and looser."""
        if node.operator == "name":
            return self._rows[node.name][version]
        row = self._table.row()
        if node.operator == "not":
            self._table.emit(k.NOT, source, row, self._expression(node.operands[0], source, 2 - version))
        else:
            parts = [self._expression(part, source, version) for part in node.operands]
            self._table.emit(k.AND if node.operator == "and" else k.OR, source, row, *parts)
        return row

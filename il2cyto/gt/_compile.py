"""From a template, a panel and the final cuts to the table of operations that the kernel runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from il2cyto._keys import ROOT
from il2cyto.gt._curves import Curve, curve_of
from il2cyto.gt._kernels import _gate as k
from il2cyto.gt._linear import linear_cuts
from il2cyto.gt._passes import fuse_cuts, merge_columns
from il2cyto.gt._walk import keys_with_a_top
from il2cyto.pp._compensation import inverse
from il2cyto.template._gates import (
    BoundaryGate,
    FixedGate,
    IntervalGate,
    QuadrantGate,
    RectangleGate,
    ReferenceLineGate,
    RefGate,
    SingletGate,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from il2cyto.gt._plan import Events, Plan
    from il2cyto.gt._tree import Decision
    from il2cyto.io import Spillover
    from il2cyto.template import Expression, Gate, GatingTemplate, Population
    from il2cyto.template._transforms import Asinh, Linear, Log, Logicle, NoTransform

    Spec = Logicle | Linear | Asinh | Log | NoTransform
    IntArray = npt.NDArray[np.int64]
    FloatArray = npt.NDArray[np.float64]
    ByteArray = npt.NDArray[np.uint8]

#: Versions of a gate: its cut moved towards fewer events, its cut, its cut moved towards more.
STRICT, EXACT, LOOSE = 0, 1, 2
_OP_SIZE = 9


@dataclass(frozen=True, eq=False)
class Program:
    """What the kernel needs to gate any block of a file, and where to find its answers.

    Attributes
    ----------
    columns
        Columns of the file that are read, and in which an event must be finite.
    groups
        For each COLUMNS the columns of the file and their weights in up to four columns on the linear scale.
    rows
        Population -> its rows of membership, by version; populations that cannot be evaluated are absent.
    counters
        (population, version) or (population, channel) -> where its count is.
    histograms
        (population, marker) -> the histogram of its values, of which the median is found; empty if not asked for.
    curves
        Place of its parameters -> the shape in numpy, which decides when the kernel is not sure.
    """

    columns: tuple[int, ...]
    groups: tuple[tuple[tuple[int, tuple[float, ...]], ...], ...]
    n_columns: int
    ops: IntArray
    parameters: FloatArray
    grids: tuple[IntArray, ByteArray, ByteArray]
    rows: Mapping[str, tuple[int, int, int]]
    counters: Mapping[tuple[str, int | str], int]
    histograms: Mapping[tuple[str, str], int]
    curves: Mapping[int, Curve]
    n_rows: int
    n_lists: int


#: The scales on which the engine equals the reference in numpy event by event. On a logarithmic scale 0 and below lie in no
#: interval, which a threshold on the linear scale cannot say; the scales of other programs are evaluated in numpy alone.
_SCALES = frozenset(("logicle", "linear", "asinh", "none"))


def can_compile(template: GatingTemplate) -> bool:
    """Whether the engine serves a template; the others, imported ones mostly, are gated by the reference in numpy."""
    gates = [p.gate for p in template.populations if p.gate is not None]
    flat = all(len(gate.keys) <= 2 or isinstance(gate, BoundaryGate) for gate in gates)
    known = all(template.transform.of(key).method in _SCALES for gate in gates for key in gate.keys)
    return flat and known and not template.dimensions and not template.matrices


def compile_plan(
    events: Events,
    decide: Callable[[Population], Decision],
    polygons: Mapping[str, Sequence[tuple[float, float]]],
    *,
    medians: bool = False,
) -> Program:
    """Compile the populations that have a cut and their channels; whether they have the events is seen after counting."""
    return _Compiler(events.plan, _mixing(events), _detectors(events), decide, polygons).compile(medians=medians)


def markers_of(plan: Plan) -> list[str]:
    """The markers of which medians are given."""
    return [key for key, channel in plan.channels.items() if channel.detector in ("fluor", "element")]


def _mixing(events: Events) -> dict[int, tuple[tuple[int, float], ...]]:
    """Column -> the stored columns and weights that give its compensated values."""
    mixing: dict[int, tuple[tuple[int, float], ...]] = {
        c.index: ((c.index, 1.0),) for c in events.plan.channels.values()
    }
    spillover: Spillover | None = events.spillover
    if spillover is None:
        return mixing
    at = _detectors(events)
    weights = inverse(np.asarray(spillover.matrix, dtype=np.float64))
    for target, column in enumerate(at):
        if column in mixing:
            mixing[column] = tuple((at[i], float(weights[i, target])) for i in np.flatnonzero(weights[:, target]))
    return mixing


def _detectors(events: Events) -> list[int]:
    """Columns of the file in the order of the spillover matrix."""
    position = {channel.name: channel.index for channel in events.file.channels}
    return [] if events.spillover is None else [position[name] for name in events.spillover.channels]


class _Compiler:
    def __init__(
        self,
        plan: Plan,
        mixing: Mapping[int, tuple[tuple[int, float], ...]],
        order: Sequence[int],
        decide: Callable[[Population], Decision],
        polygons: Mapping[str, Sequence[tuple[float, float]]],
    ) -> None:
        self._plan, self._template, self._mixing, self._order = plan, plan.template, mixing, order
        self._decide, self._polygons = decide, polygons
        self._ops: list[tuple[int, ...]] = []
        self._parameters: list[float] = []
        self._pending: dict[Spec, list[tuple[int, float]]] = {}
        self._lists = {ROOT: 0}
        self._columns: dict[int, int] = {}
        self._ready: dict[int, set[str]] = {}
        self._rows: dict[str, tuple[int, int, int]] = {}
        self._n_rows = 0
        self._counters: dict[tuple[str, int | str], int] = {}
        self._curves: dict[int, Curve] = {}
        self._axes: dict[int, int] = {}
        self._cells: list[ByteArray] = []
        self._grids: list[tuple[int, int]] = []
        self._classes: list[ByteArray] = []
        self._histograms: dict[tuple[str, str], int] = {}
        self._listed = {p.parent for p in self._template.populations}

    def compile(self, *, medians: bool) -> Program:
        if medians:
            self._listed |= {p.name for p in self._template.reported}
        for name in self._template.order:
            self._population(self._template.by_name[name])
        if medians:
            self._medians()
        parameters = np.array(self._parameters, dtype=np.float64)
        for spec, cuts in self._pending.items():
            at, values = zip(*cuts, strict=True)
            parameters[list(at)] = linear_cuts(values, spec)
        names = list(self._lists)
        above = [-1, *(names.index(self._template.by_name[name].parent) for name in names[1:])]
        ops, groups = merge_columns(self._ops, above, [len(self._mixing[column]) > 1 for column in self._columns])
        ops = fuse_cuts(ops)
        return Program(
            columns=tuple(sorted({i for mixed in self._mixing.values() for i, _ in mixed})),
            groups=tuple(self._sources(group) for group in groups),
            n_columns=len(self._columns),
            ops=np.array([(*op, *[0] * (_OP_SIZE - len(op))) for op in ops], dtype=np.int64).reshape(-1, _OP_SIZE),
            parameters=parameters,
            grids=(
                np.array(self._grids, dtype=np.int64).reshape(-1, 2),
                np.array(self._cells, dtype=np.uint8).reshape(-1, 1 << 16),
                np.array(self._classes, dtype=np.uint8).reshape(-1, k.CELLS * k.CELLS),
            ),
            rows=self._rows,
            counters=self._counters,
            histograms=self._histograms,
            curves=self._curves,
            n_rows=self._n_rows,
            n_lists=len(self._lists),
        )

    def _sources(self, group: tuple[int, ...]) -> tuple[tuple[int, tuple[float, ...]], ...]:
        """Stored columns that any column of the group needs, in the order of the matrix, with the weights in each."""
        indices = list(self._columns)
        weights = [dict(self._mixing[indices[column]]) for column in group]
        lanes = [*weights, *[{}] * (k.LANES - len(group))]
        used = self._order if len(group) > 1 else list(weights[0])
        used = [column for column in used if any(column in own for own in weights)]
        return tuple((column, tuple(own.get(column, 0.0) for own in lanes)) for column in used)

    # --- populations ---------------------------------------------------------------------------------------------------

    def _population(self, population: Population) -> None:
        name, parent = population.name, population.parent
        if parent not in self._lists:
            return
        operands = population.expression.names() if population.expression else ()
        passed = bool(self._plan.missing(population))
        if any(operand not in self._rows for operand in operands) or (passed and population.if_missing != "pass"):
            return
        if not passed and not self._has_cut(name):
            return
        for key in keys_with_a_top(self._plan, population):
            self._count_top(population, key)
        sharp = passed or self._is_sharp(name)
        versions = (EXACT,) if sharp else (STRICT, EXACT, LOOSE)
        rows = {}
        for version in versions:
            rows[version] = self._row()
            if passed:
                self._emit(k.ALL, parent, rows[version])
            else:
                self._shape(name, parent, rows[version], version)
            target = -1
            if version == EXACT and name in self._listed:
                target = self._lists[name] = len(self._lists)
            self._emit(k.COLLECT, parent, rows[version], target, self._counter(name, version))
        self._rows[name] = (rows.get(STRICT, rows[EXACT]), rows[EXACT], rows.get(LOOSE, rows[EXACT]))

    def _has_cut(self, name: str) -> bool:
        gate = self._template.by_name[name].gate
        if gate is None or name in self._polygons:
            return True
        if isinstance(gate, RefGate):
            return gate.of in self._rows
        return not gate.fitted or self._decide(self._template.by_name[name]).cuts is not None

    def _is_sharp(self, name: str) -> bool:
        """Whether the three versions are one, as in Band."""
        population = self._template.by_name[name]
        gate = population.gate
        if name in self._polygons:
            return True
        if population.expression is not None:
            return all(len(set(self._rows[operand])) == 1 for operand in population.expression.names())
        if isinstance(gate, RefGate):
            return self._is_sharp(gate.of)
        if gate is None or not gate.fitted or isinstance(gate, SingletGate):
            return True
        return not self._decide(population).spread.get("cut", 0.0) > 0

    def _count_top(self, population: Population, key: str) -> None:
        top = self._plan.channels[key].range
        if np.isfinite(top) and top > 1:
            at = self._pair(top - 1, np.nextafter(top, np.inf))
            column = self._column(key, population.parent)
            self._emit(k.COUNT, population.parent, column, self._counter(population.name, key), 0, at)

    def _medians(self) -> None:
        for key in markers_of(self._plan):
            for name in self._template.order:
                if self._template.by_name[name].report and name in self._rows:
                    column = self._column(key, name)
                    h = self._histograms[name, key] = len(self._histograms)
                    self._emit(k.HISTOGRAM, name, column, h)

    # --- gates ----------------------------------------------------------------------------------------------------------

    def _shape(self, name: str, source: str, row: int, version: int) -> None:
        """Emit what tests the events of `source` with the gate of a population."""
        population = self._template.by_name[name]
        gate = population.gate
        if population.expression is not None:
            self._emit(k.AND, source, row, *[self._expression(population.expression, source, version)] * 2)
        elif gate is None:
            msg = f"population {name!r} has no gate"
            raise ValueError(msg)
        elif name in self._polygons:
            self._curve(gate, source, row, vertices=self._polygons[name])
        elif isinstance(gate, RefGate):
            self._referred(gate, source, row, version)
        elif isinstance(gate, SingletGate):
            self._curve(gate, source, row, cuts=self._decide(population).cuts)
        elif gate.fitted:
            self._cut(gate, source, row, self._decide(population), version)
        else:
            self._fixed(gate, source, row)

    def _referred(self, gate: RefGate, source: str, row: int, version: int) -> None:
        same = gate.keep is None or gate.keep == getattr(self._template.by_name[gate.of].gate, "keep", "above")
        self._shape(gate.of, source, row, version if same else 2 - version)
        if not same:
            self._emit(k.NOT, source, row, row)

    def _cut(self, gate: Gate, source: str, row: int, decision: Decision, version: int) -> None:
        cuts = decision.cuts or {}
        cut, keep = cuts["cut"], getattr(gate, "keep", "above")
        if version != EXACT:
            s = decision.spread["cut"]
            stricter = cut + s if keep == "above" else cut - s
            cut = stricter if version == STRICT else 2 * cut - stricter
        if isinstance(gate, ReferenceLineGate):
            self._curve(gate, source, row, cuts=gate.band({**cuts, "cut": cut}))
            if keep == "below":
                self._emit(k.NOT, source, row, row)
        else:
            self._side(gate.keys[0], cut, keep, source, row, k.SET)

    def _fixed(self, gate: Gate, source: str, row: int) -> None:
        match gate:
            case IntervalGate():
                self._interval(gate.channel, gate.min, gate.max, source, row, k.SET)
            case RectangleGate():
                for key, low, high, how in zip(gate.channels, gate.min, gate.max, (k.SET, k.ALSO), strict=True):
                    self._interval(key, low, high, source, row, how)
            case QuadrantGate():
                for key, at, keep, how in zip(gate.channels, (gate.x, gate.y), gate.keep, (k.SET, k.ALSO), strict=True):
                    self._side(key, at, keep, source, row, how)
            case BoundaryGate():
                self._boundary(gate, source, row)
            case FixedGate():
                self._side(gate.channel, gate.at, gate.keep, source, row, k.SET)
            case _:
                self._curve(gate, source, row)

    def _boundary(self, gate: BoundaryGate, source: str, row: int) -> None:
        self._emit(k.ALL, source, row)
        for key in gate.channels:
            channel = self._plan.channels[key]
            column = self._column(key, source)
            if channel.detector == "scatter":
                self._emit(k.WITHIN, source, row, column, k.ALSO, self._pair(np.nextafter(0.0, 1.0), np.inf))
            if np.isfinite(channel.range) and channel.range > 1:
                at = self._pair(channel.range - 1, np.nextafter(channel.range, np.inf))
                self._emit(k.WITHIN, source, row, column, k.ALSO_NOT, at)
            if gate.min is not None or gate.max is not None:
                self._interval(key, gate.min, gate.max, source, row, k.ALSO)

    def _side(self, key: str, cut: float, keep: str, source: str, row: int, how: int) -> None:
        low, high = (cut, None) if keep == "above" else (None, cut)
        self._interval(key, low, high, source, row, how)

    def _interval(self, key: str, low: float | None, high: float | None, source: str, row: int, how: int) -> None:
        at, spec = self._pair(-np.inf, np.inf), self._spec(key)
        pending = self._pending.setdefault(spec, [])
        pending.extend((at + i, cut) for i, cut in enumerate((low, high)) if cut is not None)
        self._emit(k.WITHIN, source, row, self._column(key, source), how, at)

    def _curve(
        self,
        gate: Gate,
        source: str,
        row: int,
        *,
        vertices: Sequence[tuple[float, float]] | None = None,
        cuts: Mapping[str, float] | None = None,
    ) -> None:
        curve = curve_of(gate, [self._spec(key) for key in gate.keys], vertices=vertices, cuts=cuts)
        columns = [self._column(key, source) for key in gate.keys]
        at, grid = len(self._parameters), -1
        self._parameters.extend(curve.parameters)
        if curve.grid is not None:
            grid = len(self._grids)
            self._grids.append((self._axis(curve.grid[0]), self._axis(curve.grid[1])))
            self._classes.append(curve.grid[2])
        self._curves[at] = curve
        self._emit(curve.kind, source, row, *columns, at, grid)

    def _axis(self, cells: ByteArray) -> int:
        if id(cells) not in self._axes:
            self._axes[id(cells)] = len(self._cells)
            self._cells.append(cells)
        return self._axes[id(cells)]

    def _expression(self, node: Expression, source: str, version: int) -> int:
        """Emit a boolean expression and return the row of its answer; ``not`` swaps stricter and looser."""
        if node.operator == "name":
            return self._rows[node.name][version]
        row = self._row()
        if node.operator == "not":
            self._emit(k.NOT, source, row, self._expression(node.operands[0], source, 2 - version))
        else:
            parts = [self._expression(part, source, version) for part in node.operands]
            self._emit(k.AND if node.operator == "and" else k.OR, source, row, *parts)
        return row

    # --- places ---------------------------------------------------------------------------------------------------------

    def _emit(self, kind: int, source: str, *fields: int) -> None:
        self._ops.append((kind, self._lists[source], *fields))

    def _column(self, key: str, source: str) -> int:
        """The column with the values of a channel, computed for the events of `source` unless an ancestor has them."""
        index = self._plan.channels[key].index
        column = self._columns.setdefault(index, len(self._columns))
        ready = self._ready.setdefault(column, set())
        name = source
        while name not in ready:
            if name == ROOT:
                self._emit(k.COLUMNS, source, column)
                ready.add(source)
                break
            name = self._template.by_name[name].parent
        return column

    def _spec(self, key: str) -> Spec:
        return cast(
            "Spec", self._template.transform.of(key).at_range(self._plan.channels[key].range)
        )  # can_compile() has seen to it

    def _pair(self, low: float, high: float) -> int:
        self._parameters.extend((float(low), float(high)))
        return len(self._parameters) - 2

    def _row(self) -> int:
        self._n_rows += 1
        return self._n_rows - 1

    def _counter(self, name: str, what: int | str) -> int:
        return self._counters.setdefault((name, what), len(self._counters))

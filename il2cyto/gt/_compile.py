"""From a template, a panel and the final cuts to the program that the kernel runs.

The compiler walks through the populations in the order of the template. For each it writes the tests of its gate (`_emit.py`)
into a table of operations (`_table.py`), then an operation that counts the events inside and lists them for the populations below.
A fitted gate is written three times, with its cut and with the cut moved by its spread to either side, for the interval of the
fraction. The numbers of fitted cuts are left open, so that all files of one kind share a program (`_program.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from il2cyto.gt._cache import Recent
from il2cyto.gt._emit import Shapes
from il2cyto.gt._kernels import _ops as k
from il2cyto.gt._program import EXACT, LOOSE, STRICT, Program, bind
from il2cyto.gt._table import Table
from il2cyto.gt._versions import versions
from il2cyto.gt._views import plan_views, with_scatter
from il2cyto.gt._walk import keys_with_a_top
from il2cyto.template._cuts import Cut1D, SingletGate
from il2cyto.template._gate import RefGate

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

    from il2cyto.gt._plan import Events, Plan
    from il2cyto.gt._types import Decision
    from il2cyto.gt._views import View
    from il2cyto.template import Gate, Population

    Vertices = Sequence[tuple[float, float]]

#: A batch has a few kinds of files, each read a few times; the grids of a program take 0.1 MB for each polygon.
_PROGRAMS: Recent[Program] = Recent(32)


def compile_plan(
    events: Events,
    decide: Callable[[Population], Decision],
    polygons: Mapping[str, Vertices],
    *,
    medians: bool = False,
    densities: bool = False,
    only: frozenset[str] | None = None,
) -> Program:
    """Compile the populations that have a cut and their channels; whether they have the events is seen after counting.

    With `only`, no others than these, and the events of each are listed.
    """
    fitted = [p for p in events.plan.template.populations if p.gate is not None and p.gate.fitted]
    sharpness = {p.name: _sharpness(decide(p)) for p in fitted}
    fixed = {p.name: versions(p.gate, d.cuts, d.spread) for p, d in _shaped(fitted, decide) if p.gate and d.cuts}
    sharpness.update({name: strict is exact for name, (strict, exact, _) in fixed.items()})
    drawn = tuple((name, tuple(map(tuple, polygons[name]))) for name in sorted(polygons))
    key = (_kind_of(events), tuple(sharpness.items()), tuple(fixed.items()), drawn, medians, densities, only)
    program = _PROGRAMS.get(
        key, lambda: _Compiler(events, sharpness, polygons, fixed, only).compile(medians=medians, densities=densities)
    )
    return bind(program, decide)


def markers_of(plan: Plan) -> list[str]:
    """The markers of which medians are given."""
    return [key for key, channel in plan.channels.items() if channel.detector in ("fluor", "element")]


def _sharpness(decision: Decision) -> bool | None:
    """None without a cut, else whether the cut is known without a spread."""
    return None if decision.cuts is None else not decision.spread.get("cut", 0.0) > 0


def _shaped(
    fitted: Sequence[Population], decide: Callable[[Population], Decision]
) -> Iterator[tuple[Population, Decision]]:
    """The gates that are a shape of several numbers: they are compiled as fixed ones, since no number can be bound later."""
    return ((p, decide(p)) for p in fitted if not isinstance(p.gate, Cut1D | SingletGate))


def _kind_of(events: Events) -> Hashable:
    """All that the compiler looks at but the cuts: template and channels with their ranges (the plan), and spillover."""
    plan, spillover = events.plan, events.file.spillover() if events.plan.uses_acquisition else None
    own = None if spillover is None else (spillover.channels, spillover.matrix.tobytes())
    return plan, own


class _Compiler:
    def __init__(
        self,
        events: Events,
        sharpness: Mapping[str, bool | None],
        polygons: Mapping[str, Vertices],
        fixed: Mapping[str, tuple[Gate, Gate, Gate]],
        only: frozenset[str] | None,
    ) -> None:
        self._plan, self._template = events.plan, events.plan.template
        self._sharpness, self._polygons = sharpness, polygons
        self._rows: dict[str, tuple[int, int, int]] = {}
        self._table = Table(events.file, events.plan)
        self._shapes = Shapes(self._table, polygons, self._rows, fixed)
        self._histograms: dict[tuple[str, str], int] = {}
        self._only = self._template.by_name.keys() if only is None else only
        self._listed = {p.parent for p in self._template.populations} | (only or frozenset())

    def compile(self, *, medians: bool, densities: bool) -> Program:
        if medians:
            self._listed |= {p.name for p in self._template.reported}
        for name in filter(self._only.__contains__, self._template.order):
            self._population(self._template.by_name[name])
        if medians:
            self._medians()
        views = self._densities() if densities else ()
        return Program(
            **self._table.finish(),
            rows=self._rows,
            lists=dict(self._table.lists),
            histograms=self._histograms,
            views=views,
            asked=self._shapes.asked,
            cuts=tuple(self._shapes.cuts),
            bands=tuple(self._shapes.bands),
        )

    def _population(self, population: Population) -> None:
        name, parent, table = population.name, population.parent, self._table
        if parent not in table.lists:
            return
        operands = population.expression.names() if population.expression else ()
        passed = bool(self._plan.missing(population))
        if any(operand not in self._rows for operand in operands) or (passed and population.if_missing != "pass"):
            return
        if not passed and not self._has_cut(name):
            return
        for key in keys_with_a_top(self._plan, population):
            self._count_top(population, key)
        kinds = (EXACT,) if passed or self._is_sharp(name) else (STRICT, EXACT, LOOSE)
        rows = {}
        for version in kinds:
            rows[version] = table.row()
            if passed:
                table.emit(k.ALL, parent, rows[version])
            else:
                self._shapes.test(name, parent, rows[version], version)
            target = -1
            if version == EXACT and name in self._listed:
                target = table.lists[name] = len(table.lists)
            table.emit(k.COLLECT, parent, rows[version], target, table.counter(name, version))
        self._rows[name] = (rows.get(STRICT, rows[EXACT]), rows[EXACT], rows.get(LOOSE, rows[EXACT]))

    def _has_cut(self, name: str) -> bool:
        gate = self._template.by_name[name].gate
        if gate is None or name in self._polygons:
            return True
        if isinstance(gate, RefGate):
            return gate.of in self._rows
        return not gate.fitted or self._sharpness[name] is not None

    def _is_sharp(self, name: str) -> bool:
        """Whether the three versions are one, as in Band."""
        population = self._template.by_name[name]
        gate = population.gate
        if population.expression is not None:
            return all(len(set(self._rows[operand])) == 1 for operand in population.expression.names())
        if name in self._polygons or gate is None or isinstance(gate, SingletGate):
            return True
        if isinstance(gate, RefGate):
            return self._is_sharp(gate.of)
        return not gate.fitted or bool(self._sharpness[name])

    def _count_top(self, population: Population, key: str) -> None:
        top = self._plan.channels[key].range
        if top > 1 and top != float("inf"):
            column = self._table.column(key, population.parent)
            at = self._table.place(top - 1, top)
            self._table.emit(k.COUNT, population.parent, column, self._table.counter(population.name, key), 0, at)

    def _medians(self) -> None:
        for key in markers_of(self._plan):
            for population in map(self._template.by_name.__getitem__, self._template.order):
                if population.report and population.name in self._rows:
                    column = self._table.column(key, population.name)
                    h = self._histograms[population.name, key] = len(self._histograms)
                    self._table.emit(k.HISTOGRAM, population.name, column, h)

    def _densities(self) -> tuple[View, ...]:
        table = self._table
        views = tuple(view for view in plan_views(with_scatter(self._plan)) if view.parent in table.lists)
        for i, view in enumerate(views):
            if not view.x:
                continue
            x = table.bins(view.x, view.x_limits, view.parent)
            if view.y:
                table.emit(k.GRID, view.parent, x, table.bins(view.y, view.y_limits, view.parent), i)
            if view.fitted:
                table.emit(k.SPECTRUM, view.parent, x, i)
        return views

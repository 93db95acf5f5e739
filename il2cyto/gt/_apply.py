"""Apply: gate one file with its final cuts and count."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from il2cyto._keys import ROOT
from il2cyto.gt._compile import compile_plan, markers_of
from il2cyto.gt._engine import Counted, Engine
from il2cyto.gt._flags import Flag
from il2cyto.gt._medians import Search
from il2cyto.gt._program import EXACT
from il2cyto.gt._types import Decision
from il2cyto.gt._views import densities
from il2cyto.pp._flow import flow_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import numpy.typing as npt
    import polars as pl

    from il2cyto.gt._plan import Events
    from il2cyto.gt._program import Program
    from il2cyto.io import Density
    from il2cyto.template import Population


@dataclass(frozen=True)
class GateResult:
    """What gating one file gave, population by population (all of the template, reported or not).

    Attributes
    ----------
    counts, parent_counts
        Events; `counts` is NaN where the population is not evaluable, never 0.
    low, high
        Fraction of the parent with the cuts moved by their spread towards fewer and towards more events; NaN where no
        cut was fitted.
    flags
        Bits of :class:`il2cyto.gt.Flag`.
    medians
        (population, marker) -> median on the compensated linear scale; NaN for an empty population.
    n_events, n_usable
        Events of the file, and those finite in every channel of the template.
    masks
        Reported population -> membership, one boolean per event in file order; empty if not asked for.
    densities
        Population -> what its gate looks at, binned for review; populations whose parent is not evaluable are absent. Empty
        if not asked for.
    """

    sample: str
    counts: Mapping[str, float]
    parent_counts: Mapping[str, float]
    low: Mapping[str, float]
    high: Mapping[str, float]
    flags: Mapping[str, int]
    medians: Mapping[tuple[str, str], float]
    n_events: int
    n_usable: int
    compensation: str
    masks: Mapping[str, npt.NDArray[np.bool_]]
    densities: Mapping[str, Density] = field(default_factory=dict)


def apply(
    events: Events,
    cuts: pl.DataFrame,
    *,
    sample: str,
    polygons: Mapping[str, Sequence[tuple[float, float]]] | None = None,
    keep_masks: bool = False,
    keep_densities: bool = False,
) -> GateResult:
    """Gate one file with the reconciled cuts.

    Parameters
    ----------
    events
        The file on the template's scales.
    cuts
        The rows of :func:`il2cyto.gt.reconcile`; those of other samples are ignored.
    sample
        The sample to gate.
    polygons
        Population -> vertices that a person drew in place of the template's gate.
    keep_masks
        Keep each reported population's membership, one boolean per event in file order.
    keep_densities
        Keep what each gate looks at, binned for review.

    Returns
    -------
    Counts, intervals by cut, flags and medians of every population of the template.

    Notes
    -----
    The file is read twice, at the first time one event of eight is looked at. Memory does not grow with the file, but for masks.
    """
    source, polygons, template = FinalCuts(cuts, sample), polygons or {}, events.plan.template
    if source.refused:
        return _refused(events, sample, keep_masks=keep_masks)
    flow = flow_of(events.file)
    of_file = Flag.FLOW_INTERRUPTED if flow is not None and flow.interrupted else Flag.NONE
    program = compile_plan(events, source.decide, polygons, medians=True, densities=keep_densities)
    reported = [p.name for p in template.reported]
    members = Members(reported if keep_masks else (), program, events.n)
    search = Search(events, program)
    engine = Engine(events, search.program, search.sink)
    for start, member in engine.run():
        members.keep(start, member)
    counted = Counted(events, program, engine, source.decide, polygons)
    nodes, names = counted.nodes, list(template.by_name)
    bands = {name: counted.interval(name) for name in names}
    found, canvas = search.finish(engine.counts), engine.canvas
    drawn = densities(program.views, canvas.grids, canvas.spectra)
    pairs = [(name, key) for name in reported for key in markers_of(events.plan)]
    return GateResult(
        sample=sample,
        counts={name: float(nodes[name].count) if nodes[name].evaluable else float("nan") for name in names},
        parent_counts={name: float(nodes[name].parent_count) for name in names},
        low={name: low for name, (low, _) in bands.items()},
        high={name: high for name, (_, high) in bands.items()},
        flags={name: int(nodes[name].flags | of_file) for name in names},
        medians={pair: found[pair] if nodes[pair[0]].evaluable else float("nan") for pair in pairs},
        n_events=events.n,
        n_usable=nodes[ROOT].count,
        compensation=events.compensation,
        masks={name: members.of(name, evaluable=nodes[name].evaluable) for name in reported} if keep_masks else {},
        densities={d.population: d for d in drawn if nodes[template.by_name[d.population].parent].evaluable},
    )


def _refused(events: Events, sample: str, *, keep_masks: bool) -> GateResult:
    """Say nothing of a file whose markers are not what their labels say."""
    template, nan = events.plan.template, float("nan")
    unknown = {p.name: nan for p in template.populations}
    nobody = np.zeros(events.n, dtype=np.bool_)
    return GateResult(
        sample=sample,
        counts=unknown,
        parent_counts=unknown,
        low=unknown,
        high=unknown,
        flags={name: int(Flag.PANEL_IMPLAUSIBLE) for name in unknown},
        medians={(p.name, key): nan for p in template.reported for key in markers_of(events.plan)},
        n_events=events.n,
        n_usable=int(np.count_nonzero(events.usable)),
        compensation=events.compensation,
        masks={p.name: nobody for p in template.reported} if keep_masks else {},
    )


class FinalCuts:
    """The sample's cuts in the reconciled table."""

    def __init__(self, cuts: pl.DataFrame, sample: str) -> None:
        own = cuts.filter(cuts["sample"] == sample)
        self._values: dict[str, dict[str, float]] = {}
        self._spreads: dict[str, dict[str, float]] = {}
        self._flags: dict[str, Flag] = {}
        columns = ("population", "coordinate", "final", "final_spread", "flags")
        for population, coordinate, value, spread, flags in own.select(columns).iter_rows():
            self._values.setdefault(population, {})[coordinate] = value
            self._spreads.setdefault(population, {})[coordinate] = spread
            self._flags[population] = self._flags.get(population, Flag.NONE) | Flag(flags)

    @property
    def refused(self) -> bool:
        """Whether the file's panel is not plausible, so that nothing may be said of it."""
        return any(flags & Flag.PANEL_IMPLAUSIBLE for flags in self._flags.values())

    def decide(self, population: Population) -> Decision:
        """Look up the cuts of one population."""
        values, flags = self._values.get(population.name, {}), self._flags.get(population.name, Flag.NONE)
        if not values or not all(np.isfinite(value) for value in values.values()):
            return Decision(None, flags=flags)
        return Decision(values, self._spreads[population.name], flags)


class Members:
    """Membership in some populations, one bit per event."""

    def __init__(self, names: Collection[str], program: Program, n: int) -> None:
        self._n = n
        known = [name for name in names if name in program.rows]
        self._place = {name: i for i, name in enumerate(known)}
        self._rows = np.array([program.rows[name][EXACT] for name in known], dtype=np.int64)
        self._bits = np.zeros((len(known), -(-n // 8)), dtype=np.uint8)

    def keep(self, start: int, member: npt.NDArray[np.uint8]) -> None:
        """Keep a block's membership; a block starts at a multiple of 8."""
        packed = np.packbits(member[self._rows], axis=1)
        self._bits[:, start // 8 : start // 8 + packed.shape[1]] = packed

    def of(self, name: str, *, evaluable: bool) -> npt.NDArray[np.bool_]:
        """Membership of one population in file order."""
        if not evaluable:
            return np.zeros(self._n, dtype=np.bool_)
        return np.unpackbits(self._bits[self._place[name]], count=self._n).view(np.bool_)

"""The tree by samples: each population's gates are fitted to at most 100,000 of its events, drawn from all over the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from il2cyto._keys import ROOT
from il2cyto.gt._compile import compile_plan
from il2cyto.gt._flags import Flag
from il2cyto.gt._membership import Membership
from il2cyto.gt._program import EXACT
from il2cyto.gt._sample import MOST, Sample, Wish, draw_samples
from il2cyto.gt._types import Decision
from il2cyto.gt._walk import Node, Walk
from il2cyto.template import CornerGate, RefGate

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    import numpy.typing as npt

    from il2cyto.gt._engine import Engine
    from il2cyto.gt._plan import Events, Plan
    from il2cyto.gt._program import Program
    from il2cyto.template import Gate, GatingTemplate, Population

    FloatArray = npt.NDArray[np.float64]

#: Events to which a gate is fitted, and to which an expectation is put, at least, if the population has so many.
ENOUGH: Final = MOST // 2
GLANCE: Final = 20_000


class Fit(Protocol):
    """What finds the cuts of a fitted gate."""

    def __call__(self, population: Population, gate: Gate, tree: SampledTree) -> Decision: ...


class SampledTree(Walk[Node]):
    """The populations of one file that the gates of `wanted` stand on, and these gates themselves.

    Of the gates in `only_fitted` the cuts are wanted and nobody asks for their events. The walk goes down on a sample of the file's
    events. Where too few of a population are left in it, the file is read again with the cuts known so far, and a sample of that
    population alone goes on; at the end all events are counted. With `among`, these events are the file, and it is not read at all.

    Memory: a block of the file, some samples of at most 100,000 events in the channels of the plan, and the values of as many
    events in a few channels.
    """

    def __init__(
        self,
        events: Events,
        fit: Fit,
        wanted: Collection[str],
        *,
        only_fitted: Collection[str] = (),
        among: Sample | None = None,
    ) -> None:
        self.events, self.plan, self.template, self._fit = events, events.plan, events.plan.template, fit
        self._membership = Membership(events)
        above = {name for of in only_fitted for name in _above(self.template, of)}
        self._needed = _with_all_above(self.template, {*wanted, *above})
        self._order = [name for name in self.template.order if name in self._needed or name in only_fitted]
        self._expected = _channels_expected(self.plan, wanted)
        self._glances: dict[tuple[str, str], FloatArray] = {}
        self.nodes = {}
        self._samples = {} if among is None else {ROOT: among}
        if among is None:
            n = self._draw({ROOT: Wish(MOST)}).n_usable
            flags = Flag.NONFINITE if n < events.n else Flag.NONE
        else:
            n, flags = len(among), Flag.NONE
            self._membership.add(among, [ROOT])
        whole = self._samples[ROOT].whole
        self.few = self._samples[ROOT].thinned(GLANCE)
        self.widths = {key: self._width(key) for key in _keys_fitted(self.template, self._order)}
        self.nodes[ROOT] = Node(flags, count=n, parent_count=n)
        for name in self._order:
            self.nodes[name] = self._evaluate(self.template.by_name[name])
            self._glance_at([name])
        for name in list(self._expected):
            self._see_to(name, GLANCE)
        if not whole:
            self._count()

    # --- what a fit asks for ---------------------------------------------------------------------------------------------

    def values(self, key: str, population: str) -> FloatArray:
        """Values of a channel on the template's scale for the events of a population, or for 50,000 to 100,000 of them."""
        self._see_to(population, ENOUGH)
        return self._membership.scaled(key, population, self._sample_of(population))

    def glance(self, key: str, population: str) -> FloatArray:
        """The values of a channel of which something is expected, for about 20,000 events of a population at most."""
        return self._glances[key, population]

    def linear(self, key: str, population: str) -> FloatArray:
        """Compensated values on the linear scale for the same events."""
        return self._membership.linear(key, population, self._sample_of(population))

    def _width(self, key: str) -> float:
        """The unit in which cuts are compared: 1 on logicle and linear scales, else the width of the file's own values."""
        if self.template.scale_of(key).method in ("logicle", "linear"):
            return 1.0
        if (key not in self.plan.channels and key not in self.plan.sources) or not len(self._samples[ROOT]):
            return float("nan")
        low, high = np.percentile(self._membership.scaled(key, ROOT, self._samples[ROOT]), [0.1, 99.9])
        return float(high - low)

    # --- samples ---------------------------------------------------------------------------------------------------------

    def _see_to(self, population: str, least: int) -> None:
        """Draw new samples if too few events of the population are at hand, though the file has more."""
        if self._lacks(population, least):
            wanted = {population: least, **self._still_looked_at()}
            self._draw({name: self._wish(name, 2 * n) for name, n in wanted.items() if self._lacks(name, n)})
            self._forget()

    def _wish(self, population: str, most: int) -> Wish:
        if self._nearest(population) not in self._samples:
            return Wish(most)
        sample = self._sample_of(population)
        return sample.wish(self._membership.count(population, sample), most)

    def _lacks(self, population: str, least: int) -> bool:
        if not self.nodes[population].evaluable:
            return False
        if self._nearest(population) not in self._samples:
            return True  # nobody was thought to ask
        sample = self._sample_of(population)
        return not sample.whole and self._membership.count(population, sample) < least

    def _still_looked_at(self) -> dict[str, int]:
        """The populations known that are looked at by gates still to be fitted and by expectations, and how many events that takes."""
        fitted = dict.fromkeys(self._waiting_for(fitted=True), ENOUGH)
        return {
            name: n for name, n in {**dict.fromkeys(self._expected, GLANCE), **fitted}.items() if name in self.nodes
        }

    def _waiting_for(self, *, fitted: bool = False) -> Iterable[str]:
        """The populations from which those not yet known take their events; with `fitted`, those to which a gate will be fitted."""
        for population in (self.template.by_name[name] for name in self._order if name not in self.nodes):
            gate = population.gate
            if gate is not None and gate.fitted:
                # A corner may refer to another's cut, but not to its events.
                yield from (population.parent, *(() if isinstance(gate, CornerGate) else gate.referred))
            elif not fitted:
                yield population.parent

    def _draw(self, wishes: Mapping[str, Wish]) -> Engine:
        """Read the file for samples of some populations."""
        engine, samples = draw_samples(self.events, self._program(wishes), self._membership.channels.columns, wishes)
        for name, sample in samples.items():
            self._membership.add(sample, [ROOT, *self._line(name)])
            self._samples[name] = sample
            if name in self.nodes:
                self.nodes[name].count = sample.estimate(len(sample))
        self._glance_at(samples)
        return engine

    def _glance_at(self, populations: Iterable[str]) -> None:
        """Keep the values that expectations look at, of populations with enough events at hand."""
        for name in populations:
            if name in self._expected and name in self.nodes and not self._lacks(name, GLANCE):
                keys = self._expected.pop(name) if self.nodes[name].evaluable else ()
                for key in keys:
                    self._glances[key, name] = few_of(self._membership.scaled(key, name, self._sample_of(name))).copy()

    def _forget(self) -> None:
        """Drop the samples that no population still to be looked at takes its events from."""
        used = {self._nearest(name) for name in (*self._expected, *self._waiting_for())}
        self._samples = {name: sample for name, sample in self._samples.items() if name in used}
        self._membership.keep(set(self._samples.values()))

    def _count(self) -> None:
        """Count all events of the file."""
        program = self._program(self._needed - {ROOT})
        engine, _ = draw_samples(self.events, program, (), {})
        for name in self._order:
            at = program.counters.get((name, EXACT))
            if at is not None:
                self.nodes[name].count = int(engine.counts[at])
            self.nodes[name].parent_count = self.nodes[self.template.by_name[name].parent].count

    def _program(self, populations: Collection[str]) -> Program:
        """The program that finds the events of some populations with the cuts known so far."""
        only = _with_all_above(self.template, populations) - {ROOT}
        return compile_plan(
            self.events, lambda p: Decision(self._membership.cuts.get(p.name)), {}, only=frozenset(only)
        )

    def _sample_of(self, population: str) -> Sample:
        """The sample at hand with the most events of a population."""
        return self._samples[self._nearest(population)]

    def _nearest(self, population: str) -> str:
        return next((name for name in self._line(population) if name in self._samples), ROOT)

    def _line(self, population: str) -> Iterable[str]:
        """A population and those above it, the root left out."""
        while population != ROOT:
            yield population
            population = self.template.by_name[population].parent

    # --- the walk --------------------------------------------------------------------------------------------------------

    def _evaluate(self, population: Population) -> Node:
        # Whether a parent has enough events for a fraction must not hang on a sample.
        self._see_to(population.parent, self.template.min_parent_of(population.name).nan)
        return super()._evaluate(population)

    def _empty(self, flags: Flag, cut_flags: Flag, parent: Node) -> Node:
        return Node(flags, cut_flags, parent_count=parent.count)

    def _filled(self, population: Population, parent: Node, *, missing: bool) -> Node:
        gate, name = population.gate, population.name
        if not missing and gate is not None and gate.fitted and not isinstance(gate, RefGate):
            cuts = self._fit(population, gate, self).cuts
            if name not in self._needed:
                return self._empty(Flag.NONE, Flag.NONE, parent)
            if cuts is None:
                return self._empty(Flag.GATE_FAILED, Flag.GATE_FAILED, parent)
            self._membership.cuts[name] = cuts
        elif not missing and isinstance(gate, RefGate) and not self._has_cut(gate.of):
            return self._empty(Flag.GATE_FAILED, Flag.GATE_FAILED, parent)
        sample = self._sample_of(name)
        return Node(Flag.NONE, Flag.NONE, sample.estimate(self._membership.count(name, sample)), parent.count)

    def _has_cut(self, name: str) -> bool:
        gate = self.template.by_name[name].gate
        if isinstance(gate, RefGate):
            return self._has_cut(gate.of)
        return self.nodes[name].evaluable and (gate is None or not gate.fitted or name in self._membership.cuts)

    def _n_at_top(self, population: Population, key: str) -> int:
        del population, key
        return 0  # a warning that concerns no cut


def _keys_fitted(template: GatingTemplate, names: Iterable[str]) -> set[str]:
    """The channels of fitted gates."""
    gates = (template.by_name[name].gate for name in names)
    return {key for gate in gates if gate is not None and gate.fitted for key in gate.keys}


def few_of(values: FloatArray) -> FloatArray:
    """Every so many of the values, 20,000 at most."""
    return values[:: -(-values.size // GLANCE) or 1]


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

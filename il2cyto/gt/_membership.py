"""Which events of a sample are in which population, by the cuts known so far."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from il2cyto.gt._sample import Channels
from il2cyto.gt._tree import fitted_shape, fixed_shape
from il2cyto.template import RefGate

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    import numpy.typing as npt

    from il2cyto.gt._plan import Events, Plan
    from il2cyto.gt._sample import Sample
    from il2cyto.gt._tree import Scales
    from il2cyto.template import Population

    FloatArray = npt.NDArray[np.float64]
    BoolArray = npt.NDArray[np.bool_]

#: Columns that are kept for the next gates of the same parent, and to place the events of a gate just fitted.
_KEPT: Final = 4


class Membership:
    """The populations within the samples of one file.

    Attributes
    ----------
    cuts
        Population -> the numbers of its fitted gate; whoever fits it enters them.
    channels
        How stored columns make the values.
    """

    def __init__(self, events: Events) -> None:
        self.cuts: dict[str, Mapping[str, float]] = {}
        self.channels = Channels(events.file, events.plan)
        self._plan, self._template = events.plan, events.plan.template
        self._masks: dict[Sample, dict[str, BoolArray]] = {}
        self._columns: dict[tuple[str, str, Sample], FloatArray] = {}

    def add(self, sample: Sample, populations: Iterable[str]) -> None:
        """Begin with a sample all of whose events are in these populations."""
        self._masks[sample] = dict.fromkeys(populations, np.ones(len(sample), dtype=np.bool_))

    def keep(self, samples: Collection[Sample]) -> None:
        """Forget all other samples."""
        self._masks = {sample: masks for sample, masks in self._masks.items() if sample in samples}
        self._columns = {key: values for key, values in self._columns.items() if key[-1] in samples}

    def count(self, population: str, sample: Sample) -> int:
        """Events of a population in a sample."""
        return int(np.count_nonzero(self.mask(population, sample)))

    def linear(self, key: str, population: str, sample: Sample) -> FloatArray:
        """Compensated values on the linear scale for the events of a population in a sample."""
        return self.channels.linear(key, sample, np.flatnonzero(self.mask(population, sample)))

    def scaled(self, key: str, population: str, sample: Sample) -> FloatArray:
        """The same on the template's scale."""
        place = key, population, sample
        if place not in self._columns:
            while len(self._columns) >= _KEPT:
                self._columns.pop(next(iter(self._columns)))
            self._columns[place] = self.channels.scaled(key, self.linear(key, population, sample))
        return self._columns[place]

    def mask(self, name: str, sample: Sample) -> BoolArray:
        """Which events of a sample are in a population that is evaluable."""
        masks = self._masks[sample]
        if name not in masks:
            population = self._template.by_name[name]
            within = self.mask(population.parent, sample)
            passed = bool(self._plan.missing(population))
            masks[name] = within if passed else within & self._inside(population, population.parent, sample)
        return masks[name]

    def _inside(self, population: Population, of: str, sample: Sample) -> BoolArray:
        """Which events of the population `of` a gate takes in, perhaps another's; of other events it says nothing."""
        gate = population.gate
        if population.expression is not None:
            inside: BoolArray = population.expression.evaluate(lambda name: self.mask(name, sample))
            return inside
        if gate is None:
            msg = f"population {population.name!r} has no gate"
            raise ValueError(msg)
        if isinstance(gate, RefGate):
            other = self._template.by_name[gate.of]
            inside = self._inside(other, of, sample)
            return inside if gate.same_side(other.gate) else ~inside
        if not gate.fitted:
            return self._shape(of, sample, partial(fixed_shape, gate))
        cuts = self.cuts[population.name]
        return self._shape(of, sample, lambda among: fitted_shape(gate, among, cuts, {}).mask)

    def _shape(self, of: str, sample: Sample, shape: Callable[[Scales], BoolArray]) -> BoolArray:
        inside = np.zeros(len(sample), dtype=np.bool_)
        inside[np.flatnonzero(self.mask(of, sample))] = shape(_Among(self, self._plan, of, sample))
        return inside


@dataclass(frozen=True, slots=True)
class _Among:
    """The columns of a population's events in a sample."""

    membership: Membership
    plan: Plan
    population: str
    sample: Sample

    def scaled(self, key: str) -> FloatArray:
        return self.membership.scaled(key, self.population, self.sample)

    def linear(self, key: str) -> FloatArray:
        return self.membership.linear(key, self.population, self.sample)

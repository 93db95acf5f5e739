"""Apply: gate one file with its final cuts and count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from il2cyto._keys import ROOT
from il2cyto.gt._flags import Flag
from il2cyto.gt._tree import Decision, Node, Tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    import polars as pl

    from il2cyto.gt._plan import Events
    from il2cyto.template import Gate, Population


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


def apply(
    events: Events,
    cuts: pl.DataFrame,
    *,
    sample: str,
    polygons: Mapping[str, Sequence[tuple[float, float]]] | None = None,
    keep_masks: bool = False,
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
    """
    tree = Tree(events, _FinalCuts(cuts, sample), polygons=polygons)
    template = tree.template
    names = [p.name for p in template.populations]
    nodes = tree.nodes
    bands = {name: _interval(nodes[name]) for name in names}
    return GateResult(
        sample=sample,
        counts={name: float(nodes[name].count) if nodes[name].evaluable else float("nan") for name in names},
        parent_counts={name: float(nodes[name].parent_count) for name in names},
        low={name: band[0] for name, band in bands.items()},
        high={name: band[1] for name, band in bands.items()},
        flags={name: int(nodes[name].flags) for name in names},
        medians=_medians(tree),
        n_events=events.n,
        n_usable=nodes[ROOT].count,
        compensation=events.compensation,
        masks={p.name: _membership(tree, p) for p in template.reported} if keep_masks else {},
    )


class _FinalCuts:
    """A cut source that looks the sample's cuts up in the reconciled table."""

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

    def __call__(self, population: Population, gate: Gate, tree: Tree) -> Decision:
        del gate, tree
        values, flags = self._values.get(population.name, {}), self._flags.get(population.name, Flag.NONE)
        if not values or not all(np.isfinite(value) for value in values.values()):
            return Decision(None, flags=flags)
        return Decision(values, self._spreads[population.name], flags)


def _interval(node: Node) -> tuple[float, float]:
    band, parent = node.band, node.parent_count
    if band is None or not node.evaluable or band.strict is band.mask:
        return float("nan"), float("nan")
    return float(np.count_nonzero(band.strict)) / parent, float(np.count_nonzero(band.loose)) / parent


def _membership(tree: Tree, population: Population) -> npt.NDArray[np.bool_]:
    node = tree.nodes[population.name]
    return node.mask if node.evaluable else np.zeros(tree.events.n, dtype=np.bool_)


def _medians(tree: Tree) -> dict[tuple[str, str], float]:
    """Median of every marker in every reported population."""
    channels = tree.events.plan.channels
    markers = [key for key, channel in channels.items() if channel.detector in ("fluor", "element")]
    medians = {}
    for population in tree.template.reported:
        node = tree.nodes[population.name]
        where = np.flatnonzero(node.mask) if node.evaluable else np.empty(0, dtype=np.int64)
        for key in markers:
            values = tree.events.linear(key)[where]
            medians[population.name, key] = float(np.median(values)) if values.size else float("nan")
    return medians

"""Which gates are proposed a second time: those that stand on a cut which the group moved."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from il2cyto.template import GatingTemplate


def moved_cuts(cuts: pl.DataFrame, template: GatingTemplate) -> dict[str, dict[str, dict[str, float]]]:
    """Sample -> population -> coordinate -> final cut, for final cuts other than those under which the file was proposed.

    That is: moved by more than twice the spread, or given to a file that had none of its own. Only gates on which other
    fitted gates stand matter.
    """
    last_resorts = {p.name: template.adapt_of(p.name).fixed for p in template.populations}
    rows = cuts.filter(pl.col("population").is_in(_upstream_of_fitted(template)))
    moved: dict[str, dict[str, dict[str, float]]] = {}
    columns = ("coordinate", "own", "spread", "delta", "final")
    for (sample, population), shape in rows.partition_by("sample", "population", as_dict=True).items():
        coordinates = list(shape.select(columns).iter_rows())
        # A shape is given whole: all its numbers, though one alone may have moved.
        if all(np.isfinite(final) for *_, final in coordinates) and any(
            _is_moved(own if np.isfinite(own) else last_resorts[population], spread, delta, final)
            for _, own, spread, delta, final in coordinates
        ):
            moved.setdefault(sample, {})[population] = {name: final for name, *_, final in coordinates}
    return moved


def _is_moved(used: float | None, spread: float, delta: float, final: float) -> bool:
    return used is None or abs(final - used) > max(2 * spread, delta)


def _above(template: GatingTemplate) -> dict[str, set[str]]:
    """Population -> everything it stands on, as parent, operand or reference, however far above."""
    above: dict[str, set[str]] = {"root": set()}
    for name in template.order:
        population = template.by_name[name]
        direct = {population.parent, *population.referred}
        above[name] = direct.union(*(above[other] for other in direct))
    return above


def _upstream_of_fitted(template: GatingTemplate) -> list[str]:
    """Fitted gates on which another fitted gate stands."""
    above = _above(template)
    fitted = [p.name for p in template.populations if p.gate is not None and p.gate.fitted]
    return [name for name in fitted if any(name in above[other] for other in fitted)]


def settled_cuts(
    tables: Mapping[str, pl.DataFrame], moved: Mapping[str, Mapping[str, Mapping[str, float]]], template: GatingTemplate
) -> dict[str, dict[str, Mapping[str, float]]]:
    """The cuts with which files are proposed again: final ones that moved, and own ones that stand on none of these."""
    above = _above(template)
    settled: dict[str, dict[str, Mapping[str, float]]] = {}
    for sample, finals in moved.items():
        own: dict[str, dict[str, float]] = {}
        for population, coordinate, value in tables[sample].select("population", "coordinate", "value").iter_rows():
            own.setdefault(population, {})[coordinate] = value
        kept = {
            population: cuts
            for population, cuts in own.items()
            if not above[population] & finals.keys() and all(map(math.isfinite, cuts.values()))
        }
        settled[sample] = {**kept, **finals}
    return settled

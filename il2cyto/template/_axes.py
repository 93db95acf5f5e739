"""Axes of corners that are the cuts of other populations: which channel they are on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from il2cyto.template._corner import CornerGate, RefAxis
from il2cyto.template._cuts import Cut1D
from il2cyto.template._gate import Gate, RefGate
from il2cyto.template._shapes import FixedGate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from il2cyto.template._template import GatingTemplate


def cut_referred(gates: Mapping[str, Gate | None], name: str) -> tuple[str, Cut1D | FixedGate] | None:
    """The population, and its cut on one channel, to which a reference leads; None where it leads elsewhere."""
    for _ in range(len(gates)):  # a circle is another's to report
        gate = gates.get(name)
        if isinstance(gate, Cut1D | FixedGate):
            return name, gate
        if not isinstance(gate, RefGate):
            return None
        name = gate.of
    return None


def with_channels(gates: Mapping[str, Gate | None]) -> dict[str, Gate | None]:
    """Fill in the channel of every axis that is another population's cut, and the population that owns the cut."""
    return {
        name: gate.model_copy(update={"x": _filled(gate.x, gates), "y": _filled(gate.y, gates)})
        if isinstance(gate, CornerGate) and isinstance(gate.x, RefAxis) | isinstance(gate.y, RefAxis)
        else gate
        for name, gate in gates.items()
    }


def _filled(axis: Gate, gates: Mapping[str, Gate | None]) -> Gate:
    found = cut_referred(gates, axis.of) if isinstance(axis, RefAxis) else None
    if found is None or (isinstance(axis, RefAxis) and axis.channel not in (None, found[1].channel)):
        return axis
    return axis.model_copy(update={"of": found[0], "channel": found[1].channel})


def axes_on(template: GatingTemplate, name: str) -> list[tuple[str, str]]:
    """The corners of which an axis is the cut of population `name`, with that axis."""
    return [
        (population.name, axis)
        for population in template.populations
        for axis in ("x", "y")
        if population.gate is not None and population.gate.coordinate(axis).of == name
    ]

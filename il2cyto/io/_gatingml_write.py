"""The gates of one sample, its own cuts included, as a Gating-ML 2.0 document that other programs read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from il2cyto._keys import ROOT
from il2cyto.io._atomic import replacing
from il2cyto.io._gatingml_elements import EVERYTHING, Document, Shape, Side, singlet_outline
from il2cyto.template import (
    BoundaryGate,
    EllipseGate,
    FixedGate,
    IntervalGate,
    Log,
    PolygonGate,
    QuadrantGate,
    RectangleGate,
    RefGate,
    SingletGate,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from il2cyto.template import Expression, Gate, GatingTemplate, Population

_TINY: Final = math.nextafter(0.0, 1.0)


@dataclass(frozen=True, slots=True)
class SampleChannel:
    """What a template's key is in one file."""

    name: str
    range: float
    detector: str


def write_gatingml(
    path: str | Path,
    template: GatingTemplate,
    *,
    channels: Mapping[str, SampleChannel],
    compensated: bool,
    cuts: Mapping[str, Mapping[str, float]],
    polygons: Mapping[str, Sequence[tuple[float, float]]] | None = None,
) -> tuple[str, ...]:
    """Write the gates of one sample.

    Parameters
    ----------
    path
        Where to; replaced in one step.
    template
        The template that was applied.
    channels
        Marker, channel or dimension as the template writes it -> channel of the file.
    compensated
        Whether the file's own spillover matrix was applied.
    cuts
        Final cuts of the fitted gates: population -> coordinate -> value on the template's scale.
    polygons
        Gates that a person drew in place of the template's.

    Returns
    -------
    Populations that are not in the document: those without a cut or a channel, those on a FlowJo scale that Gating-ML
    lacks, and all that stand on them.

    Notes
    -----
    A singlet band has curved edges; it is written as a polygon within 1e-6 of its width. A population without an event
    is a population all the same.
    """
    path = Path(path)
    writer = _Writer(template, channels, compensated, cuts, polygons or {})
    omitted = writer.write()
    with replacing(path) as draft:
        draft.write_bytes(writer.document.text())
    return omitted


class _Writer:
    """Population by population, in an order in which each comes after those it names."""

    def __init__(
        self,
        template: GatingTemplate,
        channels: Mapping[str, SampleChannel],
        compensated: bool,  # noqa: FBT001 - private
        cuts: Mapping[str, Mapping[str, float]],
        polygons: Mapping[str, Sequence[tuple[float, float]]],
    ) -> None:
        self.template, self._channels = template, channels
        self._cuts, self._polygons = cuts, polygons
        self.document = Document(
            template, {key: (c.name, c.range) for key, c in channels.items()}, compensated=compensated
        )
        self._written: set[str] = {ROOT}

    def write(self) -> tuple[str, ...]:
        omitted = []
        for name in self.template.order:
            population = self.template.by_name[name]
            stands = {population.parent, *(population.expression.names() if population.expression else ())}
            if stands <= self._written and self._population(population):
                self._written.add(name)
            else:
                omitted.append(name)
        return tuple(omitted)

    def _population(self, population: Population) -> bool:
        parent = None if population.parent == ROOT else population.parent
        if population.expression is not None:
            self._boolean(population.name, parent, population.expression)
            return True
        gate = population.gate
        if gate is None:
            return False
        of = self.template.by_name[gate.of] if isinstance(gate, RefGate) else population
        if of.gate is None:
            return False
        if any(not self.document.knows(key) for key in of.gate.keys):
            if population.if_missing == "pass":
                self.document.rectangle(population.name, parent, EVERYTHING)
            return population.if_missing == "pass"
        same = gate.same_side(of.gate) if isinstance(gate, RefGate) else True
        return self._gate(population.name, parent, of, same=same)

    def _gate(self, name: str, parent: str | None, of: Population, *, same: bool) -> bool:
        """Write the gate of `of` under another name, same side or the other."""
        gate = of.gate
        if isinstance(gate, BoundaryGate) and of.name not in self._polygons:
            self._boundary(name, parent, gate, same=same)
            return True
        shape = self._shape(of)
        if shape is None or not self.document.can_write(shape):
            return False
        if same != shape.complement:
            self.document.shape(name, parent, shape)
            return True
        helper = self.document.helper(name)
        self.document.shape(helper, None, shape)
        self.document.boolean(name, parent, "not", [(helper, False)])
        return True

    def _shape(self, population: Population) -> Shape | None:
        gate = population.gate
        if population.name in self._polygons and gate is not None:
            return Shape("polygon", gate.keys, vertices=tuple(self._polygons[population.name]))
        cuts = self._cuts.get(population.name, {})
        if gate is None or (gate.fitted and not (cuts and all(math.isfinite(value) for value in cuts.values()))):
            return None
        if isinstance(gate, SingletGate):
            return Shape("polygon", gate.keys, vertices=singlet_outline(cuts, gate.side))
        return self._fixed(gate.at_cuts(cuts))

    def _fixed(self, gate: Gate) -> Shape:
        if isinstance(gate, PolygonGate):
            return Shape("polygon", gate.keys, vertices=gate.vertices)
        if isinstance(gate, EllipseGate):
            return Shape("ellipse", gate.keys, ellipse=gate)
        if isinstance(gate, FixedGate):
            return self._cut(gate, gate.at)
        return Shape("rectangle", gate.keys, _sides(gate))

    def _cut(self, gate: Gate, cut: float) -> Shape:
        above = getattr(gate, "keep", "above") == "above"
        if not above and isinstance(self.template.scale_of(gate.keys[0]), Log):
            # Below a cut are also the events without a logarithm, which are in no rectangle.
            return Shape("rectangle", gate.keys, sides=((cut, None),), complement=True)
        return Shape("rectangle", gate.keys, sides=((cut, None) if above else (None, cut),))

    def _boundary(self, name: str, parent: str | None, gate: BoundaryGate, *, same: bool) -> None:
        """Not at the lower edge of scatter, not in the top bin of any channel, both on the linear scale."""
        operands: list[tuple[str, bool]] = []

        def operand(key: str, side: Side, *, linear: bool, complement: bool) -> None:
            helper = self.document.helper(name)
            self.document.shape(helper, None, Shape("rectangle", (key,), sides=(side,), linear=linear))
            operands.append((helper, complement))

        for key in gate.keys:
            channel = self._channels[key]
            if channel.detector == "scatter":
                operand(key, (_TINY, None), linear=True, complement=False)
            if math.isfinite(channel.range) and channel.range > 1:
                top = (channel.range - 1, math.nextafter(channel.range, math.inf))
                operand(key, top, linear=True, complement=True)
            if gate.min is not None or gate.max is not None:
                operand(key, (gate.min, gate.max), linear=False, complement=False)
        if not operands:
            helper = self.document.helper(name)
            self.document.rectangle(helper, None, EVERYTHING)
            operands.append((helper, False))
        if same:
            self.document.boolean(name, parent, "and", operands)
        else:
            self.document.boolean(name, parent, "or", [(helper, not complement) for helper, complement in operands])

    def _boolean(self, name: str, parent: str | None, expression: Expression) -> None:
        if expression.operator == "name":
            self.document.boolean(name, parent, "and", [(expression.name, False)])
            return
        operands = [self._operand(name, part) for part in _flat(expression)]
        self.document.boolean(name, parent, expression.operator, operands)

    def _operand(self, name: str, expression: Expression) -> tuple[str, bool]:
        """A reference and whether to complement it; a gate of its own for what is nested deeper."""
        if expression.operator == "name":
            return expression.name, False
        if expression.operator == "not":
            reference, complement = self._operand(name, expression.operands[0])
            return reference, not complement
        helper = self.document.helper(name)
        self._boolean(helper, None, expression)
        return helper, False


def _flat(expression: Expression) -> list[Expression]:
    """The operands of a chain of one operator: `a and b and c` is one gate, not two."""
    if expression.operator == "not":
        return list(expression.operands)
    parts = []
    for operand in expression.operands:
        parts.extend(_flat(operand) if operand.operator == expression.operator else [operand])
    return parts


def _sides(gate: Gate) -> tuple[Side, ...]:
    """Lower and upper edge of each channel of an interval, rectangle or quadrant."""
    if isinstance(gate, IntervalGate):
        return ((gate.min, gate.max),)
    if isinstance(gate, QuadrantGate):
        dividers = zip((gate.x, gate.y), gate.keep, strict=True)
        return tuple((at, None) if keep == "above" else (None, at) for at, keep in dividers)
    if isinstance(gate, RectangleGate):
        return tuple(zip(gate.min, gate.max, strict=True))
    msg = f"gate method {gate.method!r} has no edges"
    raise TypeError(msg)

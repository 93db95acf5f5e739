"""The elements of a Gating-ML 2.0 document: transformations, matrices, gates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from il2cyto.io._xml import DATATYPES, GATING, TRANSFORMS
from il2cyto.template import (
    Asinh,
    FlowJoBiex,
    FlowJoLog,
    Hyperlog,
    Linear,
    Log,
    Logicle,
    NoTransform,
    ScaledAsinh,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lxml.etree import _Element as Element

    from il2cyto.template import AnyTransform, Dimension, EllipseGate, GatingTemplate

Side: TypeAlias = tuple[float | None, float | None]
#: A lower edge below every number.
EVERYTHING: Final = (-1.7e308, None)
_DECADE: Final = 1.0 / math.log(10.0)


@dataclass(frozen=True, slots=True)
class Shape:
    """A gate's geometry on the template's scale, or on the linear one."""

    kind: str  # rectangle, polygon, ellipse
    keys: tuple[str, ...]
    sides: tuple[Side, ...] = ()
    vertices: tuple[tuple[float, float], ...] = ()
    ellipse: EllipseGate | None = None
    linear: bool = False
    complement: bool = False  # the gate is what lies outside


class Document:
    """A document that grows; transformations and matrices come before the gates that use them.

    `channels` says for each key of the template what it is in the file: ``$PnN`` and ``$PnR``.
    """

    def __init__(
        self, template: GatingTemplate, channels: Mapping[str, tuple[str, float]], *, compensated: bool
    ) -> None:
        from lxml import etree

        self._make = etree.SubElement
        self._root = etree.Element(
            f"{{{GATING}}}Gating-ML", nsmap={"gating": GATING, "transforms": TRANSFORMS, "data-type": DATATYPES}
        )
        self._template, self._channels, self._compensated = template, channels, compensated
        self._transforms: dict[tuple[AnyTransform, float | None, float | None], str] = {}
        self._ratios: dict[str, str] = {}
        self._matrices: dict[str, str] = {}
        self._ids = {population.name for population in template.populations}

    def text(self) -> bytes:
        """The document, XML in UTF-8."""
        from lxml import etree

        return bytes(etree.tostring(self._root, encoding="utf-8", xml_declaration=True, pretty_print=True))

    def helper(self, name: str) -> str:
        """A free id for a gate that a population needs and that is none itself."""
        number = 1
        while f"{name}__{number}" in self._ids:
            number += 1
        self._ids.add(f"{name}__{number}")
        return f"{name}__{number}"

    def knows(self, key: str) -> bool:
        """Whether the file has what the key stands for."""
        dimension = self._template.dimensions.get(key)
        return key in self._channels or (dimension is not None and dimension.ratio is not None)

    def can_write(self, shape: Shape) -> bool:
        """Whether Gating-ML has the scales of a gate: FlowJo's own it has not."""
        scales = [self._template.scale_of(key) for key in shape.keys]
        return shape.linear or not any(isinstance(scale, (FlowJoBiex, FlowJoLog)) for scale in scales)

    def shape(self, name: str, parent: str | None, shape: Shape) -> None:
        """Add a gate."""
        tag = {"rectangle": "RectangleGate", "polygon": "PolygonGate", "ellipse": "EllipsoidGate"}[shape.kind]
        prepared = [self._prepare(key, linear=shape.linear) for key in shape.keys]
        gate = self._gate(tag, name, parent)
        sides = shape.sides or ((None, None),) * len(shape.keys)
        for (source, attributes), (low, high) in zip(prepared, sides, strict=True):
            dimension = self._make(gate, f"{{{GATING}}}dimension", attributes)
            for edge, value in (("min", low), ("max", high)):
                if value is not None:
                    dimension.set(f"{{{GATING}}}{edge}", repr(float(value)))
            self._make(dimension, *source)
        for vertex in shape.vertices:
            self._point(self._make(gate, f"{{{GATING}}}vertex"), "coordinate", vertex)
        if shape.ellipse is not None:
            self._point(self._make(gate, f"{{{GATING}}}mean"), "coordinate", shape.ellipse.mean)
            matrix = self._make(gate, f"{{{GATING}}}covarianceMatrix")
            for row in shape.ellipse.covariance:
                self._point(self._make(matrix, f"{{{GATING}}}row"), "entry", row)
            distance = self._make(gate, f"{{{GATING}}}distanceSquare")
            distance.set(f"{{{DATATYPES}}}value", repr(shape.ellipse.distance_square))

    def rectangle(self, name: str, parent: str | None, side: Side) -> None:
        """Add a range on the first channel the file is known to have, as it is stored."""
        channel = next(iter(self._channels.values()))[0]
        gate = self._gate("RectangleGate", name, parent)
        dimension = self._make(gate, f"{{{GATING}}}dimension", {f"{{{GATING}}}compensation-ref": "uncompensated"})
        for edge, value in zip(("min", "max"), side, strict=True):
            if value is not None:
                dimension.set(f"{{{GATING}}}{edge}", repr(value))
        self._make(dimension, f"{{{DATATYPES}}}fcs-dimension", {f"{{{DATATYPES}}}name": channel})

    def boolean(self, name: str, parent: str | None, operator: str, operands: Sequence[tuple[str, bool]]) -> None:
        """Add a combination of gates; each operand is a gate's id and whether its complement is meant."""
        if operator != "not" and len(operands) == 1:
            operands = [*operands, *operands]  # the schema wants two
        rule = self._make(self._gate("BooleanGate", name, parent), f"{{{GATING}}}{operator}")
        for reference, complement in operands:
            operand = self._make(rule, f"{{{GATING}}}gateReference", {f"{{{GATING}}}ref": reference})
            if complement:
                operand.set(f"{{{GATING}}}use-as-complement", "true")

    def _gate(self, tag: str, name: str, parent: str | None) -> Element:
        gate = self._make(self._root, f"{{{GATING}}}{tag}", {f"{{{GATING}}}id": name})
        if parent is not None:
            gate.set(f"{{{GATING}}}parent_id", parent)
        return gate

    def _point(self, element: Element, tag: str, values: Sequence[float]) -> None:
        for value in values:
            self._make(element, f"{{{GATING}}}{tag}", {f"{{{DATATYPES}}}value": repr(float(value))})

    def _prepare(self, key: str, *, linear: bool) -> tuple[tuple[str, dict[str, str]], dict[str, str]]:
        """The element that names a key's channel, and the attributes that say how it is prepared."""
        dimension = self._template.dimensions.get(key)
        compensation = self._compensation(dimension)
        scale, low, high = self._template.scale_of(key), None, None
        if dimension is not None:
            low, high = dimension.low, dimension.high
        if key in self._channels:
            scale = scale.at_range(self._channels[key][1])
        attributes = {f"{{{GATING}}}compensation-ref": compensation}
        if not linear and (not isinstance(scale, NoTransform) or low is not None or high is not None):
            attributes[f"{{{GATING}}}transformation-ref"] = self._transform(scale, low, high)
        if dimension is not None and dimension.ratio is not None:
            reference = {f"{{{DATATYPES}}}transformation-ref": self._ratio(key, dimension)}
            return (f"{{{DATATYPES}}}new-dimension", reference), attributes
        name = self._channels[key][0]
        if dimension is not None and dimension.compensation in self._template.matrices:
            name = dimension.channel or name  # under a matrix the name is that of its fluorochrome
        return (f"{{{DATATYPES}}}fcs-dimension", {f"{{{DATATYPES}}}name": name}), attributes

    def _compensation(self, dimension: Dimension | None) -> str:
        if dimension is None:
            return "FCS" if self._compensated else "uncompensated"
        if dimension.compensation in ("acquisition", "none"):
            return {"acquisition": "FCS", "none": "uncompensated"}[dimension.compensation]
        return self._matrix(dimension.compensation)

    def _matrix(self, name: str) -> str:
        if name not in self._matrices:
            self._matrices[name] = reference = f"matrix_{len(self._matrices) + 1}"
            matrix = self._template.matrices[name]
            element = self._make(self._root, f"{{{TRANSFORMS}}}spectrumMatrix", {f"{{{TRANSFORMS}}}id": reference})
            for tag, names in (("fluorochromes", matrix.fluorochromes), ("detectors", matrix.detectors)):
                holder = self._make(element, f"{{{TRANSFORMS}}}{tag}")
                for channel in names:
                    self._make(holder, f"{{{DATATYPES}}}fcs-dimension", {f"{{{DATATYPES}}}name": channel})
            for row in matrix.spillover:
                spectrum = self._make(element, f"{{{TRANSFORMS}}}spectrum")
                for value in row:
                    self._make(spectrum, f"{{{TRANSFORMS}}}coefficient", {f"{{{TRANSFORMS}}}value": repr(value)})
        return self._matrices[name]

    def _transform(self, scale: AnyTransform, low: float | None, high: float | None) -> str:
        key = (scale, low, high)
        if key not in self._transforms:
            self._transforms[key] = reference = f"scale_{len(self._transforms) + 1}"
            element = self._make(self._root, f"{{{TRANSFORMS}}}transformation", {f"{{{TRANSFORMS}}}id": reference})
            for side, value in (("boundMin", low), ("boundMax", high)):
                if value is not None:
                    element.set(f"{{{TRANSFORMS}}}{side}", repr(value))
            tag, parameters = _in_gatingml(scale)
            values = {f"{{{TRANSFORMS}}}{letter}": repr(float(value)) for letter, value in parameters.items()}
            self._make(element, f"{{{TRANSFORMS}}}{tag}", values)
        return self._transforms[key]

    def _ratio(self, key: str, dimension: Dimension) -> str:
        rule = dimension.ratio
        if rule is not None and key not in self._ratios:
            self._ratios[key] = reference = f"ratio_{len(self._ratios) + 1}"
            element = self._make(self._root, f"{{{TRANSFORMS}}}transformation", {f"{{{TRANSFORMS}}}id": reference})
            values = {
                f"{{{TRANSFORMS}}}{letter}": repr(value)
                for letter, value in zip("ABC", (rule.a, rule.b, rule.c), strict=True)
            }
            ratio = self._make(element, f"{{{TRANSFORMS}}}fratio", values)
            for channel in (rule.numerator, rule.denominator):
                self._make(ratio, f"{{{DATATYPES}}}fcs-dimension", {f"{{{DATATYPES}}}name": channel})
        return self._ratios[key]


def _in_gatingml(scale: AnyTransform) -> tuple[str, dict[str, Any]]:
    """The element and parameters of a scale."""
    match scale:
        case Logicle() | Hyperlog():
            return scale.method, {"T": scale.t, "W": scale.w, "M": scale.m, "A": scale.a}
        case Linear():
            return "flin", {"T": scale.t, "A": scale.a}
        case Log():
            return "flog", {"T": scale.t, "M": scale.m}
        case ScaledAsinh():
            return "fasinh", {"T": scale.t, "M": scale.m, "A": scale.a}
        case Asinh():
            # With M = 1/ln 10 and A = 0 the scaled arcsinh is arcsinh(x sinh(1) / T).
            return "fasinh", {"T": scale.cofactor * math.sinh(1.0), "M": _DECADE, "A": 0.0}
        case NoTransform():
            return "flin", {"T": 1.0, "A": 0.0}
        case _:
            msg = f"Gating-ML 2.0 has no scale {scale.method!r}"
            raise TypeError(msg)


def singlet_outline(cuts: Mapping[str, float], side: str) -> tuple[tuple[float, float], ...]:
    """The band around the line of height on area as a polygon, dense where the events are.

    Its chords leave the curve by less than 1e-3 / n of the band's width, n being the events that were fitted.
    """
    centre, n, sxx, width = cuts["centre"], cuts["n"], cuts["sxx"], cuts["width"]
    sd = math.sqrt(sxx / n)
    far = np.geomspace(20.0, 1e6, 120)[1:]
    steps = np.concatenate([-far[::-1], np.linspace(-20.0, 20.0, 801), far])
    x = centre + sd * steps
    line = cuts["intercept"] + cuts["slope"] * x
    half = width * np.sqrt(1.0 + 1.0 / n + (x - centre) ** 2 / sxx)
    top = np.full(x.shape, np.abs(line).max() + half.max() + 1e6) if side == "lower" else line + half
    outline = [*zip(x, line - half, strict=True), *zip(x[::-1], top[::-1], strict=True)]
    return tuple((float(a), float(b)) for a, b in outline)


def half_plane(line: Mapping[str, float]) -> tuple[tuple[float, float], ...]:
    """Everything above a line as a polygon, ten million units of the scale in each direction."""
    far = 1e7
    left, right = (line["intercept"] + line["slope"] * x for x in (-far, far))
    top = max(left, right) + far
    return (-far, left), (far, right), (far, top), (-far, top)

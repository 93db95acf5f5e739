"""Shapes that are not parallel to the axes: for the kernel as numbers, and in numpy for events it is not sure of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from il2cyto.errors import GatingError
from il2cyto.gt import _shapes
from il2cyto.gt._kernels._gate import ELLIPSE, POLYGON, SINGLET
from il2cyto.gt._linear import axis, classify, constants
from il2cyto.pp import transform
from il2cyto.template._gates import EllipseGate, PolygonGate, ReferenceLineGate, SingletGate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from il2cyto.gt._linear import Spec
    from il2cyto.template._gates import Gate

    FloatArray = npt.NDArray[np.float64]
    ByteArray = npt.NDArray[np.uint8]
    BoolArray = npt.NDArray[np.bool_]
    Shape = Callable[[FloatArray, FloatArray], BoolArray]
    Points = tuple[tuple[float, float], ...]

#: The kernel's transforms differ from numpy's by less than this share of a position.
_TOLERANCE = 1e-10
_ELLIPSE_POINTS = 64


@dataclass(frozen=True, eq=False)
class Curve:
    """A shape in two dimensions; `grid` is the cells of either axis and the class of each cell."""

    kind: int
    specs: tuple[Spec, Spec]
    shape: Shape
    parameters: tuple[float, ...]
    grid: tuple[ByteArray, ByteArray, ByteArray] | None = None

    def contains(self, x: FloatArray, y: FloatArray) -> BoolArray:
        """Which linear values are inside, by the transform and the test that the tree in numpy uses."""
        return self.shape(transform(x, self.specs[0]), transform(y, self.specs[1]))


def curve_of(
    gate: Gate,
    specs: Sequence[Spec],
    *,
    vertices: Sequence[tuple[float, float]] | None = None,
    cuts: Mapping[str, float] | None = None,
) -> Curve:
    """Describe a gate; `vertices` stand in place of the gate's own, `cuts` are those of a band: a singlet gate's, or a line's."""
    x, y = specs
    if vertices is not None:
        return polygon(tuple((float(a), float(b)) for a, b in vertices), x, y)
    if isinstance(gate, SingletGate):
        return _singlet(cuts or {}, gate.side, x, y)
    if isinstance(gate, ReferenceLineGate):
        return _singlet(cuts or {}, "lower", x, y)
    if isinstance(gate, EllipseGate):
        return ellipse(gate, x, y)
    if isinstance(gate, PolygonGate):
        return polygon(gate.vertices, x, y)
    msg = f"gate method {gate.method!r} is not a shape that can be applied"
    raise GatingError(msg)


def _singlet(cuts: Mapping[str, float], which: str, x: Spec, y: Spec) -> Curve:
    numbers = [cuts[name] for name in ("intercept", "slope", "width", "centre", "sxx", "n")]
    own = (*constants(x), *constants(y), *numbers, float(which == "lower"))
    return Curve(SINGLET, (x, y), lambda u, v: _shapes.singlet(u, v, cuts, which), own)


@lru_cache(maxsize=1024)
def polygon(vertices: Points, x: Spec, y: Spec) -> Curve:
    """Describe a polygon; the lower end of an edge comes first, as in _shapes.polygon."""
    edges = []
    for (x0, y0), (x1, y1) in zip((vertices[-1], *vertices[:-1]), vertices, strict=True):
        if y0 != y1:
            (xa, ya), (xb, yb) = ((x0, y0), (x1, y1)) if y0 < y1 else ((x1, y1), (x0, y0))
            edges.append((xa, ya, yb, (xb - xa) / (yb - ya)))
    largest = max(1.0, *(abs(c) for point in vertices for c in point))
    numbers = (_TOLERANCE * largest, float(len(edges)), *(c for edge in edges for c in edge))
    shape = lambda u, v: _shapes.polygon(u, v, vertices)
    grid = _grid(vertices, 0.0, shape, x, y)
    return Curve(POLYGON, (x, y), shape, (*constants(x), *constants(y), *numbers), grid)


@lru_cache(maxsize=1024)
def ellipse(gate: EllipseGate, x: Spec, y: Spec) -> Curve:
    """Describe an ellipse; its outline, for the grid, is a polygon that it leaves by no more than a tolerance."""
    (a, b), (_, d) = gate.covariance
    shape = lambda u, v: _shapes.ellipse(u, v, gate.mean, gate.covariance, gate.distance_square)
    axes = np.linalg.cholesky(np.array(gate.covariance)) * np.sqrt(gate.distance_square)
    angle = 2 * np.pi * np.arange(_ELLIPSE_POINTS) / _ELLIPSE_POINTS
    points = np.asarray(gate.mean) + np.column_stack([np.cos(angle), np.sin(angle)]) @ axes.T
    sagitta = float(np.linalg.norm(axes)) * (1 - np.cos(np.pi / _ELLIPSE_POINTS))
    grid = _grid(tuple(map(tuple, points.tolist())), sagitta, shape, x, y)
    numbers = (1e-6 * (1 + gate.distance_square), gate.distance_square, *gate.mean, a, b, d, a * d - b * b)
    return Curve(ELLIPSE, (x, y), shape, (*constants(x), *constants(y), *numbers), grid)


def _grid(outline: Points, tolerance: float, shape: Shape, x: Spec, y: Spec) -> tuple[ByteArray, ByteArray, ByteArray]:
    points = np.asarray(outline)
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.01 * (high - low) + 2 * tolerance + 1e-9 * np.abs(points).max()
    (x_cells, x_ranges), (y_cells, y_ranges) = (
        axis(spec, float(a), float(b)) for spec, a, b in zip((x, y), low - margin, high + margin, strict=True)
    )
    # The kernel's own transform differs in the last bits: an outline that near to a cell passes through it.
    near = tolerance + 1e-9 * max(1.0, float(np.abs(points).max()))
    return x_cells, y_cells, classify(outline, near, x_ranges, y_ranges, shape)

"""Shapes that are not parallel to the axes: for the kernel as numbers, and in numpy for events it is not sure of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from il2cyto.gt import _shapes
from il2cyto.gt._kernels._ops import ASK, ELLIPSE, OTHER, POLYGON, SINGLET, TRANSFORM_SIZE
from il2cyto.gt._linear import axis, classify, constants
from il2cyto.template._shapes import EllipseGate, PolygonGate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from il2cyto.gt._scale import Scale
    from il2cyto.template._gate import Gate

    FloatArray = npt.NDArray[np.float64]
    ByteArray = npt.NDArray[np.uint8]
    BoolArray = npt.NDArray[np.bool_]
    Shape = Callable[..., BoolArray]
    Points = tuple[tuple[float, float], ...]

#: The kernel's transforms differ from numpy's by less than this share of a position.
_TOLERANCE = 1e-10
_ELLIPSE_POINTS = 64
#: What a singlet gate is fitted to say, in the order in which the kernel takes it.
SINGLET_CUTS = ("intercept", "slope", "width", "centre", "sxx", "n")


@dataclass(frozen=True, eq=False)
class Curve:
    """A shape on some scales; `grid` is the cells of either axis and the class of each cell."""

    kind: int
    scales: tuple[Scale, ...]
    shape: Shape
    parameters: tuple[float, ...] = ()
    grid: tuple[ByteArray, ByteArray, ByteArray] | None = None

    def contains(self, *linear: FloatArray) -> BoolArray:
        """Which linear values are inside, by the transform and the test that the tree in numpy uses."""
        with np.errstate(invalid="ignore"):  # positions may be infinite; their differences are NaN and outside
            return self.shape(*(scale(x) for scale, x in zip(self.scales, linear, strict=True)))


def curve_of(gate: Gate, scales: Sequence[Scale], *, vertices: Sequence[tuple[float, float]] | None = None) -> Curve:
    """Describe a fixed gate; `vertices` stand in place of the gate's own."""
    if vertices is not None:
        return polygon(tuple((float(a), float(b)) for a, b in vertices), *scales)
    if isinstance(gate, PolygonGate):
        return polygon(gate.vertices, *scales)
    if isinstance(gate, EllipseGate) and len(gate.channels) == 2:
        return ellipse(gate, *scales)
    return Curve(ASK, tuple(scales), lambda *columns: _shapes.fixed_shape(gate, columns))


def band_curve(x: Scale, y: Scale, cuts: Mapping[str, float] | None = None, which: str = "both") -> Curve:
    """Describe the band of a singlet gate: without its cuts only what kind of shape it is, and how many parameters it has."""
    cuts = cuts or dict.fromkeys(SINGLET_CUTS, float("nan"))
    scales = (*constants(x), *constants(y))
    kind = ASK if OTHER in (scales[0], scales[TRANSFORM_SIZE]) else SINGLET
    shape = lambda u, v: _shapes.singlet(u, v, cuts, which)
    return Curve(kind, (x, y), shape, (*scales, *(cuts[name] for name in SINGLET_CUTS), float(which == "lower")))


@lru_cache(maxsize=256)
def polygon(vertices: Points, x: Scale, y: Scale) -> Curve:
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


@lru_cache(maxsize=256)
def ellipse(gate: EllipseGate, x: Scale, y: Scale) -> Curve:
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


def _grid(
    outline: Points, tolerance: float, shape: Shape, x: Scale, y: Scale
) -> tuple[ByteArray, ByteArray, ByteArray]:
    points = np.asarray(outline)
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.01 * (high - low) + 2 * tolerance + 1e-9 * np.abs(points).max()
    (x_cells, x_ranges), (y_cells, y_ranges) = (
        axis(scale, float(a), float(b)) for scale, a, b in zip((x, y), low - margin, high + margin, strict=True)
    )
    # The kernel's own transform differs in the last bits: an outline that near to a cell passes through it.
    near = tolerance + 1e-9 * max(1.0, float(np.abs(points).max()))
    return x_cells, y_cells, classify(outline, near, x_ranges, y_ranges, shape)

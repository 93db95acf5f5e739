"""From a gate and its cuts to the events inside: the geometry of GATING, one small function per shape.

Convention: a lower edge belongs to the gate, an upper edge does not; polygons are even-odd with left and bottom edges inside,
right and top edges outside; an ellipse contains its edge. NaN is in no gate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from il2cyto.errors import GatingError
from il2cyto.pp._compensation import inverse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from il2cyto.template import Gate, QuadrantGate

    FloatArray = npt.NDArray[np.float64]
    BoolArray = npt.NDArray[np.bool_]


def interval(x: FloatArray, low: float | None, high: float | None) -> BoolArray:
    """Events with min <= x < max, with open sides for None; a non-finite position (the log of 0) is in no interval."""
    inside = np.isfinite(x)
    if low is not None:
        inside &= x >= low
    if high is not None:
        inside &= x < high
    return inside


def side(x: FloatArray, cut: float, keep: str) -> BoolArray:
    """``above`` is x >= cut, ``below`` is x < cut: together they are all events, those at minus infinity included."""
    return x >= cut if keep == "above" else x < cut


def polygon(x: FloatArray, y: FloatArray, vertices: Sequence[tuple[float, float]]) -> BoolArray:
    """Even-odd rule: an edge is crossed when it spans y half-openly and its x at that y lies right of the event."""
    inside = np.zeros(x.shape, dtype=np.bool_)
    x0, y0 = vertices[-1]
    for x1, y1 in vertices:
        if y0 != y1:
            # The lower end first, so that an edge shared by two polygons gives the same x in both.
            (xa, ya), (xb, yb) = ((x0, y0), (x1, y1)) if y0 < y1 else ((x1, y1), (x0, y0))
            spans = (y >= ya) & (y < yb)
            with np.errstate(invalid="ignore"):
                inside ^= spans & (x < xa + (y - ya) * ((xb - xa) / (yb - ya)))
        x0, y0 = x1, y1
    return inside


def ellipse(
    x: FloatArray, y: FloatArray, mean: Sequence[float], covariance: Sequence[Sequence[float]], distance_square: float
) -> BoolArray:
    """(x - mean)' covariance^-1 (x - mean) <= distance_square."""
    (a, b), (_, d) = covariance
    dx, dy = x - mean[0], y - mean[1]
    with np.errstate(invalid="ignore"):
        distance: FloatArray = (d * dx * dx - 2 * b * dx * dy + a * dy * dy) / (a * d - b * b)
    return distance <= distance_square


def ellipsoid(
    columns: Sequence[FloatArray],
    mean: Sequence[float],
    covariance: Sequence[Sequence[float]],
    distance_square: float,
) -> BoolArray:
    """The ellipse on any number of channels; the covariance need not be positive definite."""
    if len(columns) == 2:
        return ellipse(columns[0], columns[1], mean, covariance, distance_square)
    weights = inverse(np.asarray(covariance, dtype=np.float64))
    offsets = [x - centre for x, centre in zip(columns, mean, strict=True)]
    distance = np.zeros(columns[0].shape)
    for i, dx in enumerate(offsets):
        for j, dy in enumerate(offsets):
            distance += weights[i, j] * dx * dy
    return (distance <= distance_square) & np.isfinite(distance)


def rectangle(columns: Sequence[FloatArray], low: Sequence[float | None], high: Sequence[float | None]) -> BoolArray:
    """Inside the interval of every column."""
    inside = np.ones(columns[0].shape, dtype=np.bool_)
    for x, bottom, top in zip(columns, low, high, strict=True):
        inside &= interval(x, bottom, top)
    return inside


def quadrant_sides(gate: QuadrantGate) -> tuple[list[float | None], list[float | None]]:
    """Lower and upper sides of a quadrant, seen as a rectangle."""
    dividers = list(zip((gate.x, gate.y), gate.keep, strict=True))
    return [at if keep == "above" else None for at, keep in dividers], [
        at if keep == "below" else None for at, keep in dividers
    ]


def singlet(area: FloatArray, height: FloatArray, cuts: Mapping[str, float], which: str) -> BoolArray:
    """Within the prediction band of the line height = intercept + slope area; `lower` leaves the upper side open."""
    with np.errstate(invalid="ignore"):
        residual = height - cuts["intercept"] - cuts["slope"] * area
    leverage = 1 / cuts["n"] + (area - cuts["centre"]) ** 2 / cuts["sxx"]
    width = cuts["width"] * np.sqrt(1 + leverage)
    return residual >= -width if which == "lower" else np.abs(residual) <= width


def boundary(columns: Sequence[FloatArray], ranges: Sequence[float], scatter: Sequence[bool]) -> BoolArray:
    """Not in the lowest or highest bin of a channel, on the linear scale.

    The highest bin is the last unit of ``$PnR``, where a cytometer piles up what it cannot measure; exported floats may lie
    far above ``$PnR``, and those are measurements. The lowest bin is 0 and below, for scatter alone: compensated
    fluorescence is rightly negative.
    """
    inside = np.ones(columns[0].shape, dtype=np.bool_)
    for x, top, is_scatter in zip(columns, ranges, scatter, strict=True):
        if is_scatter:
            inside &= x > 0
        inside &= ~in_top_bin(x, top)
    return inside


def in_top_bin(x: FloatArray, top: float) -> BoolArray:
    """Values in the last unit of a channel's range."""
    return (x >= top - 1) & (x <= top) if np.isfinite(top) and top > 1 else np.zeros(x.shape, dtype=np.bool_)


def all_within(columns: Sequence[FloatArray], low: float | None, high: float | None) -> BoolArray:
    """Events with min <= x < max in every column."""
    inside = interval(columns[0], low, high)
    for x in columns[1:]:
        inside &= interval(x, low, high)
    return inside


def fixed_shape(gate: Gate, columns: Sequence[FloatArray]) -> BoolArray:
    """The events inside a fixed gate; `columns` are those of ``gate.keys`` on the template's scale."""
    try:
        with np.errstate(invalid="ignore"):  # positions may be infinite; their differences are NaN and outside
            return _FIXED[gate.method](gate, *columns)
    except KeyError:
        msg = f"gate method {gate.method!r} is not a fixed shape; fixed shapes: {', '.join(_FIXED)}"
        raise GatingError(msg) from None


_FIXED: dict[str, Callable[..., BoolArray]] = {
    "interval": lambda g, x: interval(x, g.min, g.max),
    "fixed": lambda g, x: side(x, g.at, g.keep),
    "rectangle": lambda g, *columns: rectangle(columns, g.min, g.max),
    "quadrant": lambda g, *columns: rectangle(columns, *quadrant_sides(g)),
    "polygon": lambda g, x, y: polygon(x, y, g.vertices),
    "ellipse": lambda g, *columns: ellipsoid(columns, g.mean, g.covariance, g.distance_square),
}

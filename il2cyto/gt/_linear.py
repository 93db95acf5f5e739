"""Cuts and outlines brought to the linear scale once, so that events need not be transformed."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from il2cyto.gt._kernels._ops import ASINH, CELLS, INSIDE, LINEAR, LOG, LOGICLE, MIXED, NONE, OTHER, TRANSFORM_SIZE
from il2cyto.pp._transform import logicle_scale
from il2cyto.template._transforms import Asinh, Linear, Log, Logicle, NoTransform

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from il2cyto.gt._scale import Scale

    FloatArray = npt.NDArray[np.float64]
    IntArray = npt.NDArray[np.int64]
    ByteArray = npt.NDArray[np.uint8]
    BoolArray = npt.NDArray[np.bool_]
    Points = tuple[tuple[float, float], ...]

#: How far from the inverse of a cut, in units of the last place, the linear cut is first looked for.
_NEAR = 1 << 12
_BRANCHES = 64
_LARGEST_SHORT = float(np.finfo(np.float32).max)


def linear_cuts(cuts: Sequence[float], scale: Scale) -> FloatArray:
    """Find for each cut the smallest float64 x with scale(x) >= cut: x >= that is the same as scale(x) >= cut.

    Infinity counts as a number. NaN, which nothing reaches, where no x reaches the cut.
    """
    return _value(_first(cuts, scale))


def last_below(cuts: Sequence[float], scale: Scale) -> FloatArray:
    """Find for each cut the largest float64 x with scale(x) < cut: x <= that is the same as scale(x) < cut.

    NaN, which nothing lies below, where every x reaches the cut.
    """
    return _value(_first(cuts, scale) - 1)


def _first(cuts: Sequence[float], scale: Scale) -> IntArray:
    """Place in the order of float64 of the first value that reaches each cut, found by bisection with the scale itself."""
    target = np.asarray(cuts, dtype=np.float64)
    if scale.is_identity:
        return _order(target)
    lowest, highest = _order(np.array([-np.inf, np.inf])).tolist()

    def reached(order: IntArray) -> BoolArray:
        with np.errstate(invalid="ignore", over="ignore"):  # beyond infinity stands NaN
            positions = scale(_value(order))
        return np.asarray(positions >= (target if order.ndim == 1 else target[:, np.newaxis]))

    # Reached at `high`, which may be the place behind infinity, and not at `low`, which may be that before its negative.
    # By halves at 0: the distance from end to end does not fit an integer.
    of_zero = reached(np.zeros(target.shape, dtype=np.int64))
    low, high = np.where(of_zero, lowest - 1, 0), np.where(of_zero, 0, highest + 1)
    guess = _order(np.nan_to_num(scale.guess(target)))
    for near in (guess - _NEAR, guess + _NEAR):
        near = np.clip(near, np.maximum(low, lowest), np.minimum(high, highest))
        found = reached(near)
        low, high = np.where(found, low, np.maximum(low, near)), np.where(found, np.minimum(high, near), high)
    while (high - low).max(initial=0) > 1:
        step = np.maximum((high - low) // _BRANCHES, 1)
        points = np.minimum(low[:, np.newaxis] + step[:, np.newaxis] * np.arange(_BRANCHES + 1), high[:, np.newaxis])
        found = reached(points) | (points == high[:, np.newaxis])
        found[:, 0] = False
        rows, first = np.arange(target.size), found.argmax(axis=1)
        some = found.any(axis=1)
        low = points[rows, np.where(some, first - 1, _BRANCHES)]
        high = np.where(some, points[rows, first], high)
    # Of neighbours whose positions differ by rounding alone, the first that reaches the cut.
    points = np.maximum(high[:, np.newaxis] - np.arange(_BRANCHES, -1, -1), lowest)
    found = reached(points)
    found[:, -1] = True
    return np.asarray(points[np.arange(target.size), found.argmax(axis=1)])


def _order(x: FloatArray) -> IntArray:
    """Integers in the order of float64 values, neighbours of neighbours; NaN lies beyond either infinity."""
    bits = np.asarray(x, dtype=np.float64).view(np.int64)
    return np.where(bits < 0, np.int64(-(2**63)) - bits, bits)


def _value(order: IntArray) -> FloatArray:
    x = np.where(order < 0, np.int64(-(2**63)) - order, order).view(np.float64)
    return np.where(np.isnan(x), np.nan, x)


def constants(scale: Scale) -> tuple[float, ...]:
    """A scale as the kernel takes it: number and five constants."""
    spec = scale.spec
    numbers: tuple[float, ...] = (OTHER,)
    if scale.clipped:
        pass
    elif isinstance(spec, Logicle):
        numbers = (LOGICLE, *logicle_scale(float(spec.t), spec.w, spec.m, spec.a))
    elif isinstance(spec, Linear):
        numbers = (LINEAR, spec.a, float(spec.t) + spec.a)
    elif isinstance(spec, Asinh):
        numbers = (ASINH, spec.cofactor)
    elif isinstance(spec, Log):
        numbers = (LOG, float(spec.t), spec.m)
    elif isinstance(spec, NoTransform):
        numbers = (NONE,)
    return (*numbers, *[0.0] * (TRANSFORM_SIZE - len(numbers)))


@lru_cache(maxsize=256)
def axis(scale: Scale, low: float, high: float) -> tuple[ByteArray, FloatArray]:
    """Cut an axis of a grid into cells, by the upper 16 bits of float32: sign, exponent and 7 bits of the mantissa.

    Returns
    -------
    (65536,) the cell of each pattern of bits, and (CELLS, 2) the range of each cell on the transformed scale, a little
    widened, within `low` and `high`: beyond them there is nothing to tell apart. NaN falls into the first or last cell, which
    the outline of a shape does not reach.
    """
    patterns = np.arange(1 << 16, dtype=np.uint32)
    negative, exponent = patterns >= 1 << 15, patterns & 0x7FFF
    number, infinite = exponent <= 0x7F80, exponent == 0x7F80
    edges = np.stack([patterns << 16, patterns << 16 | np.where(infinite, 0, 0xFFFF)])[:, number].astype(np.uint32)
    edges = edges.view(np.float32).astype(np.float64)
    # What float32 rounds to infinity may be any larger float64.
    edges[0, np.isinf(edges[0])] = np.copysign(_LARGEST_SHORT, edges[0, np.isinf(edges[0])])
    # A float64 that lies between two float32 may be rounded into the neighbouring pattern.
    slack = np.array([[-1.0], [1.0]])
    edges = np.sort(edges, axis=0)
    edges = edges + slack * np.where(np.isinf(edges), 0.0, 1e-6 * np.abs(edges) + 1e-30)
    bounds = np.where(negative, low, high) * np.ones((2, 1))
    bounds[:, number] = np.clip(scale(edges), low, high)
    cell = np.clip((bounds[0] - low) / (high - low) * CELLS, 0, CELLS - 1).astype(np.uint8)
    ranges = np.full((CELLS, 2), [np.inf, -np.inf])
    np.minimum.at(ranges[:, 0], cell, bounds[0])
    np.maximum.at(ranges[:, 1], cell, bounds[1])
    return cell, ranges


def classify(
    outline: Points,
    tolerance: float,
    x: FloatArray,
    y: FloatArray,
    inside: Callable[[FloatArray, FloatArray], npt.NDArray[np.bool_]],
) -> ByteArray:
    """Class of each cell of a grid: mixed where the outline, widened by `tolerance`, passes through it."""
    used = (x[:, 0] <= x[:, 1])[:, np.newaxis] & (y[:, 0] <= y[:, 1])
    x, y = np.where(np.isfinite(x), x, 0.0), np.where(np.isfinite(y), y, 0.0)
    middle_x, middle_y = np.broadcast_arrays(x.mean(axis=1)[:, np.newaxis], y.mean(axis=1))
    half_x, half_y = np.diff(x)[:, 0][:, np.newaxis] / 2 + tolerance, np.diff(y)[:, 0] / 2 + tolerance
    classes = np.where(inside(middle_x.ravel(), middle_y.ravel()), INSIDE, 0).astype(np.uint8).reshape(CELLS, CELLS)
    for (x0, y0), (x1, y1) in zip(outline, (*outline[1:], outline[0]), strict=True):
        # A segment and a rectangle are apart if a line along x, along y or along the segment separates them.
        touched = (np.abs(middle_x - (x0 + x1) / 2) <= half_x + abs(x1 - x0) / 2) & (
            np.abs(middle_y - (y0 + y1) / 2) <= half_y + abs(y1 - y0) / 2
        )
        across = (middle_x - x0) * (y1 - y0) - (middle_y - y0) * (x1 - x0)
        reach = half_x * abs(y1 - y0) + half_y * abs(x1 - x0)
        classes[touched & (np.abs(across) <= reach * (1 + 1e-9))] = MIXED
    classes[~used] = MIXED
    return classes.ravel()

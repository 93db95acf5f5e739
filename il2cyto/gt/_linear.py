"""Cuts and outlines brought to the linear scale once, so that events need not be transformed."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from il2cyto.gt._kernels._gate import ASINH, CELLS, INSIDE, LINEAR, LOG, LOGICLE, MIXED, NONE
from il2cyto.pp import inverse_transform, transform
from il2cyto.pp._transform import logicle_scale
from il2cyto.template._transforms import Asinh, Linear, Log, Logicle, NoTransform

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float64]
    IntArray = npt.NDArray[np.int64]
    ByteArray = npt.NDArray[np.uint8]
    Spec = Logicle | Linear | Asinh | Log | NoTransform
    Points = tuple[tuple[float, float], ...]

#: How far from the inverse of a cut, in units of the last place, the linear cut is first looked for.
_NEAR = 1 << 12
_BRANCHES = 64
_LARGEST = np.finfo(np.float64).max


def linear_cuts(cuts: Sequence[float], spec: Spec) -> FloatArray:
    """Find for each cut the smallest float64 x with transform(x) >= cut: x >= that is the same as transform(x) >= cut.

    The transform itself decides, by bisection over float64 in the order of its values. Infinity where no x reaches the cut.
    """
    target = np.asarray(cuts, dtype=np.float64)
    if isinstance(spec, NoTransform):
        return target.copy()
    ends = _order(np.array([-_LARGEST, _LARGEST]))
    guess = _order(np.clip(np.nan_to_num(inverse_transform(target, spec)), -_LARGEST, _LARGEST))
    low, high = np.maximum(guess - _NEAR, ends[0]), np.minimum(guess + _NEAR, ends[1])
    # By halves: the distance between the largest float64 of either sign does not fit an integer.
    below_zero = transform(np.zeros(1), spec) >= target
    low = np.where(transform(_value(low), spec) >= target, np.where(below_zero, ends[0], 0), low)
    high = np.where(transform(_value(high), spec) >= target, high, np.where(below_zero, 0, ends[1]))
    below_all = transform(_value(ends[:1]), spec) >= target
    # The cut is reached at `high` and not at `low`; each round looks at points between them.
    while (high - low).max(initial=0) > 1:
        step = np.maximum((high - low) // _BRANCHES, 1)
        points = np.minimum(low[:, np.newaxis] + step[:, np.newaxis] * np.arange(1, _BRANCHES + 2), high[:, np.newaxis])
        reached = transform(_value(points), spec) >= target[:, np.newaxis]
        reached[:, -1] |= points[:, -1] == high
        first = np.where(reached.any(axis=1), reached.argmax(axis=1), _BRANCHES)
        rows = np.arange(target.size)
        found = reached.any(axis=1)
        last_below = np.where(first > 0, points[rows, np.maximum(first - 1, 0)], low)
        high = np.where(found, points[rows, first], high)
        low = np.where(found, last_below, points[rows, -1])
    # Of neighbours whose transforms differ by rounding alone, the first that reaches the cut.
    points = np.maximum(high[:, np.newaxis] - np.arange(_BRANCHES, -1, -1), ends[0])
    high = points[np.arange(target.size), (transform(_value(points), spec) >= target[:, np.newaxis]).argmax(axis=1)]
    x = _value(high)
    x[(high == ends[1]) & ~(transform(x, spec) >= target)] = np.inf
    x[below_all] = -np.inf
    return x


def _order(x: FloatArray) -> IntArray:
    """Integers in the order of float64 values, neighbours of neighbours."""
    bits = np.asarray(x, dtype=np.float64).view(np.int64)
    return np.where(bits < 0, np.int64(-(2**63)) - bits, bits)


def _value(order: IntArray) -> FloatArray:
    return np.where(order < 0, np.int64(-(2**63)) - order, order).view(np.float64)


def constants(spec: Spec) -> tuple[float, ...]:
    """A transform as the kernel takes it: number and five constants."""
    match spec:
        case Logicle():
            return (LOGICLE, *logicle_scale(float(spec.t), spec.w, spec.m, spec.a))
        case Linear():
            return (LINEAR, spec.a, float(spec.t) + spec.a, 0.0, 0.0, 0.0)
        case Asinh():
            return (ASINH, spec.cofactor, 0.0, 0.0, 0.0, 0.0)
        case Log():
            return (LOG, float(spec.t), spec.m, 0.0, 0.0, 0.0)
        case NoTransform():
            return (NONE, 0.0, 0.0, 0.0, 0.0, 0.0)


@lru_cache(maxsize=256)
def axis(spec: Spec, low: float, high: float) -> tuple[ByteArray, FloatArray]:
    """Cut an axis of a grid into cells, by the upper 16 bits of float32: sign, exponent and 7 bits of the mantissa.

    Returns
    -------
    (65536,) the cell of each pattern of bits, and (CELLS, 2) the range of each cell on the transformed scale, a little
    widened, within `low` and `high`: beyond them there is nothing to tell apart.
    """
    patterns = np.arange(1 << 16, dtype=np.uint32)
    negative, finite = patterns >= 1 << 15, (patterns & 0x7F80) != 0x7F80
    bounds = np.where(negative, low, high) * np.ones((2, 1))
    edges = np.stack([patterns << 16, patterns << 16 | 0xFFFF])[:, finite].view(np.float32).astype(np.float64)
    # A float64 that lies between two float32 may be rounded into the neighbouring pattern.
    slack = np.array([[-1.0], [1.0]])
    edges = np.sort(edges, axis=0) + slack * (1e-6 * np.abs(edges) + 1e-30)
    bounds[:, finite] = np.clip(transform(edges, spec), low, high)
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

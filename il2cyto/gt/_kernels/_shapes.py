"""Polygons, ellipses and singlet bands: looked up in a grid, computed where the outline passes, left to numpy where in doubt.

No fused multiply-add and no fast mathematics. The transforms here differ from numpy's in the last bits; wherever these could
decide, the answer is UNSURE and numpy is asked.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from il2cyto.gt._kernels._decorator import kernel
from il2cyto.gt._kernels._ops import ASINH, CELLS, LINEAR, LOG, LOGICLE, MIXED, OTHER, POLYGON, TRANSFORM_SIZE, UNSURE

if TYPE_CHECKING:
    import numpy.typing as npt

    # Blocks are float32 or float64, lists uint32, tables int64: numba sees what comes.
    FloatArray = npt.NDArray[Any]
    IntArray = npt.NDArray[Any]
    ByteArray = npt.NDArray[np.uint8]


@kernel
def gridded(
    kind: int,
    events: IntArray,
    x: FloatArray,
    y: FloatArray,
    p: FloatArray,
    x_cells: ByteArray,
    y_cells: ByteArray,
    classes: ByteArray,
    answer: ByteArray,
) -> bool:
    """Look the event's cell up; only where the outline passes through the cell, transform the event and test it."""
    unsure, known = False, p[0] != OTHER and p[TRANSFORM_SIZE] != OTHER
    short = np.empty(2, dtype=np.float32)
    bits = short.view(np.uint32)
    for i in events:
        short[0], short[1] = x[i], y[i]
        inside = classes[x_cells[bits[0] >> 16] * CELLS + y_cells[bits[1] >> 16]]
        if inside == MIXED:
            inside = UNSURE
            if known:
                u, v = _transform(x[i], p), _transform(y[i], p[TRANSFORM_SIZE:])
                inside = _inside(kind, u, v, p[2 * TRANSFORM_SIZE :])
            unsure |= inside == UNSURE
        answer[i] = inside
    return unsure


@kernel
def _transform(x: float, p: FloatArray) -> float:
    """As il2cyto.pp.transform, but for the last bits."""
    kind = int(p[0])
    if kind == LOGICLE:
        return _logicle(x, p[1], p[2], p[3], p[4], p[5])
    if kind == LINEAR:
        return float((x + p[1]) / p[2])
    if kind == ASINH:
        return math.asinh(x / p[1])
    if kind == LOG:
        return math.log10(x / p[1]) / p[2] + 1.0 if x > 0 else -np.inf
    return x


@kernel
def _logicle(x: float, b: float, d: float, r: float, x1: float, unit: float) -> float:
    z = abs(x) / unit
    u = min(z / (b + r * d), math.log1p(z) / b)
    for _ in range(3):
        rise, fall = math.expm1(b * u), math.expm1(-d * u)
        slope = b * (rise + 1.0) + (r * d) * (fall + 1.0)
        newton = (rise - r * fall - z) / slope
        u -= newton / (1.0 - (0.5 * b * b) * newton * (rise - fall) / slope)
    return x1 + math.copysign(u, x)


@kernel
def _inside(kind: int, x: float, y: float, p: FloatArray) -> int:
    if not (math.isfinite(x) and math.isfinite(y)):
        return UNSURE
    return _polygon(x, y, p) if kind == POLYGON else _ellipse(x, y, p)


@kernel
def _polygon(x: float, y: float, p: FloatArray) -> int:
    """Even-odd rule as in _shapes.polygon; p: tolerance, number of edges, then xa, ya, yb, slope of each (ya < yb)."""
    inside, tolerance = 0, p[0]
    for e in range(int(p[1])):
        xa, ya, yb, slope = p[2 + 4 * e], p[3 + 4 * e], p[4 + 4 * e], p[5 + 4 * e]
        if y < ya - tolerance or y > yb + tolerance:
            continue
        distance = x - (xa + (y - ya) * slope)
        if distance > (1.0 + abs(slope)) * tolerance:
            continue
        if abs(y - ya) <= tolerance or abs(y - yb) <= tolerance or distance >= -(1.0 + abs(slope)) * tolerance:
            return UNSURE
        inside ^= 1
    return inside


@kernel
def _ellipse(x: float, y: float, p: FloatArray) -> int:
    """p: tolerance, distance square, mean, a, b, d of the covariance, its determinant."""
    dx, dy = x - p[2], y - p[3]
    distance = (p[6] * dx * dx - 2.0 * p[5] * dx * dy + p[4] * dy * dy) / p[7]
    if abs(distance - p[1]) <= p[0]:
        return UNSURE
    return 1 if distance <= p[1] else 0


@kernel
def singlet(events: IntArray, x: FloatArray, y: FloatArray, p: FloatArray, answer: ByteArray) -> bool:
    """As _shapes.singlet; after the transforms: intercept, slope, width, centre, sxx, n, and 1 for the lower side alone.

    The squares of residual and half width are compared, and nothing is divided for each event.
    """
    unsure, q = False, p[TRANSFORM_SIZE:]
    intercept, slope, width, centre, sxx, n, lower = q[6], q[7], q[8], q[9], q[10], q[11], q[12] == 1.0
    straight = p[0] == LINEAR and q[0] == LINEAR  # as nearly always
    add_x, by_x, add_y, by_y = p[1], 1.0 / p[2], q[1], 1.0 / q[2]
    square, more, by_sxx = width * width, 1.0 + 1.0 / n, 1.0 / sxx
    for i in events:
        area, height = (x[i] + add_x) * by_x, (y[i] + add_y) * by_y
        if not straight:
            area, height = _transform(x[i], p), _transform(y[i], q)
        rise, away = slope * area, area - centre
        residual = height - intercept - rise
        band = square * (more + away * away * by_sxx)
        beyond, size = residual * residual - band, abs(height) + abs(intercept) + abs(rise)
        inside = np.uint8((beyond <= 0.0) | (lower & (residual >= 0.0)))
        if abs(beyond) <= 1e-10 * (size * size + band):
            inside, unsure = np.uint8(UNSURE), True
        answer[i] = inside
    return unsure

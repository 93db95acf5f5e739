"""The accepted valley of smooth densities, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from il2cyto.gt._kernels._decorator import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float64]
    IntArray = npt.NDArray[np.int64]

#: What `valley_cuts` says of each density.
FOUND, ONE_PEAK, OUTSIDE, SHALLOW = 0, 1, 2, 3


@kernel
def valley_cuts(
    densities: FloatArray, start: float, step: float, low: float, high: float, prominence: float, min_depth: float
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Find the accepted valley of each density.

    Parameters
    ----------
    densities
        (d, g) smooth densities on one grid, 0 at both ends.
    start, step
        Position of the first grid point, and distance between points.
    low, high
        Bounds of an acceptable valley.
    prominence
        Least prominence of a peak, as a share of the tallest peak's height.
    min_depth
        Least depth 1 - f(valley) / min(f(left peak), f(right peak)), the peaks being the tallest on either side.

    Returns
    -------
    (d,) position, (d,) depth and (d,) outcome. Found: the deepest valley inside the bounds between the two tallest peaks, else
    the deepest between any two accepted peaks. Outside, shallow: the deepest valley that was refused. One peak: NaN.
    """
    n = densities.shape[0]
    positions, depths = np.full(n, np.nan), np.full(n, np.nan)
    outcomes = np.zeros(n, dtype=np.int64)
    for row in range(n):
        at, height = _extrema(densities[row])
        n_peaks = (at.size + 1) // 2
        accepted = _accepted_peaks(height, n_peaks, prominence)
        if accepted.sum() < 2:
            outcomes[row] = ONE_PEAK
            continue
        positions[row], depths[row], outcomes[row] = _best_valley(
            start + step * at, height, accepted, low, high, min_depth
        )
    return positions, depths, outcomes


@kernel
def _extrema(f: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Peak, valley, peak, ..., peak: fractional indices and heights, refined by a parabola; a flat stretch counts once."""
    at, height = np.empty(f.size), np.empty(f.size)
    count, last_move, last_sign = 0, -1, 0
    for i in range(f.size - 1):
        change = f[i + 1] - f[i]
        if change == 0.0:
            continue
        sign = 1 if change > 0 else -1
        if last_sign != 0 and sign != last_sign:
            first = last_move + 1
            left, middle, right = f[first - 1], f[first], f[i + 1]
            curvature = left - 2.0 * middle + right
            shift = 0.5 * (left - right) / curvature if first == i and curvature != 0.0 else 0.0
            at[count] = 0.5 * (first + i) + shift
            height[count] = middle - 0.25 * (left - right) * shift
            count += 1
        last_move, last_sign = i, sign
    return at[:count], height[:count]


@kernel
def _accepted_peaks(height: FloatArray, n_peaks: int, prominence: float) -> npt.NDArray[np.bool_]:
    """Peaks from which one must descend far enough to reach a higher one."""
    tallest = 0.0
    for p in range(n_peaks):
        tallest = max(tallest, height[2 * p])
    accepted = np.zeros(n_peaks, dtype=np.bool_)
    for p in range(n_peaks):
        own, base = height[2 * p], 0.0
        for direction in (-1, 1):
            lowest, q = own, p + direction
            while 0 <= q < n_peaks:
                lowest = min(lowest, height[2 * q - direction])  # the valley on this side of peak q
                if height[2 * q] > own:
                    base = max(base, lowest)
                    break
                q += direction
        accepted[p] = own - base >= prominence * tallest
    return accepted


@kernel
def _best_valley(
    position: FloatArray, height: FloatArray, accepted: npt.NDArray[np.bool_], low: float, high: float, min_depth: float
) -> tuple[float, float, int]:
    n_peaks = accepted.size
    order = np.argsort(-np.where(accepted, height[::2], -1.0), kind="mergesort")
    first, second = min(order[0], order[1]), max(order[0], order[1])
    # 0: any valley, 1: inside the bounds, 2: and deep enough, 3: and between the two tallest peaks.
    best_depth, best_position = np.full(4, -np.inf), np.full(4, np.nan)
    edge = np.flatnonzero(accepted)
    for v in range(edge[0], edge[-1]):
        left = right = 0.0
        for p in range(n_peaks):
            if accepted[p] and p <= v:
                left = max(left, height[2 * p])
            elif accepted[p]:
                right = max(right, height[2 * p])
        depth, x = 1.0 - height[2 * v + 1] / min(left, right), position[2 * v + 1]
        rank = 0
        if low <= x <= high:
            rank = 1
            if depth >= min_depth:
                rank = 3 if first <= v < second else 2
        for r in range(rank + 1):
            if depth > best_depth[r]:
                best_depth[r], best_position[r] = depth, x
    for r in (3, 2):
        if best_depth[r] > -np.inf:
            return best_position[r], best_depth[r], FOUND
    if best_depth[1] > -np.inf:
        return best_position[1], best_depth[1], SHALLOW
    return best_position[0], best_depth[0], OUTSIDE

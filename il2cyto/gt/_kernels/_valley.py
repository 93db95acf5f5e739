"""The accepted valley of a density and of bootstrap draws of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from il2cyto.gt._kernels._decorator import kernel
from il2cyto.gt._kernels._random import draw_poisson, poisson_constants, seeded
from il2cyto.gt._kernels._smooth import extrema, gaussian, prominences, smooth_counts

if TYPE_CHECKING:
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float64]
    IntArray = npt.NDArray[np.int64]

#: What `valley_cuts` says of each density.
FOUND, ONE_PEAK, OUTSIDE, SHALLOW = 0, 1, 2, 3


@kernel
def valley_cuts(
    counts: FloatArray,
    start: float,
    step: float,
    width: float,
    rule: tuple[float, float, float, float],
    n_draws: int,
    seed: np.unsignedinteger[Any],
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Find the accepted valley of the events, and of bootstrap draws of them.

    Parameters
    ----------
    counts
        (g,) binned events, 0 at both ends.
    start, step
        Position of the first grid point, and distance between points.
    width
        Bandwidth of the smoothing.
    rule
        Bounds of an acceptable valley, low and high; least prominence of a peak, as a share of the tallest peak's height; least
        depth 1 - f(valley) / min(f(left peak), f(right peak)), the peaks being the tallest on either side.
    n_draws, seed
        How many Poisson draws of the counts, and the seed of them.

    Returns
    -------
    (1 + n_draws,) position, depth and outcome, that of the counts themselves first. Found: the deepest valley inside the bounds
    between the two tallest peaks, else the deepest between any two accepted peaks. Outside, shallow: the deepest valley that was
    refused. One peak: NaN.
    """
    positions, depths = np.full(1 + n_draws, np.nan), np.full(1 + n_draws, np.nan)
    outcomes = np.zeros(1 + n_draws, dtype=np.int64)
    low, high, prominence, min_depth = rule
    weights, constants, state = gaussian(width, step), poisson_constants(counts), seeded(seed)
    drawn, density = counts.copy(), np.empty(counts.size)
    for row in range(1 + n_draws):
        if row > 0:
            draw_poisson(counts, constants, state, drawn)
        smooth_counts(drawn, weights, density)
        at, height = extrema(density)
        accepted = np.zeros(0, dtype=np.bool_)
        if height.size:
            accepted = prominences(height) >= prominence * height[::2].max()
        if accepted.sum() < 2:
            outcomes[row] = ONE_PEAK
        else:
            best = _best_valley(start + step * at, height, accepted, low, high, min_depth)
            positions[row], depths[row], outcomes[row] = best
    return positions, depths, outcomes


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

"""Where the flank of a peak flattens out, on a density and on bootstrap draws of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from il2cyto.gt._kernels._decorator import kernel
from il2cyto.gt._kernels._random import draw_poisson, poisson_constants, seeded
from il2cyto.gt._kernels._smooth import convolve, extrema, gaussian, gaussian_slope, prominences, smooth_counts

if TYPE_CHECKING:
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float64]

#: Names of peaks as numbers; a positive one counts from the left.
TALLEST, LAST = 0, -1
#: Share of the tallest peak that a peak must stand out by to be counted.
PROMINENCE = 0.05


@kernel
def tail_cuts(
    counts: FloatArray,
    start: float,
    step: float,
    width: float,
    rule: tuple[int, bool, float],
    n_draws: int,
    seed: np.unsignedinteger[Any],
) -> tuple[FloatArray, float, int]:
    """Find the end of a flank for the events, and for bootstrap draws of them.

    Parameters
    ----------
    counts, start, step, width, n_draws, seed
        As in `valley_cuts`.
    rule
        The peak, whether its right side is meant, and the slope that counts as flat, as a share of the steepest.

    Returns
    -------
    (1 + n_draws,) positions, that of the counts themselves first, NaN where there is no such peak; for the counts themselves the
    prominence of the peak as a share of the tallest peak's height, and the number of peaks.
    """
    peak, right, tol = rule
    positions, share, n_peaks = np.full(1 + n_draws, np.nan), np.nan, 0
    constants, state = poisson_constants(counts), seeded(seed)
    weights, slope_weights = gaussian(width, step), gaussian_slope(width, step)
    drawn, density, slope = counts.copy(), np.empty(counts.size), np.empty(counts.size)
    for row in range(1 + n_draws):
        if row > 0:
            draw_poisson(counts, constants, state, drawn)
        smooth_counts(drawn, weights, density)
        at, height = extrema(density)
        if not height.size:
            continue
        standing_out = prominences(height) / height[::2].max()
        accepted = np.flatnonzero(standing_out >= PROMINENCE)
        chosen = _number(peak, height[::2][accepted])
        if row == 0:
            n_peaks = accepted.size
        if chosen >= accepted.size:
            continue
        convolve(drawn, slope_weights, slope)
        index = _end_of_flank(slope, np.rint(at[::2][accepted]).astype(np.int64), chosen, right, tol)
        positions[row] = start + step * index
        if row == 0:
            share = standing_out[accepted[chosen]]
    return positions, share, n_peaks


@kernel
def _number(peak: int, heights: FloatArray) -> int:
    """Turn the peak's name into its index among the accepted ones."""
    if peak == TALLEST:
        return int(np.argmax(heights))
    return heights.size - 1 if peak == LAST else peak - 1


@kernel
def _end_of_flank(slope: FloatArray, peaks: npt.NDArray[np.int64], chosen: int, right: bool, tol: float) -> float:  # noqa: FBT001 - a kernel
    if right:
        stop = peaks[chosen + 1] if chosen + 1 < peaks.size else slope.size
        return _flat(slope, peaks[chosen], stop, tol)
    # The mirror image: the slope changes its sign with the direction.
    end = slope.size - 1
    stop = end - peaks[chosen - 1] if chosen > 0 else slope.size
    return end - _flat(-slope[::-1], end - peaks[chosen], stop, tol)


@kernel
def _flat(slope: FloatArray, start: int, stop: int, tol: float) -> float:
    """Find the fractional index, right of a peak at `start`, where the descent has ended."""
    limit = -tol * np.abs(slope).max()
    end = start + int(np.argmin(slope[start:stop]))
    while end < slope.size - 1 and slope[end] <= limit:
        end += 1
    before, after = slope[end - 1], slope[end]
    return float(end - (after - limit) / (after - before))

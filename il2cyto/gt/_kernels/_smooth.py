"""Kernel densities on a regular grid: binning, smoothing, and what the shape of a density is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from il2cyto.gt._kernels._decorator import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float64]

#: Bandwidths to each side beyond which the Gaussian is less than the rounding of its middle.
_REACH = 8.5
#: Below this share of its maximum a density is rounding error.
_FLOOR = 1e-13


@kernel
def bin_linear(values: FloatArray, start: float, step: float, size: int) -> FloatArray:
    """Share each event between its two neighbours on the grid in proportion to nearness."""
    counts = np.zeros(size)
    for value in values:
        position = (value - start) / step
        index = int(position)
        rest = position - index
        counts[index] += 1.0 - rest
        counts[index + 1] += rest
    return counts


@kernel
def gaussian(width: float, step: float) -> FloatArray:
    """Weights of the neighbours of a grid point, per unit of the channel's scale."""
    reach = math.ceil(_REACH * width / step)
    weights = np.empty(2 * reach + 1)
    for j in range(weights.size):
        weights[j] = math.exp(-0.5 * ((j - reach) * step / width) ** 2)
    weights /= weights.sum() * step
    return weights


@kernel
def gaussian_slope(width: float, step: float) -> FloatArray:
    """Derivative of `gaussian` with respect to position."""
    weights = gaussian(width, step)
    reach = weights.size // 2
    for j in range(weights.size):
        weights[j] *= -(j - reach) * step / width**2
    return weights


@kernel
def convolve(counts: FloatArray, weights: FloatArray, out: FloatArray) -> None:
    """Spread the counts of each grid point over its neighbours."""
    size, reach = counts.size, weights.size // 2
    out[:] = 0.0
    for i in range(size):
        if counts[i] == 0.0:
            continue
        low, high = max(0, i - reach), min(size, i + reach + 1)
        near, own, count = out[low:high], weights[low - i + reach : high - i + reach], counts[i]
        for j in range(near.size):
            near[j] += count * own[j]


@kernel
def smooth_counts(counts: FloatArray, weights: FloatArray, out: FloatArray) -> None:
    """Fill `out` with a density, 0 where nothing but rounding is left."""
    convolve(counts, weights, out)
    least = _FLOOR * out.max()
    for i in range(out.size):
        if out[i] < least:
            out[i] = 0.0


@kernel
def extrema(f: FloatArray) -> tuple[FloatArray, FloatArray]:
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
def prominences(height: FloatArray) -> FloatArray:
    """How far one must descend from each peak to reach a higher one; the whole height of the tallest.

    `height` is that of peak, valley, peak, ..., peak.
    """
    n_peaks = (height.size + 1) // 2
    found = np.empty(n_peaks)
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
        found[p] = own - base
    return found

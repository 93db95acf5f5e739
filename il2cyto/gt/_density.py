"""Kernel densities of one channel: events are binned once, everything after that works on the bins.

A density is cheap to draw again: bootstrap samples are Poisson draws of the bins, all smoothed by one batched Fourier
transform, and no event is touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float64]

MIN_GRID, MAX_GRID = 512, 1 << 14
#: Grid points per bandwidth that the density needs, and bandwidths by which the grid passes the extreme events.
POINTS_PER_BANDWIDTH, MARGIN = 4.0, 7.0
#: Below this share of its maximum a density is rounding error of the Fourier transform.
FLOOR = 1e-13


def bandwidth(values: FloatArray, *, adjust: float = 1.0) -> float:
    """Silverman's rule of thumb (`bw.nrd0` of R).

    Parameters
    ----------
    values
        (n,) finite values.
    adjust
        Factor on the rule.

    Returns
    -------
    adjust * 0.9 * min(sd, IQR / 1.34) * n**(-1/5), in the unit of the values; sd alone where the IQR is 0; NaN for fewer
    than two values or if all are equal. A difference that only rounding can have made counts as 0.

    Examples
    --------
    >>> round(bandwidth(np.arange(10.0)), 4)
    1.7193
    """
    if values.size < 2:
        return float("nan")
    low, lower, upper, high = np.quantile(values, [0.0, 0.25, 0.75, 1.0]).tolist()
    rounding = 1e-12 * max(abs(low), abs(high))
    if high - low <= rounding:
        return float("nan")
    width = float(values.std(ddof=1))
    if upper - lower > rounding:
        width = min(width, (upper - lower) / 1.34)
    return float(adjust * 0.9 * width * values.size**-0.2)


@dataclass(frozen=True, slots=True)
class Binned:
    """Events on a regular grid.

    Attributes
    ----------
    counts
        (g,) events at each grid point; an event between two points is shared in proportion to nearness.
    start, step
        Position of the first point and distance between points.
    width
        Bandwidth of the smoothing.
    """

    counts: FloatArray
    start: float
    step: float
    width: float

    def positions(self, index: npt.ArrayLike) -> FloatArray:
        """Convert fractional grid indices to positions on the channel's scale."""
        return self.start + self.step * np.asarray(index, dtype=np.float64)

    def draws(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Draw (n, g) bootstrap histograms: independent Poisson counts with the observed means."""
        return rng.poisson(self.counts, size=(n, self.counts.size)).astype(np.float64)


def bin_events(values: FloatArray, *, width: float) -> Binned:
    """Bin events on a grid fine enough for a bandwidth.

    Parameters
    ----------
    values
        (n,) finite values.
    width
        The bandwidth, > 0.

    Returns
    -------
    The grid reaches 7 bandwidths past the extreme values; its number of points is the smallest power of two with four points
    per bandwidth of the values' range, 512 to 16384.
    """
    low, high = float(values.min()), float(values.max())
    wanted = POINTS_PER_BANDWIDTH * (high - low) / width
    size = int(np.clip(2 ** np.ceil(np.log2(max(wanted, 1.0))), MIN_GRID, MAX_GRID))
    start = low - MARGIN * width
    step = (high - low + 2 * MARGIN * width) / (size - 1)
    position = (values - start) / step
    index = position.astype(np.intp)
    rest = np.bincount(index, weights=position - index, minlength=size)
    counts = np.bincount(index, minlength=size) - rest
    counts[1:] += rest[:-1]
    return Binned(np.maximum(counts, 0.0), start, step, width)


def smooth(counts: FloatArray, bins: Binned) -> FloatArray:
    """Convolve histograms with the Gaussian kernel.

    Parameters
    ----------
    counts
        (..., g) histograms on the grid of `bins`: its own counts, or draws of them.
    bins
        The grid and the bandwidth.

    Returns
    -------
    (..., g) events per unit of the channel's scale, >= 0.
    """
    size = counts.shape[-1]
    spectrum = np.fft.rfft(counts, 2 * size) * _kernel(bins, size)
    density: FloatArray = np.fft.irfft(spectrum, 2 * size)[..., :size] / bins.step
    density[density < FLOOR * density.max(axis=-1, keepdims=True)] = 0.0
    return density


def smooth_slope(counts: FloatArray, bins: Binned) -> FloatArray:
    """Compute the derivative of `smooth(counts, bins)` with respect to position; same parameters, same shape."""
    size = counts.shape[-1]
    frequency = 2j * np.pi * np.fft.rfftfreq(2 * size, bins.step)
    spectrum = np.fft.rfft(counts, 2 * size) * _kernel(bins, size) * frequency
    slope: FloatArray = np.fft.irfft(spectrum, 2 * size)[..., :size] / bins.step
    return slope


def _kernel(bins: Binned, size: int) -> FloatArray:
    frequency = 2 * np.pi * np.fft.rfftfreq(2 * size, bins.step)
    kernel: FloatArray = np.exp(-0.5 * (frequency * bins.width) ** 2)
    return kernel


@dataclass(frozen=True, slots=True)
class Extrema:
    """The peaks of one density and the minima between neighbours; indices are fractional grid indices.

    Attributes
    ----------
    peaks, peak_heights
        (p,) in order of position.
    valleys, valley_heights
        (p - 1,) the minimum between peak i and peak i + 1.
    """

    peaks: FloatArray
    peak_heights: FloatArray
    valleys: FloatArray
    valley_heights: FloatArray

    def prominences(self) -> FloatArray:
        """Compute how far one must descend from each peak to reach a higher one; its whole height for the tallest."""
        # Plain floats: the lists are short, and this runs for every bootstrap draw.
        heights, valleys = self.peak_heights.tolist(), self.valley_heights.tolist()
        return np.array([height - _base(height, i, heights, valleys) for i, height in enumerate(heights)])


def _base(height: float, i: int, heights: list[float], valleys: list[float]) -> float:
    base = 0.0
    lowest = height
    for j in range(i - 1, -1, -1):
        lowest = min(lowest, valleys[j])
        if heights[j] > height:
            base = lowest
            break
    lowest = height
    for j in range(i + 1, len(heights)):
        lowest = min(lowest, valleys[j - 1])
        if heights[j] > height:
            return max(base, lowest)
    return base


def extrema(density: FloatArray) -> Extrema:
    """Find the peaks and valleys of one density.

    Parameters
    ----------
    density
        (g,) values of `smooth`, 0 at both ends.

    Returns
    -------
    Positions are sign changes of the first difference, refined by the parabola through the three points around them; a flat
    stretch counts as one extremum in its middle.
    """
    steps = np.diff(density)
    moves = np.flatnonzero(steps)
    sign = np.sign(steps[moves])
    turns = np.flatnonzero(sign[1:] != sign[:-1])
    # The extremum lies between the end of one move and the start of the next: the same point unless the stretch is flat.
    first, last = moves[turns] + 1, moves[turns + 1]
    index, height = _parabola(density, first, last)
    rising = sign[turns] > 0
    return Extrema(index[rising], height[rising], index[~rising], height[~rising])


def _parabola(f: FloatArray, first: npt.NDArray[np.intp], last: npt.NDArray[np.intp]) -> tuple[FloatArray, FloatArray]:
    left, middle, right = f[first - 1], f[first], f[last + 1]
    curvature = left - 2.0 * middle + right
    single = first == last
    shift = np.divide(0.5 * (left - right), curvature, out=np.zeros(first.size), where=single & (curvature != 0))
    return (first + last) / 2.0 + shift, middle - 0.25 * (left - right) * shift

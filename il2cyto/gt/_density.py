"""Kernel densities of one channel: events are binned once, everything after that works on the bins.

A density is cheap to draw again: bootstrap samples are Poisson draws of the bins, and no event is touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from il2cyto.gt._kernels._order import quantiles
from il2cyto.gt._kernels._smooth import bin_linear

if TYPE_CHECKING:
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float64]

_QUARTILES = np.array([0.0, 0.25, 0.75, 1.0])
MIN_GRID, MAX_GRID = 512, 1 << 14
#: Grid points per bandwidth that the density needs, and bandwidths by which the grid passes the extreme events.
POINTS_PER_BANDWIDTH, MARGIN = 4.0, 7.0


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
    low, lower, upper, high = quantiles(values, _QUARTILES).tolist()
    rounding = 1e-12 * max(abs(low), abs(high))
    if high - low <= rounding:
        return float("nan")
    width = float(values.std(ddof=1))
    if upper - lower > rounding:
        width = min(width, (upper - lower) / 1.34)
    return float(adjust * 0.9 * width * values.size**-0.2)


class Binned(NamedTuple):
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
        """Draw (n, g) bootstrap histograms, for methods in numpy: independent Poisson counts with the observed means."""
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
    return Binned(bin_linear(values, start, step, size), start, step, width)

"""A straight line through most of the events, and through them alone: Tukey's bisquare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from il2cyto.gt._bootstrap import MAD_SCALE

if TYPE_CHECKING:
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float64]

#: Tukey's bisquare constant: 95 % efficiency at the normal distribution.
BISQUARE: Final = 4.685
MAX_STEPS, TOLERANCE = 20, 1e-6
#: Standard error of the MAD of n normal values is this times sigma / sqrt(n).
MAD_ERROR: Final = 1.1664


class Line(NamedTuple):
    """y = height + slope * x, and the MAD of the residuals; 0 where more than half of the events lie on the line."""

    height: float
    slope: float
    scale: float = 0.0


def robust_line(x: FloatArray, y: FloatArray, *, start: Line) -> Line:
    """Fit a line by iteratively reweighted least squares with bisquare weights.

    Parameters
    ----------
    x, y
        (n,) finite values; x is best centred near 0.
    start
        A line near the events of interest: events further than 4.685 MADs from it have no weight in the first step.

    Returns
    -------
    The line after convergence, or after 20 steps.
    """
    line = start
    rounding = 1e-12 * float(np.abs(y).max())
    for _ in range(MAX_STEPS):
        distance = np.abs(y - (line.height + line.slope * x))
        scale = MAD_SCALE * float(np.median(distance))
        if scale <= rounding:
            return line._replace(scale=0.0)
        weights = np.square(np.maximum(0.0, 1.0 - np.square(distance / (BISQUARE * scale))))
        # Sums instead of dot products: BLAS may add in another order when it has more threads.
        total, wx = weights.sum(), weights * x
        mean_x, mean_y = wx.sum() / total, (weights * y).sum() / total
        slope = float(((wx * y).sum() - total * mean_x * mean_y) / ((wx * x).sum() - total * mean_x**2))
        height = float(mean_y - slope * mean_x)
        moved = abs(height - line.height) + abs(slope - line.slope) * float(np.abs(x).max())
        line = Line(height, slope, scale)
        if moved <= TOLERANCE * scale:
            break
    return line

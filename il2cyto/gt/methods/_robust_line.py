"""A straight line through most of the events, and through them alone: Tukey's bisquare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from il2cyto.gt._bootstrap import MAD_SCALE
from il2cyto.gt._kernels._line import distances, weighted_line
from il2cyto.gt._kernels._order import median

if TYPE_CHECKING:
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float64]

#: Tukey's bisquare constant: 95 % efficiency at the normal distribution.
BISQUARE: Final = 4.685
MAX_STEPS, TOLERANCE = 20, 1e-6
#: Standard error of the MAD of n normal values is this times sigma / sqrt(n).
MAD_ERROR: Final = 1.1664


class Line(NamedTuple):
    """y = height + slope (x - centre), and the MAD of the residuals; 0 where more than half of the events lie on the line."""

    height: float
    slope: float
    scale: float = 0.0


def robust_line(x: FloatArray, y: FloatArray, centre: float, *, start: Line) -> Line:
    """Fit a line by iteratively reweighted least squares with bisquare weights.

    Parameters
    ----------
    x, y
        (n,) finite values.
    centre
        The x at which the line's height is told, best amid the values.
    start
        A line near the events of interest: events further than 4.685 MADs from it have no weight in the first step.

    Returns
    -------
    The line after convergence, or after 20 steps.
    """
    line = start
    rounding = 1e-12 * max(abs(float(y.min())), abs(float(y.max())))
    reach = max(float(x.max()) - centre, centre - float(x.min()))
    distance = np.empty(x.size)
    for _ in range(MAX_STEPS):
        distances(x, y, centre, line.height, line.slope, distance)
        scale = MAD_SCALE * median(distance)
        if scale <= rounding:
            return line._replace(scale=0.0)
        height, slope = weighted_line(x, y, centre, distance, BISQUARE * scale)
        moved = abs(height - line.height) + abs(slope - line.slope) * reach
        line = Line(height, slope, scale)
        if moved <= TOLERANCE * scale:
            break
    return line

"""The hyperlog of Gating-ML 2.0 in the form that is exact around zero."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float64]

#: Measured over w = 0.01..m/2 and values to 1e12: the fourth step is within two units in the last place.
HALLEY_STEPS = 4


class HyperlogScale(NamedTuple):
    """With u = y - x1 measured from the position of 0, the data value at u >= 0 is `rise` expm1(b u) + `slope` u.

    Negative values are the mirror image.
    """

    b: float
    rise: float
    slope: float
    x1: float

    def __call__(self, x: FloatArray) -> FloatArray:
        """Find the scale positions of data values, by Halley's method on all at once."""
        b, rise, slope, x1 = self
        with np.errstate(invalid="ignore", over="ignore"):
            z = np.abs(x)
            # Both are at or above the root of a function that is convex there: the steps cannot leave it.
            u = np.minimum(z / (rise * b + slope), np.log1p(z / rise) / b)
            for _ in range(HALLEY_STEPS):
                grown = rise * np.expm1(b * u)
                tangent = b * (grown + rise) + slope
                newton = (grown + slope * u - z) / tangent
                u -= newton / (1.0 - 0.5 * newton * (b * b) * (grown + rise) / tangent)
        return np.where(np.isinf(x), x, x1 + np.copysign(u, x))

    def inverse(self, y: FloatArray) -> FloatArray:
        """Compute the data values at scale positions."""
        b, rise, slope, x1 = self
        u = np.abs(y - x1)
        with np.errstate(over="ignore"):
            return np.copysign(rise * np.expm1(b * u) + slope * u, y - x1)


@lru_cache(maxsize=256)
def hyperlog_scale(t: float, w: float, m: float, a: float) -> HyperlogScale:
    """Compute the constants of one hyperlog (Bagwell, Cytometry A 64A:34, 2005; Gating-ML 2.0, 6.2)."""
    b = (m + a) * math.log(10.0)
    width, below = w / (m + a), a / (m + a)
    x1 = below + width
    # Slope over rise: at 2 w above the lower end the exponential and the line are equally steep, by definition.
    steepness = math.exp(b * (below + 2 * width)) / width / math.exp(b * x1)
    rise = t / (math.expm1(b * (1 - x1)) + steepness * (1 - x1))
    return HyperlogScale(b, rise, steepness * rise, x1)

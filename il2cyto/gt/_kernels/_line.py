"""Sums over events for the robust line of the singlet gate, without arrays of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from il2cyto.gt._kernels._decorator import kernel

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float64]


@kernel
def spread_of(x: FloatArray) -> tuple[float, float]:
    """Mean, and sum of squared deviations from it."""
    total = 0.0
    for value in x:
        total += value
    centre, squares = total / x.size, 0.0
    for value in x:
        squares += (value - centre) ** 2
    return centre, squares


@kernel
def distances(x: FloatArray, y: FloatArray, centre: float, height: float, slope: float, out: FloatArray) -> None:
    """Fill `out` with distances along y from the line that has a height at the centre, and a slope."""
    for i in range(x.size):
        out[i] = abs(y[i] - (height + slope * (x[i] - centre)))


@kernel
def weighted_line(
    x: FloatArray, y: FloatArray, centre: float, distance: FloatArray, reach: float
) -> tuple[float, float]:
    """Height at the centre and slope of the least-squares line with weights (1 - (distance / reach)**2)**2 within reach."""
    total = sum_x = sum_y = sum_xx = sum_xy = 0.0
    for i in range(x.size):
        left = 1.0 - (distance[i] / reach) ** 2
        if left > 0.0:
            weight, dx = left * left, x[i] - centre
            total += weight
            sum_x += weight * dx
            sum_y += weight * y[i]
            sum_xx += weight * dx * dx
            sum_xy += weight * dx * y[i]
    mean_x, mean_y = sum_x / total, sum_y / total
    slope = (sum_xy - total * mean_x * mean_y) / (sum_xx - total * mean_x**2)
    return mean_y - slope * mean_x, slope

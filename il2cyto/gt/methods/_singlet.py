"""Singlets: a band around the robust line of pulse height on pulse area."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from il2cyto.gt._bootstrap import MIN_EVENTS, finite
from il2cyto.gt._kernels._line import spread_of
from il2cyto.gt._kernels._order import median
from il2cyto.gt._types import Cut, Proposal
from il2cyto.gt.methods._robust_line import MAD_ERROR, Line, robust_line

if TYPE_CHECKING:
    import numpy.typing as npt

    from il2cyto.template._cuts import SingletGate

    FloatArray = npt.NDArray[np.float64]

COORDINATES = ("intercept", "slope", "width", "centre", "sxx", "n")


def propose(values: FloatArray, gate: SingletGate, reference: FloatArray | None, rng: np.random.Generator) -> Proposal:
    """Fit height = intercept + slope * area by Tukey's bisquare (iteratively reweighted least squares, MAD scale).

    Parameters
    ----------
    values
        (n, 2) area and height of the parent's events; rows with a non-finite value are dropped.
    gate
        `level`; `side` concerns only who is kept.
    reference, rng
        Not used.

    Returns
    -------
    Six coordinates. An event is kept if |height - intercept - slope * area| <= width * sqrt(1 + leverage) with
    leverage = 1/n + (area - centre)**2 / sxx; width is z((1 + level) / 2) times the MAD of the residuals. Spreads are the
    standard errors of the line and of the MAD. NaN for fewer than 20 events, equal areas, a slope <= 0, or residuals of which
    more than half are 0.

    Notes
    -----
    Doublets lie far from the line and are extreme in area, so that an estimate which only bounds residuals (Huber's) follows
    them: with 15 % doublets of 1.9 times the area and no more height its slope falls by more than half. The bisquare gives
    them no weight, provided that it starts near the singlets: at the line through 0 with the median ratio of height to area.
    """
    x, y = finite(values).T
    if x.size < MIN_EVENTS:
        return _failed(f"too few events: {x.size}, at least {MIN_EVENTS} are needed")
    centre, sxx = spread_of(x)
    if sxx == 0:
        return _failed("all events have the same area")
    ratio = _median_ratio(x, y)
    line = robust_line(x, y, centre, start=Line(ratio * centre, ratio))
    if not line.scale > 0:
        return _failed("more than half of the events lie exactly on a line: their spread is 0")
    if line.slope <= 0:
        return _failed(f"slope {line.slope:.3g} of height on area is not positive")
    z = NormalDist().inv_cdf((1.0 + gate.level) / 2.0)
    error = line.scale / np.sqrt(x.size)
    slope_error = line.scale / np.sqrt(sxx)
    return Proposal(
        {
            "intercept": _cut(line.height - line.slope * centre, np.hypot(error, slope_error * centre)),
            "slope": _cut(line.slope, slope_error),
            "width": _cut(z * line.scale, z * MAD_ERROR * error),
            "centre": _cut(centre, np.sqrt(sxx) / x.size),
            "sxx": _cut(sxx, 0.0),
            "n": _cut(float(x.size), 0.0),
        }
    )


def _median_ratio(area: FloatArray, height: FloatArray) -> float:
    positive = area > 0
    return median(height[positive] / area[positive]) if positive.any() else 0.0


def _cut(value: float, error: float) -> Cut:
    return Cut(float(value), float(error), float(value - 1.645 * error), float(value + 1.645 * error))


def _failed(reason: str) -> Proposal:
    return Proposal.failed(reason, coordinates=COORDINATES)

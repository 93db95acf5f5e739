"""Reference line: a slanted cut placed by cells of the same file, where two markers say together what neither says alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from il2cyto.gt._bootstrap import finite, mad, within
from il2cyto.gt._types import Cut, Proposal
from il2cyto.gt.methods._reference_offset import MIN_REFERENCE
from il2cyto.gt.methods._robust_line import MAD_ERROR, Line, robust_line

if TYPE_CHECKING:
    import numpy.typing as npt

    from il2cyto.template import ReferenceLineGate

    FloatArray = npt.NDArray[np.float64]

COORDINATES = ("cut", "slope")


def propose(
    values: FloatArray, gate: ReferenceLineGate, reference: FloatArray | None, rng: np.random.Generator
) -> Proposal:
    """Cut parallel to the reference's robust regression line of y on x (Tukey's bisquare), k MADs plus `shift` above it.

    Parameters
    ----------
    values
        Not used: the parent's own events do not move the cut.
    gate
        `k` in MADs of the residuals, `shift` in the unit of y, `pivot`, and `bounds` of the coordinate `cut`.
    reference
        (n, 2) x and y of the reference population; rows with a non-finite value are dropped.
    rng
        Not used: spreads are the standard errors of the line and of the MAD.

    Returns
    -------
    The coordinates `cut`, the height of the slanted cut at x = `pivot`, and `slope`. An event lies above if
    y >= cut + slope * (x - pivot). NaN for fewer than 100 reference events, equal x, residuals of which more than half are 0, or
    a cut outside the bounds.
    """
    points = finite(np.empty((0, 2)) if reference is None else reference)
    if len(points) < MIN_REFERENCE:
        return _failed(f"too few reference events: {len(points)}, at least {MIN_REFERENCE} are needed")
    x, y = np.ascontiguousarray(points.T)
    centre = float(np.median(x))
    if mad(x) == 0:
        return _failed("more than half of the reference events have the same x")
    line = robust_line(x, y, centre, start=Line(float(np.median(y)), 0.0))
    if line.scale == 0:
        return _failed("more than half of the reference events lie exactly on a line: their spread is 0")
    lever = gate.pivot - centre
    cut = line.height + line.slope * lever + gate.k * line.scale + gate.shift
    if not within(cut, gate.bounds):
        return _failed(f"cut {cut:.6g} is outside the bounds {gate.bounds[0]:g} to {gate.bounds[1]:g}")
    slope_error = line.scale / np.sqrt(float(np.square(x - x.mean()).sum()))
    error = line.scale / np.sqrt(x.size)
    cut_error = float(np.sqrt((1.0 + (gate.k * MAD_ERROR) ** 2) * error**2 + (slope_error * lever) ** 2))
    return Proposal(
        {
            "cut": Cut(cut, cut_error, cut - 1.645 * cut_error, cut + 1.645 * cut_error),
            "slope": Cut(line.slope, float(slope_error)),
        }
    )


def _failed(reason: str) -> Proposal:
    return Proposal.failed(reason, coordinates=COORDINATES)

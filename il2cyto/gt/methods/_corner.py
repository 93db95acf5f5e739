"""Corner: two cuts, found each in its own way, and the slope of the line through their apex."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from il2cyto.gt._bootstrap import MIN_EVENTS, finite, mad
from il2cyto.gt._flags import Flag
from il2cyto.gt._types import Cut, Proposal

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float64]

COORDINATES: Final = ("x", "y", "slope")


def join(values: FloatArray, slant: float, axes: Sequence[Proposal]) -> Proposal:
    """Join two cuts to a corner.

    Parameters
    ----------
    values
        (n, 2) the parent's events; rows with a non-finite value are dropped.
    slant
        Angle of the line in degrees on axes in units of the parent's median absolute deviations.
    axes
        The proposals of the cuts in x and y.

    Returns
    -------
    Three coordinates: apex `x` and `y`, and `slope`, tan(slant) times the ratio of the deviations (0 for no slant). NaN where
    either cut has failed; with a slant also for fewer than 20 events, or if more than half of the events are equal in a channel.
    """
    flags = axes[0].flags | axes[1].flags | Flag.NONE
    failed = [f"{name}: {axis.reason or 'no cut'}" for name, axis in zip("xy", axes, strict=True) if not axis.found]
    reason = "; ".join(failed or [axis.reason for axis in axes if axis.reason])
    if failed:
        return Proposal.failed(reason, coordinates=COORDINATES, flags=flags)
    slope = 0.0
    if slant != 0:
        x = finite(values)
        if len(x) < MIN_EVENTS:
            few = f"too few events: {len(x)}, at least {MIN_EVENTS} are needed"
            return Proposal.failed(few, coordinates=COORDINATES, flags=flags)
        across, up = mad(x[:, 0]), mad(x[:, 1])
        if across == 0 or up == 0:
            flat = "more than half of the events have the same value: MAD is 0"
            return Proposal.failed(flat, coordinates=COORDINATES, flags=flags)
        slope = math.tan(math.radians(slant)) * up / across
    cuts = {"x": axes[0].cuts["cut"], "y": axes[1].cuts["cut"], "slope": Cut(slope, spread=0.0)}
    return Proposal(cuts, flags, reason)

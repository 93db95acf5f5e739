"""Valley: the deepest minimum of the density between two peaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from il2cyto.gt._bootstrap import DRAWS, MIN_EVENTS, drawn_cut, finite, kernel_seed
from il2cyto.gt._density import bandwidth, bin_events
from il2cyto.gt._flags import Flag
from il2cyto.gt._kernels._valley import FOUND, OUTSIDE, SHALLOW, valley_cuts
from il2cyto.gt._types import Proposal

if TYPE_CHECKING:
    import numpy.typing as npt

    from il2cyto.template._cuts import ValleyGate

    FloatArray = npt.NDArray[np.float64]


def propose(values: FloatArray, gate: ValleyGate, reference: FloatArray | None, rng: np.random.Generator) -> Proposal:
    """Cut at the valley between the populations of one channel.

    Parameters
    ----------
    values
        (n,) the parent's events; non-finite ones are dropped.
    gate
        `adjust`, `prominence`, `depth` and `bounds`. `one_peak` is not looked at: the caller decides what follows.
    reference
        Not used.
    rng
        Source of the bootstrap draws.

    Returns
    -------
    The coordinate `cut`; its quality is the valley's depth, 1 - f(v) / min(f(left peak), f(right peak)). NaN with the flag
    NO_VALLEY where the density has one peak or no acceptable valley; NaN without it for fewer than 20 events or equal values.
    """
    x = finite(values)
    if x.size < MIN_EVENTS:
        return Proposal.failed(f"too few events: {x.size}, at least {MIN_EVENTS} are needed")
    width = bandwidth(x, adjust=gate.adjust)
    if not width > 0:
        return Proposal.failed("all events have the same value")
    bins = bin_events(x, width=width)
    # The events and their bootstrap draws go through the same rule, in one call.
    rule = (*gate.bounds, gate.prominence, gate.depth)
    positions, depths, outcomes = valley_cuts(*bins, rule, DRAWS, kernel_seed(rng))
    if outcomes[0] != FOUND:
        return Proposal.failed(_reason(outcomes[0], positions[0], depths[0], gate), flags=Flag.NO_VALLEY)
    draws = np.where(outcomes[1:] == FOUND, positions[1:], np.nan)
    return drawn_cut(float(positions[0]), draws, bounds=gate.bounds, quality=float(depths[0]))


def _reason(outcome: int, position: float, depth: float, gate: ValleyGate) -> str:
    if outcome == OUTSIDE:
        return f"valley {position:.6g} is outside the bounds {gate.bounds[0]:g} to {gate.bounds[1]:g}"
    if outcome == SHALLOW:
        return f"valley too shallow: depth {depth:.3g}, at least {gate.depth:g} is needed"
    return "one peak"

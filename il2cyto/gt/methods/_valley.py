"""Valley: the deepest minimum of the density between two peaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from il2cyto.gt._bootstrap import DRAWS, MIN_EVENTS, drawn_cut, finite
from il2cyto.gt._density import Binned, bandwidth, bin_events, extrema, smooth
from il2cyto.gt._flags import Flag
from il2cyto.gt._types import Proposal

if TYPE_CHECKING:
    import numpy.typing as npt

    from il2cyto.template._gates import ValleyGate

    FloatArray = npt.NDArray[np.float64]

NONE = float("nan")


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
    value, depth, reason = _valley(smooth(bins.counts, bins), bins, gate)
    if reason:
        return Proposal.failed(reason, flags=Flag.NO_VALLEY)
    draws = [_valley(density, bins, gate)[0] for density in smooth(bins.draws(DRAWS, rng), bins)]
    return drawn_cut(value, draws, bounds=gate.bounds, quality=depth)


def _valley(density: FloatArray, bins: Binned, gate: ValleyGate) -> tuple[float, float, str]:
    """Find position and depth of the accepted valley, or NaN and the reason why there is none."""
    found = extrema(density)
    peaks = np.flatnonzero(found.prominences() >= gate.prominence * found.peak_heights.max(initial=0.0))
    if peaks.size < 2:
        return NONE, NONE, "one peak"
    # Valley i lies between peaks i and i + 1: only those between accepted peaks can part two populations.
    between = np.arange(peaks[0], peaks[-1])
    heights = np.where(np.isin(np.arange(found.peaks.size), peaks), found.peak_heights, 0.0)
    left, right = np.maximum.accumulate(heights), np.maximum.accumulate(heights[::-1])[::-1]
    depth = 1.0 - found.valley_heights[between] / np.minimum(left[between], right[between + 1])
    positions = bins.positions(found.valleys[between])
    inside = (positions >= gate.bounds[0]) & (positions <= gate.bounds[1])
    if not inside.any():
        deepest = positions[np.argmax(depth)]
        return NONE, NONE, f"valley {deepest:.6g} is outside the bounds {gate.bounds[0]:g} to {gate.bounds[1]:g}"
    accepted = inside & (depth >= gate.depth)
    if not accepted.any():
        return NONE, NONE, f"valley too shallow: depth {depth[inside].max():.3g}, at least {gate.depth:g} is needed"
    first, second = np.sort(peaks[np.argsort(-heights[peaks], kind="stable")[:2]])
    central = accepted & (between >= first) & (between < second)
    candidates = np.flatnonzero(central if central.any() else accepted)
    best = candidates[np.argmax(depth[candidates])]
    return float(positions[best]), float(depth[best]), ""

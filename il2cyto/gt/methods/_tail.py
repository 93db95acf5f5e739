"""Tail: where the flank of a peak flattens out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from il2cyto.gt._bootstrap import DRAWS, MIN_EVENTS, drawn_cut, finite
from il2cyto.gt._density import Binned, bandwidth, bin_events, extrema, smooth, smooth_slope
from il2cyto.gt._types import Proposal

if TYPE_CHECKING:
    import numpy.typing as npt

    from il2cyto.template._gates import TailGate

    FloatArray = npt.NDArray[np.float64]

#: Share of the tallest peak that a peak must stand out by to be counted.
PROMINENCE = 0.05


def propose(values: FloatArray, gate: TailGate, reference: FloatArray | None, rng: np.random.Generator) -> Proposal:
    """Cut where the density beside a named peak has become flat.

    Parameters
    ----------
    values
        (n,) the parent's events; non-finite ones are dropped.
    gate
        `peak` (tallest, first, last, or its number from the left, counted from 1), `side`, `tol`, `bounds`, `adjust`.
    reference
        Not used.
    rng
        Source of the bootstrap draws.

    Returns
    -------
    The coordinate `cut`: from the peak down to the steepest point before the next peak, then the first position where the
    slope is less than `tol` times the density's steepest slope. Its quality is the peak's prominence as a share of the tallest
    peak. NaN for fewer than 20 events, equal values, a missing peak, or a cut outside the bounds.
    """
    x = finite(values)
    if x.size < MIN_EVENTS:
        return Proposal.failed(f"too few events: {x.size}, at least {MIN_EVENTS} are needed")
    width = bandwidth(x, adjust=gate.adjust)
    if not width > 0:
        return Proposal.failed("all events have the same value")
    bins = bin_events(x, width=width)
    value, prominence, n_peaks = _tail(bins.counts, bins, gate)
    if np.isnan(value):
        return Proposal.failed(f"peak {gate.peak} is missing: the density has {n_peaks}")
    draws = [_tail(counts, bins, gate)[0] for counts in bins.draws(DRAWS, rng)]
    return drawn_cut(value, draws, bounds=gate.bounds, quality=prominence)


def _tail(counts: FloatArray, bins: Binned, gate: TailGate) -> tuple[float, float, int]:
    """Find the cut, the share of its peak's prominence, and the number of peaks."""
    density, slope = smooth(counts, bins), smooth_slope(counts, bins)
    found = extrema(density)
    prominence = found.prominences() / found.peak_heights.max(initial=np.finfo(np.float64).tiny)
    peaks = np.flatnonzero(prominence >= PROMINENCE)
    chosen = _number(gate, found.peak_heights[peaks])
    if chosen >= peaks.size:
        return float("nan"), float("nan"), peaks.size
    at = np.rint(found.peaks[peaks]).astype(np.intp)
    if gate.side == "right":
        stop = at[chosen + 1] if chosen + 1 < peaks.size else slope.size
        index = _flat(slope, int(at[chosen]), int(stop), gate.tol)
    else:
        # The mirror image: the slope changes its sign with the direction.
        end = slope.size - 1
        stop = end - at[chosen - 1] if chosen > 0 else slope.size
        index = end - _flat(-slope[::-1], int(end - at[chosen]), int(stop), gate.tol)
    return float(bins.positions(index)), float(prominence[peaks[chosen]]), peaks.size


def _number(gate: TailGate, heights: FloatArray) -> int:
    """Turn the peak's name into its index among the accepted ones."""
    match gate.peak:
        case "first":
            return 0
        case "last":
            return max(heights.size - 1, 0)
        case "tallest":
            return int(np.argmax(heights)) if heights.size else 0
        case number:
            return number - 1


def _flat(slope: FloatArray, start: int, stop: int, tol: float) -> float:
    """Find the fractional index, right of a peak at `start`, where the descent has ended."""
    limit = -tol * np.abs(slope).max()
    steepest = start + int(np.argmin(slope[start:stop]))
    end = steepest + int(np.argmax(slope[steepest:] > limit))
    before, after = slope[end - 1], slope[end]
    return end - float((after - limit) / (after - before))

"""Tail: where the flank of a peak flattens out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from il2cyto.gt._bootstrap import DRAWS, MIN_EVENTS, drawn_cut, finite, kernel_seed
from il2cyto.gt._density import bandwidth, bin_events
from il2cyto.gt._kernels._tail import LAST, TALLEST, tail_cuts
from il2cyto.gt._types import Proposal

if TYPE_CHECKING:
    import numpy.typing as npt

    from il2cyto.template._cuts import TailGate

    FloatArray = npt.NDArray[np.float64]

_NUMBERS = {"tallest": TALLEST, "first": 1, "last": LAST}


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
    rule = (_number(gate.peak), gate.side == "right", gate.tol)
    positions, prominence, n_peaks = tail_cuts(*bins, rule, DRAWS, kernel_seed(rng))
    if np.isnan(positions[0]):
        return Proposal.failed(f"peak {gate.peak} is missing: the density has {n_peaks}")
    return drawn_cut(float(positions[0]), positions[1:], bounds=gate.bounds, quality=prominence)


def _number(peak: str | int) -> int:
    return peak if isinstance(peak, int) else _NUMBERS[peak]

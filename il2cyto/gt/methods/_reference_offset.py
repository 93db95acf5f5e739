"""Reference offset: a cut placed by cells of the same file that are known to be negative, or positive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from il2cyto.gt._bootstrap import DRAWS, MAD_SCALE, drawn_cut, finite, kernel_seed
from il2cyto.gt._kernels._offset import drawn_medians
from il2cyto.gt._kernels._order import median, median_distance
from il2cyto.gt._types import Proposal
from il2cyto.gt.methods._quantile import quantile_draws

if TYPE_CHECKING:
    import numpy.typing as npt

    from il2cyto.template._cuts import ReferenceOffsetGate

    FloatArray = npt.NDArray[np.float64]

#: Fewer reference events than this place no cut.
MIN_REFERENCE = 100
#: The histogram reaches this many MADs to each side, in this many bins; what lies beyond is counted in the end bins.
REACH, BINS = 6.0, 1024


def propose(
    values: FloatArray, gate: ReferenceOffsetGate, reference: FloatArray | None, rng: np.random.Generator
) -> Proposal:
    """Cut at median + k MAD, or at a quantile, of a reference population.

    Parameters
    ----------
    values
        Not used: the parent's own events do not move the cut.
    gate
        `k` or `q`, and `bounds`.
    reference
        (n,) the reference population's events on the gate's channel; non-finite ones are dropped.
    rng
        Source of the bootstrap draws.

    Returns
    -------
    The coordinate `cut`, without a quality. NaN for fewer than 100 reference events, a MAD of 0, or a cut outside the bounds.
    """
    x = finite(np.empty(0) if reference is None else reference)
    if x.size < MIN_REFERENCE:
        return Proposal.failed(f"too few reference events: {x.size}, at least {MIN_REFERENCE} are needed")
    if gate.q is not None:
        value, draws = quantile_draws(x, gate.q, rng)
        return drawn_cut(value, draws, bounds=gate.bounds)
    centre = median(x)
    spread = MAD_SCALE * median_distance(x, centre)
    if spread == 0:
        return Proposal.failed("more than half of the reference events have the same value: MAD is 0")
    k = gate.k or 0.0
    medians, spreads = _bootstrap(x, centre, spread, rng)
    return drawn_cut(centre + k * spread, medians + k * spreads, bounds=gate.bounds)


def _bootstrap(x: FloatArray, centre: float, spread: float, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Draw medians and MADs of bootstrap samples from a fine histogram."""
    unit = 2 * REACH * spread / BINS
    position = np.clip((x - centre) / unit + BINS / 2, 0.0, BINS - 0.5)
    counts = np.bincount(position.astype(np.intp), minlength=BINS).astype(np.float64)
    medians, deviations = drawn_medians(counts, DRAWS, kernel_seed(rng))
    return centre + (medians - BINS / 2) * unit, MAD_SCALE * deviations * unit

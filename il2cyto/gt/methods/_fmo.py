"""Fluorescence minus one: a quantile of a control that was stained with all but one marker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from il2cyto.gt._bootstrap import drawn_cut, finite
from il2cyto.gt._flags import Flag
from il2cyto.gt._types import Proposal
from il2cyto.gt.methods._quantile import quantile_draws

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from il2cyto.template import FmoGate

    FloatArray = npt.NDArray[np.float64]

#: A smaller control says nothing of its brightest events.
LEAST_EVENTS: Final = 500


def propose(values: FloatArray, gate: FmoGate, reference: FloatArray | None, rng: np.random.Generator) -> Proposal:
    """Cut at a quantile of the control's events.

    Parameters
    ----------
    values
        (n,) the parent's events in the control, gated by the same template; non-finite ones are dropped.
    gate
        `quantile` and `bounds`.
    reference
        Not used.
    rng
        Source of the bootstrap draws.

    Returns
    -------
    The coordinate `cut`, without a quality. NaN with the flag FMO_MISSING for fewer than 500 events or a cut outside the bounds.
    """
    x = finite(values)
    if x.size < LEAST_EVENTS:
        reason = f"FMO control: too few events: {x.size}, at least {LEAST_EVENTS} are needed"
        return Proposal.failed(reason, flags=Flag.FMO_MISSING)
    value, draws = quantile_draws(x, gate.quantile, rng)
    proposal = drawn_cut(value, draws, bounds=gate.bounds)
    if not proposal.found:
        return Proposal.failed(f"FMO control: {proposal.reason}", flags=Flag.FMO_MISSING)
    return proposal

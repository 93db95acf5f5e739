"""Quantile: a fixed share of the parent on each side of the cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from il2cyto.gt._bootstrap import DRAWS, drawn_cut, finite
from il2cyto.gt._types import Proposal

if TYPE_CHECKING:
    import numpy.typing as npt

    from il2cyto.template._cuts import QuantileGate

    FloatArray = npt.NDArray[np.float64]


def propose(values: FloatArray, gate: QuantileGate, reference: FloatArray | None, rng: np.random.Generator) -> Proposal:
    """Cut at a quantile of the parent.

    Parameters
    ----------
    values
        (n,) the parent's events; non-finite ones are dropped.
    gate
        `q` and `bounds`.
    reference
        Not used.
    rng
        Source of the bootstrap draws.

    Returns
    -------
    The coordinate `cut`, without a quality. NaN for too few events to have one beyond the quantile, n < 1 / min(q, 1 - q), or a
    cut outside the bounds.
    """
    x = finite(values)
    needed = 1.0 / min(gate.q, 1.0 - gate.q)
    # 1 - q is not exact: 1 / (1 - 0.9) must need 10 events, not 11.
    if x.size < needed * (1.0 - 1e-9):
        return Proposal.failed(f"too few events: {x.size}, quantile {gate.q:g} needs {np.ceil(needed - 1e-6):.0f}")
    value, draws = quantile_draws(x, gate.q, rng)
    return drawn_cut(value, draws, bounds=gate.bounds)


def quantile_draws(x: FloatArray, q: float, rng: np.random.Generator) -> tuple[float, FloatArray]:
    """Compute the quantile of (n,) values and of bootstrap samples of them.

    The k-th smallest value of a bootstrap sample is the sample quantile at the k-th smallest of n uniform numbers, which has a
    beta distribution: no sample needs to be drawn.
    """
    rank = q * (x.size - 1) + 1.0
    levels = rng.beta(rank, x.size + 1.0 - rank, size=DRAWS)
    value, *draws = np.quantile(x, [q, *levels])
    return float(value), np.array(draws)

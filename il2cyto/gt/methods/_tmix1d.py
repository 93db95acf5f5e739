"""t-mixture in one dimension: the cut where an event belongs to either of two neighbours with equal probability."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from il2cyto.gt._bootstrap import DRAWS, MIN_EVENTS, drawn_cut, finite
from il2cyto.gt._density import bandwidth, bin_events
from il2cyto.gt._mixture import Mixture, Priors, fit_mixture, posteriors, sampled, start_at
from il2cyto.gt._types import Proposal

if TYPE_CHECKING:
    import numpy.typing as npt

    from il2cyto.template import TMix1dGate

    FloatArray = npt.NDArray[np.float64]

#: A lighter component is no population.
LEAST_WEIGHT = 0.01
_BISECTIONS = 60


def propose(values: FloatArray, gate: TMix1dGate, reference: FloatArray | None, rng: np.random.Generator) -> Proposal:
    """Cut between two neighbouring components of a t-mixture.

    Parameters
    ----------
    values
        (n,) the parent's events; non-finite ones are dropped.
    gate
        `components`, `between`, `centers`, `prior`, `bounds`.
    reference
        Not used.
    rng
        Source of the sample that is fitted where there are more than 20,000 events, and of the bootstrap draws.

    Returns
    -------
    The coordinate `cut`; its quality is the mean over events of their largest posterior probability. NaN for fewer than 20
    events, equal values, a component that shrinks to a point, one of the two lighter than 0.01, posteriors that do not cross
    between the two means, or a cut outside the bounds. Draws are Poisson around a histogram four bins to a bandwidth.
    """
    x = finite(values)
    if x.size < MIN_EVENTS:
        return Proposal.failed(f"too few events: {x.size}, at least {MIN_EVENTS} are needed")
    x = sampled(x[:, np.newaxis], rng)
    width = bandwidth(x[:, 0])
    if not width > 0:
        return Proposal.failed("all events have the same value")
    bins = bin_events(x[:, 0], width=width)
    levels = (np.arange(gate.components) + 0.5) / gate.components
    centers = np.quantile(x, levels) if gate.centers is None else np.array(gate.centers)
    priors = _priors(gate)
    mixture = fit_mixture(x, start_at(x, centers[:, np.newaxis]), priors=priors)
    if mixture is None:
        return Proposal.failed("a component of the mixture has shrunk to a point")
    cut, reason = crossing(mixture, gate.between)
    if reason:
        return Proposal.failed(reason)
    quality = float(posteriors(x, mixture).max(axis=0).mean())
    positions = np.asarray(bins.positions(np.arange(bins.counts.size)))
    draws = [_redrawn(positions, counts, mixture, gate, priors) for counts in bins.draws(DRAWS, rng)]
    return drawn_cut(cut, draws, bounds=gate.bounds, quality=quality)


def crossing(mixture: Mixture, between: tuple[int, int]) -> tuple[float, str]:
    """Find where the posteriors of two components, counted from the lowest mean, cross; or NaN and why they do not."""
    order = np.argsort(mixture.means[:, 0], kind="stable")
    pair = order[[between[0] - 1, between[1] - 1]]
    weights, means = mixture.weights[pair], mixture.means[pair, 0]
    if weights.min() < LEAST_WEIGHT:
        return math.nan, f"a component has the weight {weights.min():.3g}, at least {LEAST_WEIGHT:g} is needed"

    def upper_leads(at: float) -> bool:
        low, high = posteriors(np.array([[at]]), mixture)[pair, 0]
        return bool(high > low)

    low, high = means.tolist()
    if upper_leads(low) or not upper_leads(high):
        return math.nan, "the posteriors of the two components do not cross between their means"
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if upper_leads(middle) else (middle, high)
    return (low + high) / 2, ""


def _redrawn(
    positions: FloatArray, counts: FloatArray, start: Mixture, gate: TMix1dGate, priors: Priors | None
) -> float:
    filled = counts > 0
    mixture = fit_mixture(positions[filled, np.newaxis], start, counts=counts[filled], priors=priors)
    return math.nan if mixture is None else crossing(mixture, gate.between)[0]


def _priors(gate: TMix1dGate) -> Priors | None:
    if gate.prior is None or gate.centers is None:
        return None
    matrices = [np.array([getattr(p, name) for p in gate.prior])[:, None, None] for name in ("variance", "scatter")]
    degrees, alphas = (np.array([getattr(p, name) for p in gate.prior]) for name in ("degrees", "alpha"))
    return Priors(np.array(gate.centers)[:, np.newaxis], matrices[0], matrices[1], degrees, alphas)

"""t-mixture on two channels: the ellipse around one population."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from il2cyto.gt._bootstrap import MIN_EVENTS, finite, mad
from il2cyto.gt._mixture import Mixture, Priors, fit_mixture, posteriors, sampled, start_at
from il2cyto.gt._types import Cut, Proposal

if TYPE_CHECKING:
    import numpy.typing as npt

    from il2cyto.template import TMix2dGate

    FloatArray = npt.NDArray[np.float64]

COORDINATES: Final = ("mean_x", "mean_y", "log_l11", "l21", "log_l22")
#: Bootstrap draws: fewer than of a cut, because each is a fit.
FITS: Final = 20


def propose(values: FloatArray, gate: TMix2dGate, reference: FloatArray | None, rng: np.random.Generator) -> Proposal:
    """Fit an ellipse to one component of a t-mixture.

    Parameters
    ----------
    values
        (n, 2) the parent's events; rows with a non-finite value are dropped.
    gate
        `centers`, `target`, `bounds`, `prior`; `quantile` concerns only the size of the ellipse.
    reference
        Not used.
    rng
        Source of the sample that is fitted where there are more than 20,000 events, and of the bootstrap weights.

    Returns
    -------
    Five coordinates: the centre, and the lower triangle L of the Cholesky decomposition of the scale matrix, its diagonal in
    logarithms. Their quality is the mean over events of their largest posterior probability. NaN for fewer than 20 events, equal
    values in a channel, a component that shrinks to a point, or a centre outside the bounds.
    """
    x = finite(values)
    if len(x) < MIN_EVENTS:
        return _failed(f"too few events: {len(x)}, at least {MIN_EVENTS} are needed")
    if not np.ptp(x, axis=0).min() > 0:
        return _failed("all events have the same value in a channel")
    x = sampled(x, rng)
    priors = _priors(gate)
    mixture = fit_mixture(x, start_at(x, np.array(gate.centers)), priors=priors)
    if mixture is None:
        return _failed("a component of the mixture has shrunk to a point")
    found = _target(mixture, gate)
    for value, (low, high), key in zip(found, gate.bounds or (), gate.channels, strict=False):
        if not low <= value <= high:
            return _failed(f"centre {value:.6g} in {key} is outside the bounds {low:g} to {high:g}")
    weights = rng.poisson(1.0, size=(FITS, len(x))).astype(np.float64)
    fits = [fit_mixture(x, mixture, counts=own, priors=priors) for own in weights]
    drawn = np.array([_target(fit, gate) for fit in fits if fit is not None]).reshape(-1, len(COORDINATES))
    quality = float(posteriors(x, mixture).max(axis=0).mean())
    missing = 1.0 - len(drawn) / FITS
    return Proposal(
        {
            name: _cut(value, draws, missing, quality)
            for name, value, draws in zip(COORDINATES, found, drawn.T, strict=True)
        }
    )


def _target(mixture: Mixture, gate: TMix2dGate) -> list[float]:
    """The coordinates of the component whose mean is nearest to the centre of the target."""
    nearest = np.square(mixture.means - np.array(gate.centers[gate.target])).sum(axis=1).argmin()
    root = np.linalg.cholesky(mixture.scales[nearest])
    return [*mixture.means[nearest].tolist(), float(np.log(root[0, 0])), float(root[1, 0]), float(np.log(root[1, 1]))]


def _cut(value: float, draws: FloatArray, missing: float, quality: float) -> Cut:
    if not draws.size:
        return Cut(value, missing=missing, quality=quality)
    q05, q95 = np.quantile(draws, [0.05, 0.95])
    return Cut(value, mad(draws), float(q05), float(q95), missing, quality)


def _priors(gate: TMix2dGate) -> Priors | None:
    if gate.prior is None:
        return None
    fields = ("covariance", "scatter", "degrees", "alpha")
    return Priors(np.array(gate.centers), *(np.array([getattr(p, name) for p in gate.prior]) for name in fields))


def _failed(reason: str) -> Proposal:
    return Proposal.failed(reason, coordinates=COORDINATES)

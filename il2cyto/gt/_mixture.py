"""Mixtures of t distributions with four degrees of freedom, fitted by expectation-maximisation, with or without a prior.

Peel and McLachlan, Stat Comput 2000;10:339-348; the prior as in Lo, Brinkman and Gottardo, Cytometry A 2008;73:321-332.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from il2cyto.template._mixtures import NU

if TYPE_CHECKING:
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float64]

#: More events than this do not sharpen a fit; a seeded sample of them is taken.
MOST_EVENTS: Final = 20_000
MAX_STEPS, TOLERANCE = 200, 1e-6


class Mixture(NamedTuple):
    """K components in p dimensions: weights (K,), means (K, p), scale matrices (K, p, p)."""

    weights: FloatArray
    means: FloatArray
    scales: FloatArray


class Priors(NamedTuple):
    """What is known of K components.

    Each mean is normal around its centre (K, p) with a covariance (K, p, p); each scale matrix is inverse Wishart with a scatter
    (K, p, p) and degrees of freedom (K,); the weights are Dirichlet with alphas (K,).
    """

    centers: FloatArray
    covariances: FloatArray
    scatters: FloatArray
    degrees: FloatArray
    alphas: FloatArray


def start_at(x: FloatArray, centers: FloatArray) -> Mixture:
    """Equal weights, and for each of K centres (K, p) the variances of all events (n, p) divided by K."""
    k, p = centers.shape
    variances = np.maximum(x.var(axis=0), np.finfo(np.float64).tiny) / k
    return Mixture(np.full(k, 1.0 / k), centers.copy(), np.tile(np.diag(variances), (k, 1, 1)).reshape(k, p, p))


def fit_mixture(
    x: FloatArray, start: Mixture, *, counts: FloatArray | None = None, priors: Priors | None = None
) -> Mixture | None:
    """Find the nearest maximum of the likelihood, or of the posterior density.

    Parameters
    ----------
    x
        (n, p) events, all finite.
    start
        Where the search begins.
    counts
        (n,) how often each event counts; once if None.
    priors
        What is known of the components.

    Returns
    -------
    The mixture after the likelihood's relative gain has fallen below 1e-6, or after 200 steps; None where a component has
    shrunk to a point.
    """
    rows = np.ascontiguousarray(x.T)
    counts = np.ones(rows.shape[1]) if counts is None else counts
    mixture, last = start, -math.inf
    for _ in range(MAX_STEPS):
        try:
            joint, distance = _joint(rows, mixture)
        except np.linalg.LinAlgError:
            return None
        total = joint.sum(axis=0)
        likelihood = float((counts * np.log(total)).sum())
        if not math.isfinite(likelihood):
            return None
        if abs(likelihood - last) < TOLERANCE * abs(likelihood):
            return mixture
        last = likelihood
        mixture = _maximise(rows, joint / total * counts, distance, mixture, priors)
    return mixture


def posteriors(x: FloatArray, mixture: Mixture) -> FloatArray:
    """Probability, (K, n), that each event (n, p) belongs to each component."""
    joint, _ = _joint(np.ascontiguousarray(x.T), mixture)
    return np.asarray(joint / joint.sum(axis=0))


def _joint(rows: FloatArray, mixture: Mixture) -> tuple[FloatArray, FloatArray]:
    """Weight times density, and squared distance, (K, n). The tails are powers: they do not underflow and need no logs."""
    p = rows.shape[0]
    roots = np.linalg.cholesky(mixture.scales)
    # Sums instead of dot products: BLAS may add in another order when it has more threads.
    offsets = rows[np.newaxis] - mixture.means[:, :, np.newaxis]
    white = np.einsum("kij,kjn->kin", np.linalg.inv(roots), offsets)
    distance = np.square(white).sum(axis=1)
    norm = math.exp(math.lgamma((NU + p) / 2) - math.lgamma(NU / 2)) / (NU * math.pi) ** (p / 2)
    scale = mixture.weights * norm / np.prod(np.diagonal(roots, axis1=1, axis2=2), axis=1)
    return scale[:, np.newaxis] * (1.0 + distance / NU) ** (-(NU + p) / 2), distance


def _maximise(rows: FloatArray, z: FloatArray, distance: FloatArray, old: Mixture, priors: Priors | None) -> Mixture:
    p = rows.shape[0]
    zu = z * ((NU + p) / (NU + distance))
    n, mass = z.sum(axis=1), zu.sum(axis=1)
    sums = np.einsum("kn,in->ki", zu, rows)
    if priors is None:
        means, denominators, weights = sums / mass[:, np.newaxis], n, n
    else:
        precision, inverse = np.linalg.inv(priors.covariances), np.linalg.inv(old.scales)
        right = np.einsum("kij,kj->ki", precision, priors.centers) + np.einsum("kij,kj->ki", inverse, sums)
        means = np.linalg.solve(precision + inverse * mass[:, np.newaxis, np.newaxis], right[..., np.newaxis])[..., 0]
        denominators = n + priors.degrees + p + 1
        weights = np.maximum(n + priors.alphas - 1, 0)
    offsets = rows[np.newaxis] - means[:, :, np.newaxis]
    scatters = np.einsum("kn,kin,kjn->kij", zu, offsets, offsets)
    scatters += 0.0 if priors is None else priors.scatters
    return Mixture(weights / weights.sum(), means, scatters / denominators[:, np.newaxis, np.newaxis])


def sampled(x: FloatArray, rng: np.random.Generator) -> FloatArray:
    """At most 20,000 of the events (n, p), in their order."""
    if len(x) <= MOST_EVENTS:
        return x
    return np.asarray(x[np.sort(rng.choice(len(x), MOST_EVENTS, replace=False, shuffle=False))])

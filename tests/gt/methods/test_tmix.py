"""t-mixtures against scipy: direct maximisation, its t and F distributions, and the gradient of the posterior density."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from il2cyto.gt._mixture import Mixture, Priors, fit_mixture, start_at
from il2cyto.gt.methods import METHODS
from il2cyto.gt.methods._tmix1d import crossing
from il2cyto.template import TMix1dGate, TMix2dGate


def gate1d(components=2, between=(1, 2), **more):
    return TMix1dGate(method="tmix1d", channel="CD25", bounds=(-50.0, 50.0), components=components, between=between, **more)  # fmt: skip


def gate2d(centers, target=0, **more):
    return TMix2dGate(method="tmix2d", channels=("CD45", "SSC-A"), centers=centers, target=target, **more)


def fit(values, gate, seed=0):
    return METHODS[gate.method](np.asarray(values, dtype=np.float64), gate, None, np.random.default_rng(seed))


def fitted(x, start, **more) -> Mixture:
    mixture = fit_mixture(x, start, **more)
    assert mixture is not None
    return mixture


def two_populations(rng, n=3000):
    return np.concatenate([stats.t.rvs(4, -3, 1, size=n, random_state=rng), stats.t.rvs(4, 3, 0.6, size=n // 2, random_state=rng)])  # fmt: skip


def test_one_component_is_scipys_maximum_likelihood_t():
    x = stats.t.rvs(4, 2.0, 0.7, size=2000, random_state=np.random.default_rng(1))
    mixture = fitted(x[:, None], start_at(x[:, None], np.array([[0.0]])))
    _, loc, scale = stats.t.fit(x, fdf=4)
    assert mixture.means[0, 0] == pytest.approx(loc, abs=1e-3)
    assert np.sqrt(mixture.scales[0, 0, 0]) == pytest.approx(scale, rel=2e-3)


def test_two_components_are_the_maximum_that_a_general_optimiser_finds():
    x = two_populations(np.random.default_rng(2))

    def loss(p):
        w = 1 / (1 + np.exp(-p[0]))
        return -np.log(w * stats.t.pdf(x, 4, p[1], np.exp(p[2])) + (1 - w) * stats.t.pdf(x, 4, p[3], np.exp(p[4]))).sum()  # fmt: skip

    best = optimize.minimize(loss, [0, -2, 0, 2, 0], method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-6, "fatol": 1e-8}).x  # fmt: skip
    mixture = fitted(x[:, None], start_at(x[:, None], np.array([[-2.0], [2.0]])))
    found = [np.log(mixture.weights[0] / mixture.weights[1]), mixture.means[0, 0], np.log(mixture.scales[0, 0, 0]) / 2,
             mixture.means[1, 0], np.log(mixture.scales[1, 0, 0]) / 2]  # fmt: skip
    np.testing.assert_allclose(found, best, atol=0.01)
    assert loss(found) - loss(best) < 0.02


def test_in_two_dimensions_no_nearby_mixture_is_likelier():
    rng = np.random.default_rng(3)
    x = np.vstack([stats.multivariate_t.rvs([0, 0], [[1, 0.5], [0.5, 1]], 4, 2000, rng), stats.multivariate_t.rvs([6, 3], [[0.5, -0.2], [-0.2, 2]], 4, 1000, rng)])  # fmt: skip
    mixture = fitted(x, start_at(x, np.array([[1.0, 1.0], [5.0, 2.0]])))

    def likelihood(w, means, scales):
        return np.log(sum(wk * stats.multivariate_t.pdf(x, m, s, 4) for wk, m, s in zip(w, means, scales, strict=True))).sum()  # fmt: skip

    best = likelihood(*mixture)
    for _ in range(20):
        means = mixture.means + rng.normal(0, 0.1, (2, 2))
        scales = mixture.scales * rng.uniform(0.85, 1.15, (2, 1, 1))
        assert likelihood(mixture.weights, means, scales) < best
    np.testing.assert_allclose(mixture.means, [[0, 0], [6, 3]], atol=0.15)


def test_counts_are_events_that_are_there_several_times():
    rng = np.random.default_rng(4)
    x = two_populations(rng, 400)[:, None]
    counts = rng.integers(0, 4, len(x))
    start = start_at(x, np.array([[-2.0], [2.0]]))
    for ours, theirs in zip(
        fitted(x, start, counts=counts.astype(float)),
        fitted(np.repeat(x, counts, axis=0), start),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_with_a_prior_it_is_the_mode_of_the_posterior():
    """The gradient of log likelihood + log prior, by scipy's densities, is zero where the fit ends."""
    rng = np.random.default_rng(5)
    x = two_populations(rng, 60)
    priors = Priors(np.array([[-2.0], [4.0]]), np.array([[[0.01]], [[0.02]]]), np.array([[[3.0]], [[2.0]]]), np.array([8.0, 20.0]), np.array([20.0, 5.0]))  # fmt: skip

    def posterior(p):
        w = np.array([p[0], 1 - p[0]])
        value = np.log(sum(w[k] * stats.t.pdf(x, 4, p[1 + k], np.sqrt(p[3 + k])) for k in range(2))).sum()
        value += ((priors.alphas - 1) * np.log(w)).sum()
        for k in range(2):
            value += stats.norm.logpdf(p[1 + k], priors.centers[k, 0], np.sqrt(priors.covariances[k, 0, 0]))
            value += stats.invwishart.logpdf(p[3 + k], priors.degrees[k], priors.scatters[k, 0, 0])
        return value

    start = start_at(x[:, None], priors.centers)
    mixture = fitted(x[:, None], start, priors=priors)
    at = np.array([mixture.weights[0], *mixture.means[:, 0], *mixture.scales[:, 0, 0]])
    step = 1e-5
    gradient = [(posterior(at + step * e) - posterior(at - step * e)) / (2 * step) for e in np.eye(5)]
    curvature = [(2 * posterior(at) - posterior(at + 1e-3 * e) - posterior(at - 1e-3 * e)) / 1e-6 for e in np.eye(5)]
    assert (np.array(curvature) > 0).all()
    np.testing.assert_allclose(np.array(gradient) / curvature, 0, atol=1e-3)
    free = fitted(x[:, None], start)
    assert (np.abs(mixture.means - priors.centers) < np.abs(free.means - priors.centers)).all()


def test_the_cut_is_where_the_two_densities_are_equal():
    mixture = Mixture(np.array([0.7, 0.3]), np.array([[1.0], [4.0]]), np.array([[[0.5]], [[2.0]]]))
    cut, reason = crossing(mixture, (1, 2))
    assert reason == ""
    left, right = 0.7 * stats.t.pdf(cut, 4, 1, 0.5**0.5), 0.3 * stats.t.pdf(cut, 4, 4, 2**0.5)
    assert left == pytest.approx(right, rel=1e-9)


def test_the_upper_of_three_populations_is_cut_off_and_the_spread_is_that_of_resampling():
    rng = np.random.default_rng(6)
    x = np.concatenate([rng.normal(0, 1, 2000), rng.normal(6, 1, 2000), rng.normal(11, 0.8, 500)])
    gate = gate1d(3, (2, 3))
    cut = fit(x, gate).cuts["cut"]
    assert 8 < cut.value < 10
    assert cut.quality > 0.95
    resampled = [fit(rng.choice(x, x.size), gate).cuts["cut"].value for _ in range(15)]
    assert cut.spread == pytest.approx(np.std(resampled), rel=0.6)
    assert cut.missing == 0


def test_what_is_no_pair_of_populations_fails_with_a_reason():
    rng = np.random.default_rng(7)
    assert fit(rng.normal(size=19), gate1d()).reason == "too few events: 19, at least 20 are needed"
    assert fit(np.ones(100), gate1d()).reason == "all events have the same value"
    rare = np.concatenate([rng.normal(0, 1, 5000), rng.normal(20, 0.5, 25)])
    assert (
        fit(rare, gate1d(centers=(0.0, 20.0))).reason == "a component has the weight 0.00497, at least 0.01 is needed"
    )
    wide = Mixture(np.array([0.95, 0.05]), np.array([[0.0], [0.5]]), np.array([[[1.0]], [[1.0]]]))
    assert crossing(wide, (1, 2))[1] == "the posteriors of the two components do not cross between their means"
    x = two_populations(rng)
    outside = TMix1dGate(method="tmix1d", channel="CD25", bounds=(5.0, 9.0), components=2, between=(1, 2))
    assert fit(x, outside).reason.endswith("is outside the bounds 5 to 9")
    point = np.concatenate([rng.normal(0, 1, 500), np.full(500, 9.0)])
    assert fit(point, gate1d(centers=(0.0, 9.0))).reason == "a component of the mixture has shrunk to a point"


def test_the_ellipse_holds_the_share_of_its_population_that_the_template_names():
    rng = np.random.default_rng(8)
    x = stats.multivariate_t.rvs([1, 2], [[1, 0.6], [0.6, 2]], 4, 30_000, rng)
    for quantile in (0.5, 0.95):
        gate = gate2d([(1.0, 2.0)], quantile=quantile)
        proposal = fit(x, gate)
        ellipse = gate.at_cuts({name: cut.value for name, cut in proposal.cuts.items()})
        assert ellipse.distance_square == pytest.approx(2 * stats.f.ppf(quantile, 2, 4), rel=1e-12)
        offsets = x - ellipse.mean
        inside = (
            np.einsum("ni,ij,nj->n", offsets, np.linalg.inv(ellipse.covariance), offsets) <= ellipse.distance_square
        )
        assert inside.mean() == pytest.approx(quantile, abs=0.01)
        np.testing.assert_allclose(ellipse.covariance, [[1, 0.6], [0.6, 2]], rtol=0.08)


def test_the_target_is_the_component_nearest_to_its_centre_and_its_spread_is_known():
    rng = np.random.default_rng(9)
    x = np.vstack([rng.normal([0, 0], 1, (1500, 2)), rng.normal([8, 1], 1, (500, 2))])
    proposal = fit(x, gate2d([(1.0, 0.0), (7.0, 1.0)], target=1))
    assert proposal.cuts["mean_x"].value == pytest.approx(8, abs=0.2)
    # The t fitted to normal values is as sure of a mean as the mean itself, within a few per cent.
    assert proposal.cuts["mean_x"].spread == pytest.approx(1 / np.sqrt(500), rel=0.7)
    again = fit(x, gate2d([(7.0, 1.0), (1.0, 0.0)], target=0))
    assert again.cuts["mean_x"].value == pytest.approx(proposal.cuts["mean_x"].value, abs=1e-3)


def test_an_ellipse_off_its_bounds_or_on_a_line_fails():
    rng = np.random.default_rng(10)
    x = rng.normal([0, 0], 1, (500, 2))
    bounded = gate2d([(0.0, 0.0)], bounds=((-1.0, 1.0), (1.0, 2.0)))
    assert fit(x, bounded).reason.endswith("in SSC-A is outside the bounds 1 to 2")
    line = np.column_stack([x[:, 0], 2 * x[:, 0]])
    assert fit(line, gate2d([(0.0, 0.0)])).reason == "a component of the mixture has shrunk to a point"
    assert fit(x * [1, 0], gate2d([(0.0, 0.0)])).reason == "all events have the same value in a channel"
    assert not fit(x[:5], gate2d([(0.0, 0.0)])).found


def test_the_same_events_give_the_same_numbers_and_no_more_than_20000_are_fitted():
    x = np.random.default_rng(11).normal([0, 0], 1, (25_000, 2))
    gate = gate2d([(0.0, 0.0)])
    assert fit(x, gate, seed=3) == fit(x, gate, seed=3)
    assert fit(x, gate, seed=3) != fit(x, gate, seed=4)

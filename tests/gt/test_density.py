"""The density against scipy's exact kernel sum and R's stored numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import find_peaks, peak_prominences
from scipy.stats import gaussian_kde

from il2cyto.gt._density import bandwidth, bin_events, extrema, smooth, smooth_slope

_RNG = np.random.default_rng(0)
MIXTURE = np.concatenate([_RNG.normal(0.3, 0.06, 600), _RNG.normal(0.7, 0.08, 400), _RNG.normal(0.5, 0.2, 50)])


@pytest.mark.parametrize(
    ("replicate", "marker", "h"),
    [("001", "CD16", 124.1352), ("001", "CD56", 116.8881), ("002", "CD16", 124.4011), ("002", "CD56", 116.0156)],
)
def test_the_bandwidth_is_that_of_r(lyoplate, replicate, marker, h):
    assert bandwidth(lyoplate[replicate].of(marker)) == pytest.approx(h, abs=5e-5)


def test_the_bandwidth_falls_back_on_the_deviation_and_knows_when_there_is_none():
    mostly_equal = np.array([5.0] * 90 + [0.0] * 5 + [10.0] * 5)
    assert bandwidth(mostly_equal) == pytest.approx(0.9 * mostly_equal.std(ddof=1) * 100**-0.2)
    assert bandwidth(MIXTURE, adjust=2.5) == pytest.approx(2.5 * bandwidth(MIXTURE))
    for values in (np.empty(0), np.array([1.0]), np.full(50, 0.1), np.array([0.1, np.nextafter(0.1, 1)] * 30)):
        assert np.isnan(bandwidth(values))


def test_the_density_is_the_kernel_sum_over_all_events():
    width = bandwidth(MIXTURE)
    bins = bin_events(MIXTURE, width=width)
    grid = bins.positions(np.arange(bins.counts.size))
    exact = gaussian_kde(MIXTURE, bw_method=width / MIXTURE.std(ddof=1))(grid) * MIXTURE.size
    density = smooth(bins.counts, bins)
    # Linear binning moves mass by at most half a step: with four points per bandwidth an error of order (step / h)**2 / 24.
    np.testing.assert_allclose(density, exact, atol=3e-3 * exact.max())
    assert density.sum() * bins.step == pytest.approx(MIXTURE.size, rel=1e-9)
    np.testing.assert_allclose(
        smooth_slope(bins.counts, bins), np.gradient(density, bins.step), atol=2e-2 * exact.max() / width
    )


def test_binning_keeps_the_number_of_events_and_their_mean():
    bins = bin_events(MIXTURE, width=0.02)
    grid = bins.positions(np.arange(bins.counts.size))
    assert bins.counts.sum() == pytest.approx(MIXTURE.size, rel=1e-12)
    assert bins.counts @ grid / MIXTURE.size == pytest.approx(MIXTURE.mean(), rel=1e-12)


@pytest.mark.parametrize(("width", "points"), [(1.0, 512), (1 / 128, 512), (1 / 129, 1024), (1 / 5000, 16384)])
def test_the_grid_has_four_points_per_bandwidth_between_its_limits(width, points):
    bins = bin_events(np.array([0.0, 0.3, 1.0]), width=width)
    assert bins.counts.size == points
    assert bins.positions(0) == pytest.approx(-7 * width)
    assert bins.positions(points - 1) == pytest.approx(1 + 7 * width)


def test_the_batch_equals_one_density_after_the_other():
    bins = bin_events(MIXTURE, width=0.03)
    draws = bins.draws(5, np.random.default_rng(1))
    np.testing.assert_allclose(smooth(draws, bins), [smooth(row, bins) for row in draws], rtol=1e-9, atol=1e-9)


def test_draws_are_poisson_around_the_counts():
    bins = bin_events(MIXTURE, width=0.05)
    draws = bins.draws(4000, np.random.default_rng(2))
    busy = bins.counts > 1
    np.testing.assert_allclose(draws.mean(axis=0)[busy], bins.counts[busy], rtol=0.15)
    np.testing.assert_allclose(draws.var(axis=0)[busy], bins.counts[busy], rtol=0.2)


def test_extrema_and_prominences_equal_scipy():
    noisy = np.random.default_rng(1).normal(0.5, 0.2, 200)
    bins = bin_events(noisy, width=0.01)
    found = extrema(smooth(bins.counts, bins))
    grid = np.linspace(bins.positions(0), bins.positions(bins.counts.size - 1), 40_000)
    exact = gaussian_kde(noisy, bw_method=0.01 / noisy.std(ddof=1))(grid) * noisy.size
    at, _ = find_peaks(exact)
    np.testing.assert_allclose(bins.positions(found.peaks), grid[at], atol=1e-3)
    np.testing.assert_allclose(found.prominences(), peak_prominences(exact, at)[0], atol=5e-3 * exact.max())
    assert len(found.valleys) == len(found.peaks) - 1
    assert (found.peaks[:-1] < found.valleys).all()
    assert (found.valleys < found.peaks[1:]).all()


def test_a_parabola_is_refined_to_its_vertex():
    x = np.arange(9.0)
    found = extrema(np.maximum(0.0, 10.0 - (x - 4.3) ** 2))
    assert found.peaks == pytest.approx([4.3])
    assert found.peak_heights == pytest.approx([10.0])


def test_a_flat_stretch_is_one_extremum_in_its_middle():
    found = extrema(np.array([0.0, 0.0, 2.0, 2.0, 2.0, 1.0, 1.0, 3.0, 0.0, 0.0]))
    np.testing.assert_allclose(found.peaks[0], 3.0)
    np.testing.assert_allclose(found.valleys, [5.5])
    np.testing.assert_allclose(found.valley_heights, [1.0])
    np.testing.assert_allclose(found.prominences()[0], 1.0)

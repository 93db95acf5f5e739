"""The density against scipy's exact kernel sum and R's stored numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import find_peaks, peak_prominences
from scipy.stats import gaussian_kde

from il2cyto.gt._density import bandwidth, bin_events
from il2cyto.gt._kernels._smooth import convolve, extrema, gaussian, gaussian_slope, prominences, smooth_counts

_RNG = np.random.default_rng(0)
MIXTURE = np.concatenate([_RNG.normal(0.3, 0.06, 600), _RNG.normal(0.7, 0.08, 400), _RNG.normal(0.5, 0.2, 50)])


def grid_of(bins):
    return bins.positions(np.arange(bins.counts.size))


def smooth(bins):
    density = np.empty(bins.counts.size)
    smooth_counts(bins.counts, gaussian(bins.width, bins.step), density)
    return density


def smooth_slope(bins):
    slope = np.empty(bins.counts.size)
    convolve(bins.counts, gaussian_slope(bins.width, bins.step), slope)
    return slope


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
    grid = grid_of(bins)
    exact = gaussian_kde(MIXTURE, bw_method=width / MIXTURE.std(ddof=1))(grid) * MIXTURE.size
    density = smooth(bins)
    # Linear binning moves mass by at most half a step: with four points per bandwidth an error of order (step / h)**2 / 24.
    np.testing.assert_allclose(density, exact, atol=3e-3 * exact.max())
    assert density.sum() * bins.step == pytest.approx(MIXTURE.size, rel=1e-9)
    np.testing.assert_allclose(smooth_slope(bins), np.gradient(density, bins.step), atol=2e-2 * exact.max() / width)


def test_binning_keeps_the_number_of_events_and_their_mean():
    bins = bin_events(MIXTURE, width=0.02)
    grid = grid_of(bins)
    assert bins.counts.sum() == pytest.approx(MIXTURE.size, rel=1e-12)
    assert bins.counts @ grid / MIXTURE.size == pytest.approx(MIXTURE.mean(), rel=1e-12)


@pytest.mark.parametrize(("width", "points"), [(1.0, 512), (1 / 128, 512), (1 / 129, 1024), (1 / 5000, 16384)])
def test_the_grid_has_four_points_per_bandwidth_between_its_limits(width, points):
    bins = bin_events(np.array([0.0, 0.3, 1.0]), width=width)
    assert bins.counts.size == points
    assert grid_of(bins)[[0, -1]] == pytest.approx([-7 * width, 1 + 7 * width])


def test_smoothing_is_the_multiplication_of_spectra():
    # With 16384 points for 5000 bandwidths there are about 3 points per bandwidth: the coarsest grid there is.
    for bins in (bin_events(MIXTURE, width=0.03), bin_events(np.append(MIXTURE, 5000 * 0.03), width=0.03)):
        frequency = 2 * np.pi * np.fft.rfftfreq(2 * bins.counts.size, bins.step)
        spectrum = np.fft.rfft(bins.counts, 2 * bins.counts.size) * np.exp(-0.5 * (frequency * bins.width) ** 2)
        expected = np.fft.irfft(spectrum)[: bins.counts.size] / bins.step
        np.testing.assert_allclose(smooth(bins), expected, atol=1e-8 * expected.max())
        slope = np.fft.irfft(spectrum * 1j * frequency)[: bins.counts.size] / bins.step
        np.testing.assert_allclose(smooth_slope(bins), slope, atol=1e-6 * np.abs(slope).max())


def test_draws_are_poisson_around_the_counts():
    bins = bin_events(MIXTURE, width=0.05)
    draws = bins.draws(4000, np.random.default_rng(2))
    busy = bins.counts > 1
    np.testing.assert_allclose(draws.mean(axis=0)[busy], bins.counts[busy], rtol=0.15)
    np.testing.assert_allclose(draws.var(axis=0)[busy], bins.counts[busy], rtol=0.2)


def test_extrema_and_prominences_equal_scipy():
    noisy = np.random.default_rng(1).normal(0.5, 0.2, 200)
    bins = bin_events(noisy, width=0.01)
    at, height = extrema(smooth(bins))
    grid = np.linspace(grid_of(bins)[0], grid_of(bins)[-1], 40_000)
    exact = gaussian_kde(noisy, bw_method=0.01 / noisy.std(ddof=1))(grid) * noisy.size
    peaks, _ = find_peaks(exact)
    np.testing.assert_allclose(bins.positions(at[::2]), grid[peaks], atol=1e-3)
    np.testing.assert_allclose(prominences(height), peak_prominences(exact, peaks)[0], atol=5e-3 * exact.max())
    assert len(at) == 2 * len(peaks) - 1
    assert (np.diff(at) > 0).all()


def test_a_parabola_is_refined_to_its_vertex():
    x = np.arange(9.0)
    at, height = extrema(np.maximum(0.0, 10.0 - (x - 4.3) ** 2))
    assert at == pytest.approx([4.3])
    assert height == pytest.approx([10.0])


def test_a_flat_stretch_is_one_extremum_in_its_middle():
    at, height = extrema(np.array([0.0, 0.0, 2.0, 2.0, 2.0, 1.0, 1.0, 3.0, 0.0, 0.0]))
    np.testing.assert_allclose(at[:2], [3.0, 5.5])
    assert height[1] == 1.0
    np.testing.assert_allclose(prominences(height)[0], 1.0)

"""The valley against R's `density()` on real cells, and the laws it obeys on simulated ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from il2cyto.gt._density import bandwidth, bin_events
from il2cyto.gt._flags import Flag
from il2cyto.gt._kernels._valley import valley_cuts
from il2cyto.gt.methods import METHODS
from il2cyto.template._cuts import ValleyGate

propose = METHODS["valley"]


def gate(**changes):
    return ValleyGate.model_validate(
        {"method": "valley", "channel": "CD3", "bounds": (0.2, 0.8), "one_peak": "fail", **changes}
    )


def fit(values, seed=0, **changes):
    return propose(values, gate(**changes), None, np.random.default_rng(seed))


def two_populations(n=20_000, seed=1):
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(0.3, 0.05, int(0.6 * n)), rng.normal(0.65, 0.05, int(0.4 * n))])


#: No floor on prominence or depth, as in the tool whose cut this is.
LIKE_R = {"adjust": 2, "prominence": 0, "depth": 0, "bounds": (0, 4096)}


@pytest.mark.parametrize(
    ("replicate", "marker", "r", "refined"),
    [
        ("001", "CD16", 1849.16, 1852.8),
        ("001", "CD56", 1670.45, 1672.5),
        ("002", "CD16", 1864.30, 1869.8),
        ("002", "CD56", 1677.29, 1674.5),
    ],
)
def test_nk_valleys_are_those_of_r(lyoplate, replicate, marker, r, refined):
    cut = fit(lyoplate[replicate].of(marker), **LIKE_R).cuts["cut"]
    assert cut.value == pytest.approx(r, rel=5e-3)
    assert cut.value == pytest.approx(refined, rel=5e-4)
    assert cut.q95 - cut.q05 < 0.055 * 4096
    assert cut.missing == 0


@pytest.mark.parametrize(("replicate", "r", "refined"), [("001", 72010.8, 72190), ("002", 73288.9, 73160)])
def test_the_debris_valley_is_the_one_inside_the_bounds(lyoplate, replicate, r, refined):
    values = lyoplate[replicate].of("FSC-A", "/boundary")
    cut = fit(values, adjust=1.5, prominence=0, depth=0, bounds=(0, 100_000)).cuts["cut"]
    assert cut.value == pytest.approx(r, rel=5e-3)
    assert cut.value == pytest.approx(refined, rel=5e-4)


def test_the_cut_between_dim_and_bright_is_unstable_and_says_so(lyoplate):
    # The valley on which one outlier decides: 0.02 % bright cells in one replicate, 4.8 % in the other.
    nk = lyoplate["002"].of("CD56") >= 1674.5
    low = lyoplate["002"].of("CD16") < 1869.8
    cut = fit(lyoplate["002"].of("CD56")[nk & low], prominence=0, depth=0, bounds=(2800, 4200)).cuts["cut"]
    assert cut.value == pytest.approx(3834, abs=5)
    assert cut.q95 - cut.q05 > 0.055 * 4096
    assert cut.missing > 0.1


def test_shift_and_scale_move_the_cut_alike():
    x = two_populations()
    base = fit(x).cuts["cut"]
    moved = fit(3.0 * x - 7.0, bounds=(3 * 0.2 - 7, 3 * 0.8 - 7)).cuts["cut"]
    assert moved.value == pytest.approx(3 * base.value - 7, rel=1e-9)
    doubled = fit(2.0 * x, bounds=(0.4, 1.6)).cuts["cut"]
    assert (doubled.value, doubled.spread, doubled.q05) == (2 * base.value, 2 * base.spread, 2 * base.q05)
    assert doubled.quality == base.quality


def test_the_order_of_events_does_not_matter():
    x = two_populations()
    shuffled = np.random.default_rng(9).permutation(x)
    a, b = fit(x).cuts["cut"], fit(shuffled).cuts["cut"]
    assert a.value == pytest.approx(b.value, rel=1e-9)
    assert a.spread == pytest.approx(b.spread, rel=1e-6)


def test_doubling_the_events_leaves_the_valley_where_it_is():
    x = two_populations()
    # Only the bandwidth shrinks, by 2**(-1/5).
    assert fit(np.tile(x, 2)).cuts["cut"].value == pytest.approx(fit(x).cuts["cut"].value, abs=0.01)


def test_the_spread_is_that_of_fresh_samples():
    cuts = [fit(two_populations(4000, seed)).cuts["cut"] for seed in range(60)]
    between = np.std([cut.value for cut in cuts])
    assert np.median([cut.spread for cut in cuts]) == pytest.approx(between, rel=0.35)


def test_the_same_seed_gives_the_same_bits_and_another_only_another_spread():
    x = two_populations()
    assert fit(x, seed=3) == fit(x, seed=3)
    assert fit(x, seed=3).cuts["cut"].value == fit(x, seed=4).cuts["cut"].value
    assert fit(x, seed=3).cuts["cut"].spread != fit(x, seed=4).cuts["cut"].spread


def test_a_third_small_population_does_not_take_the_cut_from_the_two_tallest():
    x = np.concatenate([two_populations(), np.random.default_rng(5).normal(0.95, 0.02, 900)])
    assert fit(x, bounds=(0.2, 0.9)).cuts["cut"].value == pytest.approx(
        fit(two_populations()).cuts["cut"].value, abs=0.01
    )


def test_a_valley_between_other_peaks_serves_where_the_tallest_two_have_none_in_the_bounds():
    x = np.concatenate([two_populations(), np.random.default_rng(5).normal(0.95, 0.02, 2000)])
    assert 0.8 < fit(x, bounds=(0.75, 0.93)).cuts["cut"].value < 0.93


def test_the_depth_is_the_quality():
    deep, shallow = two_populations(), np.concatenate([two_populations(), np.linspace(0.2, 0.8, 20_000)])
    assert fit(deep).cuts["cut"].quality > 0.95
    assert 0.3 < fit(shallow).cuts["cut"].quality < 0.8


def test_one_peak_is_no_valley():
    proposal = fit(np.random.default_rng(2).normal(0.5, 0.1, 5000))
    assert not proposal.found
    assert np.isnan(proposal.cuts["cut"].value)
    assert proposal.flags == Flag.NO_VALLEY
    assert proposal.reason == "one peak"


def test_a_valley_outside_the_bounds_or_too_shallow_is_none():
    outside = fit(two_populations(), bounds=(0.7, 0.8))
    assert not outside.found
    assert outside.flags == Flag.NO_VALLEY
    accepted = fit(two_populations()).cuts["cut"]
    assert outside.reason == f"valley {accepted.value:.6g} is outside the bounds 0.7 to 0.8"
    shallow = fit(two_populations(), depth=0.9999)
    assert not shallow.found
    assert shallow.flags == Flag.NO_VALLEY
    assert shallow.reason == f"valley too shallow: depth {accepted.quality:.3g}, at least 0.9999 is needed"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.empty(0), "too few events: 0, at least 20 are needed"),
        (np.linspace(0, 1, 19), "too few events: 19, at least 20 are needed"),
        (np.append(np.linspace(0, 1, 19), [np.nan, np.inf]), "too few events: 19, at least 20 are needed"),
        (np.full(100, 0.1), "all events have the same value"),
    ],
)
def test_events_that_show_no_density_give_no_cut(values, reason):
    proposal = fit(values)
    assert not proposal.found
    assert proposal.reason == reason
    assert proposal.flags == Flag.NONE


def test_non_finite_events_are_dropped():
    x = two_populations()
    dirty = np.insert(x, [0, 5000, len(x)], [np.nan, np.inf, -np.inf])
    assert fit(dirty) == fit(x)


def test_draws_are_distributed_like_poisson_draws_smoothed_by_fourier_transform():
    x = np.random.default_rng(8).permutation(np.concatenate([two_populations(3000), np.linspace(0.1, 0.9, 900)]))
    bins = bin_events(x, width=bandwidth(x))
    draws = np.random.default_rng(9).poisson(bins.counts, size=(2000, bins.counts.size))
    frequency = 2 * np.pi * np.fft.rfftfreq(2 * bins.counts.size, bins.step)
    kernel = np.exp(-0.5 * (frequency * bins.width) ** 2)
    densities = np.fft.irfft(np.fft.rfft(draws, 2 * bins.counts.size) * kernel)[:, : bins.counts.size]
    position = bins.start + bins.step * np.arange(bins.counts.size)
    # Between the peaks at 0.3 and 0.65 there is one valley in this file; its lowest point and the parabola through it.
    between = np.flatnonzero((position > 0.3) & (position < 0.65))
    lowest = between[0] + densities[:, between].argmin(axis=1)
    left, middle, right = (densities[np.arange(2000), lowest + side] for side in (-1, 0, 1))
    cuts = position[lowest] + bins.step * 0.5 * (left - right) / (left - 2 * middle + right)
    assert ks_2samp(cuts, valley_cuts(*bins, (0.2, 0.8, 0.02, 0.1), 2000, np.uint64(1))[0][1:]).pvalue > 0.01

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from il2cyto.gt._density import bandwidth, bin_events
from il2cyto.gt._kernels._tail import TALLEST, tail_cuts
from il2cyto.gt.methods import METHODS
from il2cyto.template._cuts import TailGate

propose = METHODS["tail"]


def fit(values, seed=0, **changes):
    fields = {"method": "tail", "channel": "viability", "side": "right", "bounds": (-10.0, 10.0), **changes}
    return propose(values, TailGate.model_validate(fields), None, np.random.default_rng(seed))


def normal(n=200_000, mean=0.0, sd=1.0):
    # Quantiles in place of a sample: the answer has no noise.
    from scipy.stats import norm

    return norm.ppf((np.arange(n) + 0.5) / n, mean, sd)


@pytest.mark.parametrize("tol", [0.2, 0.05, 0.01])
def test_on_a_normal_density_the_cut_is_where_its_slope_has_fallen_to_tol(tol):
    # |f'(x)| / max |f'| = x exp((1 - x**2) / 2), on the density that the kernel has widened.
    x = np.linspace(1, 6, 200_001)
    widened = np.sqrt(1 + (0.9 * 200_000**-0.2) ** 2)
    expected = x[np.argmax(x * np.exp((1 - x**2) / 2) < tol)] * widened
    cut = fit(normal(), tol=tol).cuts["cut"]
    assert cut.value == pytest.approx(expected, abs=0.01)
    assert cut.quality == 1.0
    assert fit(normal(), tol=tol, side="left").cuts["cut"].value == pytest.approx(-expected, abs=0.01)


def test_peaks_are_named_from_the_left():
    x = np.concatenate([normal(20_000, -5), normal(60_000, 0), normal(40_000, 5)])
    by_name = {peak: fit(x, peak=peak).cuts["cut"].value for peak in ("first", "tallest", "last", 1, 2, 3)}
    assert by_name["first"] == by_name[1]
    assert by_name["tallest"] == by_name[2]
    assert by_name["last"] == by_name[3]
    assert -5 < by_name[1] < 0 < by_name[2] < 5 < by_name[3]
    assert fit(x, peak=4).reason == "peak 4 is missing: the density has 3"


def test_the_tail_of_one_peak_ends_before_the_next():
    x = np.concatenate([normal(60_000, 0), normal(60_000, 6, 0.4)])
    # The steepest descent of the whole density belongs to the second, narrow peak.
    assert 1.5 < fit(x, peak="first").cuts["cut"].value < 5


def test_live_cells_have_two_peaks_and_the_first_tail_parts_them(lyoplate):
    # The trap: from the tallest peak the cut falls between two populations of living cells.
    for replicate in lyoplate.values():
        values = replicate.of("Live", "/boundary/Monocytes")
        between = fit(values, peak="tallest", bounds=(0, 4096)).cuts["cut"]
        assert between.value == pytest.approx(1464, abs=9)  # the reference is not refined: one grid step
        assert between.quality == 1.0
        dead = fit(values, peak="last", bounds=(0, 4096)).cuts["cut"]
        assert 2050 < dead.value < 2250
        assert 0.96 < np.mean(values < dead.value) < 0.985


def test_mirror_shift_and_scale():
    x = np.random.default_rng(3).gamma(2.0, 1.0, 20_000)
    right = fit(x, bounds=(0, 20)).cuts["cut"]
    assert fit(-x, side="left", bounds=(-20, 0)).cuts["cut"].value == pytest.approx(-right.value, rel=1e-9)
    assert fit(5 * x + 3, bounds=(0, 200)).cuts["cut"].value == pytest.approx(5 * right.value + 3, rel=1e-9)
    assert right.q05 < right.value < right.q95
    assert right.missing == 0


def test_a_cut_outside_the_bounds_fails():
    proposal = fit(normal(), bounds=(-1.0, 1.0))
    assert not proposal.found
    assert proposal.reason == f"cut {fit(normal()).cuts['cut'].value:.6g} is outside the bounds -1 to 1"


def test_too_few_or_equal_events_fail():
    assert fit(np.arange(5.0)).reason == "too few events: 5, at least 20 are needed"
    assert fit(np.ones(50)).reason == "all events have the same value"


def test_draws_are_distributed_like_poisson_draws_smoothed_by_fourier_transform():
    x = np.random.default_rng(8).gamma(3.0, 1.0, 5000)
    bins = bin_events(x, width=bandwidth(x))
    draws = np.random.default_rng(9).poisson(bins.counts, size=(2000, bins.counts.size))
    frequency = 2 * np.pi * np.fft.rfftfreq(2 * bins.counts.size, bins.step)
    spectra = np.fft.rfft(draws, 2 * bins.counts.size) * 1j * frequency * np.exp(-0.5 * (frequency * bins.width) ** 2)
    cuts = []
    for slope in np.fft.irfft(spectra)[:, : bins.counts.size]:
        limit = -0.1 * np.abs(slope).max()
        end = slope.argmin() + np.argmax(slope[slope.argmin() :] > limit)
        cuts.append(bins.start + bins.step * (end - (slope[end] - limit) / (slope[end] - slope[end - 1])))
    assert ks_2samp(cuts, tail_cuts(*bins, (TALLEST, True, 0.1), 2000, np.uint64(1))[0][1:]).pvalue > 0.01

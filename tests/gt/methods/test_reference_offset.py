from __future__ import annotations

import numpy as np
import pytest

from il2cyto.gt.methods import METHODS
from il2cyto.template._cuts import ReferenceOffsetGate

propose = METHODS["reference_offset"]


def fit(reference, seed=0, values=(), **changes):
    fields = {"method": "reference_offset", "channel": "CD25", "reference": "CD8", "bounds": (-100, 5000), **changes}
    gate = ReferenceOffsetGate.model_validate(fields)
    return propose(np.asarray(values, dtype=np.float64), gate, reference, np.random.default_rng(seed))


def test_the_cut_is_the_median_plus_k_mads():
    x = np.random.default_rng(1).gamma(3.0, size=999)
    expected = np.median(x) - 1.5 * 1.4826 * np.median(np.abs(x - np.median(x)))
    assert fit(x, k=-1.5).cuts["cut"].value == pytest.approx(expected, rel=1e-12)
    assert fit(x, q=0.99).cuts["cut"].value == np.quantile(x, 0.99)


@pytest.mark.parametrize("k", [-1.5, 0, 3])
def test_the_spread_is_that_of_resampling_the_reference(k):
    x = np.random.default_rng(2).gamma(3.0, size=1500)
    rng = np.random.default_rng(3)
    draws = rng.choice(x, (2000, x.size))
    medians = np.median(draws, axis=1)
    cuts = medians + k * 1.4826 * np.median(np.abs(draws - medians[:, None]), axis=1)
    ours = [fit(x, k=k, seed=seed).cuts["cut"] for seed in range(30)]
    assert np.mean([cut.spread for cut in ours]) == pytest.approx(cuts.std(), rel=0.2)
    for cut, level in (("q05", 0.05), ("q95", 0.95)):
        assert np.mean([getattr(c, cut) for c in ours]) == pytest.approx(np.quantile(cuts, level), abs=0.3 * cuts.std())


@pytest.mark.parametrize(("replicate", "upper_half", "positive"), [("001", 3078, 3108), ("002", 3091, 3118)])
def test_the_bright_cut_by_nk_cells_is_stable(lyoplate, replicate, upper_half, positive):
    valleys = {"001": (1672.5, 1852.8), "002": (1674.5, 1869.8)}[replicate]
    nk = lyoplate[replicate].of("CD56") >= valleys[0]
    cd56, cd16 = lyoplate[replicate].of("CD56")[nk], lyoplate[replicate].of("CD16")[nk]
    for members, expected in ((cd16 >= np.median(cd16), upper_half), (cd16 >= valleys[1], positive)):
        cut = fit(cd56[members], k=2.5).cuts["cut"]
        spread = np.mean([fit(cd56[members], k=2.5, seed=seed).cuts["cut"].spread for seed in range(20)])
        assert cut.value == pytest.approx(expected, abs=1)
        assert cut.q95 - cut.q05 < 0.055 * 4096 / 4
        assert 10 < spread < 17  # resampling the cells themselves gives 11.0 to 14.6
        assert cut.missing == 0
    bright = np.mean((cd56 >= upper_half) & (cd16 < valleys[1]))
    assert 0.03 < bright < 0.07


def test_the_parents_own_events_do_not_move_the_cut():
    x = np.random.default_rng(4).normal(0, 1, 500)
    assert repr(fit(x, k=3)) == repr(fit(x, k=3, values=[1e6, np.nan]))  # as text: NaN equals NaN


def test_shift_scale_and_order():
    x = np.random.default_rng(5).normal(10, 2, 3000)
    base, moved = fit(x, k=3).cuts["cut"], fit(4 * x + 1, k=3).cuts["cut"]
    assert moved.value == pytest.approx(4 * base.value + 1, rel=1e-12)
    assert moved.spread == pytest.approx(4 * base.spread, rel=1e-6)
    assert repr(fit(x[::-1].copy(), k=3)) == repr(fit(x, k=3))


def test_far_outliers_do_not_matter():
    x = np.random.default_rng(6).normal(0, 1, 5000)
    x[:10] = 1e12
    cut = fit(x, k=3).cuts["cut"]
    assert cut.value == pytest.approx(3, abs=0.15)
    assert cut.spread < 0.1


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        (None, "too few reference events: 0, at least 100 are needed"),
        (np.append(np.arange(99.0), [np.nan] * 9), "too few reference events: 99, at least 100 are needed"),
        (np.append(np.zeros(80), np.ones(70)), "more than half of the reference events have the same value: MAD is 0"),
        (np.arange(4000.0), "cut 6447.3 is outside the bounds -100 to 5000"),
    ],
)
def test_a_reference_that_places_no_cut_says_why(reference, reason):
    proposal = fit(reference, k=3)
    assert not proposal.found
    assert proposal.reason == reason

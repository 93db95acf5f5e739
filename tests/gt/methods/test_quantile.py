from __future__ import annotations

import numpy as np
import pytest

from il2cyto.gt.methods import METHODS
from il2cyto.template._cuts import QuantileGate

propose = METHODS["quantile"]


def fit(values, q, bounds=(-10.0, 10.0), seed=0):
    gate = QuantileGate(method="quantile", channel="CD25", q=q, bounds=bounds)
    return propose(np.asarray(values, dtype=np.float64), gate, None, np.random.default_rng(seed))


def test_the_cut_is_numpys_linear_quantile():
    x = np.random.default_rng(1).normal(size=1001)
    for q in (0.05, 0.5, 0.995):
        assert fit(x, q).cuts["cut"].value == np.quantile(x, q)


def test_the_spread_is_that_of_resampling_the_events():
    x = np.random.default_rng(2).normal(size=2000)
    rng = np.random.default_rng(3)
    resampled = [np.quantile(rng.choice(x, x.size), 0.95) for _ in range(2000)]
    ours = np.array([fit(x, 0.95, seed=seed).cuts["cut"] for seed in range(40)])
    assert np.mean([cut.q05 for cut in ours]) == pytest.approx(np.quantile(resampled, 0.05), abs=0.015)
    assert np.mean([cut.q95 for cut in ours]) == pytest.approx(np.quantile(resampled, 0.95), abs=0.015)
    assert np.mean([cut.spread for cut in ours]) == pytest.approx(np.std(resampled), rel=0.25)


def test_a_quantile_needs_an_event_beyond_it():
    assert fit(np.arange(10) / 10, 0.9).found
    assert fit(np.arange(9) / 10, 0.9).reason == "too few events: 9, quantile 0.9 needs 10"
    assert fit(np.arange(9) / 10, 0.1).reason == "too few events: 9, quantile 0.1 needs 10"
    assert fit([], 0.5).reason == "too few events: 0, quantile 0.5 needs 2"
    assert fit([np.nan, 1.0], 0.5).reason == "too few events: 1, quantile 0.5 needs 2"


def test_a_cut_outside_the_bounds_fails():
    proposal = fit(np.arange(101.0), 0.5)
    assert not proposal.found
    assert proposal.reason == "cut 50 is outside the bounds -10 to 10"

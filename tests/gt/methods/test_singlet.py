from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from il2cyto.gt.methods import METHODS
from il2cyto.template._cuts import SingletGate

propose = METHODS["singlet"]
COORDINATES = ["intercept", "slope", "width", "centre", "sxx", "n"]


def fit(area, height, level=0.99):
    gate = SingletGate(method="singlet", area="FSC-A", height="FSC-H", level=level)
    return propose(np.column_stack([area, height]).astype(np.float64), gate, None, np.random.default_rng(0))


def cells(n=20_000, doublets=0.08, seed=0):
    rng = np.random.default_rng(seed)
    area = rng.lognormal(11, 0.3, n)
    height = 1000 + 0.8 * area + rng.normal(0, 2000, n)
    doublet = rng.random(n) < doublets
    area[doublet] *= 1.9
    return area, height, doublet


def inside(proposal, area, height):
    c = {name: cut.value for name, cut in proposal.cuts.items()}
    leverage = 1 / c["n"] + (area - c["centre"]) ** 2 / c["sxx"]
    return np.abs(height - c["intercept"] - c["slope"] * area) <= c["width"] * np.sqrt(1 + leverage)


@pytest.mark.parametrize(("doublets", "tolerance"), [(0.01, 0.003), (0.05, 0.003), (0.15, 0.003), (0.3, 0.005)])
def test_a_known_line_is_recovered_in_spite_of_doublets(doublets, tolerance):
    area, height, doublet = cells(doublets=doublets)
    proposal = fit(area, height)
    assert list(proposal.cuts) == COORDINATES
    slope = proposal.cuts["slope"].value
    assert slope == pytest.approx(0.8, abs=tolerance)
    assert abs(slope - 0.8) < 0.2 * abs(np.polyfit(area, height, 1)[0] - 0.8)
    assert np.mean(inside(proposal, area, height)[~doublet]) > 0.985
    assert np.mean(inside(proposal, area, height)[doublet]) < 0.01


def test_without_doublets_it_is_the_least_squares_line_with_normal_errors():
    area, height, _ = cells(doublets=0)
    cuts = fit(area, height, level=0.95).cuts
    slope, intercept = np.polyfit(area, height, 1)
    assert cuts["slope"].value == pytest.approx(slope, abs=2 * cuts["slope"].spread)
    assert cuts["intercept"].value == pytest.approx(intercept, abs=2 * cuts["intercept"].spread)
    assert cuts["width"].value == pytest.approx(1.959964 * 2000, rel=0.03)
    assert cuts["centre"].value == pytest.approx(area.mean())
    assert cuts["sxx"].value == pytest.approx(area.var() * area.size)
    assert cuts["n"].value == area.size
    assert np.mean(inside(fit(area, height, level=0.95), area, height)) == pytest.approx(0.95, abs=0.005)


def test_the_fit_is_the_bisquares_fixed_point():
    area, height, _ = cells(4000)
    cuts = fit(area, height).cuts
    residuals = height - cuts["intercept"].value - cuts["slope"].value * area
    scale = 1.4826 * np.median(np.abs(residuals))
    u = residuals / (4.685 * scale)
    psi = np.where(np.abs(u) < 1, u * (1 - u**2) ** 2, 0)
    # Tukey's estimate is where these residuals are orthogonal to the line's two columns.
    assert np.mean(psi) == pytest.approx(0, abs=1e-4)
    assert np.mean(psi * (area - area.mean()) / area.std()) == pytest.approx(0, abs=1e-4)
    assert cuts["width"].value == pytest.approx(norm.ppf(0.995) * scale, rel=1e-3)


def test_spreads_are_those_of_fresh_samples():
    fits = [fit(*cells(1000, 0, seed)[:2]).cuts for seed in range(80)]
    for name in ("intercept", "slope", "width"):
        between = np.std([cuts[name].value for cuts in fits])
        assert np.median([cuts[name].spread for cuts in fits]) == pytest.approx(between, rel=0.3)


def test_scaling_an_axis_scales_the_line():
    area, height, _ = cells()
    base, scaled = fit(area, height).cuts, fit(area / 4, height * 2 + 100).cuts
    assert scaled["slope"].value == pytest.approx(8 * base["slope"].value, rel=1e-6)
    assert scaled["intercept"].value == pytest.approx(2 * base["intercept"].value + 100, rel=1e-4)
    assert scaled["width"].value == pytest.approx(2 * base["width"].value, rel=1e-6)


def test_order_of_events_and_non_finite_rows_do_not_matter():
    area, height, _ = cells(5000)
    base = fit(area, height).cuts["slope"].value
    assert fit(area[::-1], height[::-1]).cuts["slope"].value == pytest.approx(base, rel=1e-9)
    dirty = fit(np.append(area, [np.nan, 1.0]), np.append(height, [1.0, np.inf]))
    assert repr(dirty) == repr(fit(area, height))  # as text: NaN equals NaN


LINE = np.linspace(1, 100, 200)
NOISE = np.random.default_rng(1).normal(0, 5, 200)


@pytest.mark.parametrize(
    ("area", "height", "reason"),
    [
        (LINE[:19], LINE[:19], "too few events: 19, at least 20 are needed"),
        (np.ones(200), LINE, "all events have the same area"),
        (LINE, 300 - LINE + NOISE, "slope -1.01 of height on area is not positive"),
        (LINE, 2 * LINE, "more than half of the events lie exactly on a line: their spread is 0"),
    ],
)
def test_events_that_show_no_line_fail(area, height, reason):
    proposal = fit(area, height)
    assert not proposal.found
    assert list(proposal.cuts) == COORDINATES
    assert proposal.reason == reason

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from il2cyto.gt.methods import METHODS
from il2cyto.template import ReferenceLineGate

propose = METHODS["reference_line"]


def fit(reference, values=(), **changes):
    fields = {
        "method": "reference_line", "channels": ["CD8", "CD56"], "reference": "dim", "k": 2, "pivot": 5, "bounds": (-100, 100),
        **changes,
    }  # fmt: skip
    gate = ReferenceLineGate.model_validate(fields)
    return propose(np.asarray(values, dtype=np.float64), gate, reference, np.random.default_rng(0))


def cells(n=2000, seed=1):
    rng = np.random.default_rng(seed)
    x = rng.normal(4, 1, n)
    return np.column_stack([x, 1 + 0.5 * x + rng.normal(0, 0.3, n)])


def test_the_line_is_the_bisquare_regression_of_statsmodels_and_the_cut_k_mads_and_the_shift_above_it():
    points = cells()
    points[:100] += [-2, 3]  # another population, above the line
    x, y = points.T
    model = sm.RLM(y, sm.add_constant(x), M=sm.robust.norms.TukeyBiweight()).fit(scale_est=sm.robust.scale.mad)
    found = fit(points, k=2, shift=0.7).cuts
    residuals = y - model.fittedvalues
    scale = 1.4826 * np.median(np.abs(residuals))
    assert found["slope"].value == pytest.approx(model.params[1], abs=0.002)
    assert found["cut"].value == pytest.approx(model.params @ [1, 5] + 2 * scale + 0.7, abs=0.01)


def test_the_spread_is_that_of_other_samples_of_the_same_cells():
    found = [fit(cells(500, seed), k=1, shift=0.1).cuts for seed in range(200)]
    for name in ("cut", "slope"):
        values = [cuts[name].value for cuts in found]
        assert np.mean([cuts[name].spread for cuts in found]) == pytest.approx(np.std(values), rel=0.2)


def test_the_line_moves_and_stretches_with_the_cells():
    points = cells()
    base = fit(points).cuts
    moved = fit(points * [1, 10] + [0, 3], bounds=(-1000, 1000)).cuts
    assert moved["slope"].value == pytest.approx(10 * base["slope"].value)
    assert moved["cut"].value == pytest.approx(10 * base["cut"].value + 3)
    aside = fit(points + np.array([2, 0]), pivot=7).cuts
    assert aside["cut"].value == pytest.approx(base["cut"].value)


def test_a_few_bright_cells_in_the_reference_hardly_move_it():
    points = cells()
    bright = points.copy()
    bright[:200] = [2.0, 5.0]
    before, after = fit(points).cuts, fit(bright).cuts
    assert abs(after["cut"].value - before["cut"].value) < 0.15
    ordinary = np.polyfit(bright[:, 0], bright[:, 1], 1)[0]
    assert abs(after["slope"].value - 0.5) < abs(ordinary - 0.5) / 5


@pytest.mark.parametrize(
    ("reference", "changes", "reason"),
    [
        (cells(99), {}, "too few reference events: 99, at least 100 are needed"),
        (cells() * [0, 1], {}, "more than half of the reference events have the same x"),
        (cells() * [1, 0], {}, "more than half of the reference events lie exactly on a line: their spread is 0"),
        (cells(), {"bounds": (0, 1)}, "cut 4.0791 is outside the bounds 0 to 1"),
    ],
)
def test_what_cannot_be_fitted_has_no_cut_and_a_reason(reference, changes, reason):
    proposal = fit(reference, **changes)
    assert np.isnan([cut.value for cut in proposal.cuts.values()]).all()
    assert set(proposal.cuts) == {"cut", "slope"}
    assert proposal.reason == reason


def test_a_line_without_a_distance_is_refused():
    with pytest.raises(ValueError, match="give k \\(MADs above the line\\), shift \\(on the scale of y\\), or both"):
        fit(cells(), k=0)

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from il2cyto.errors import StudyError
from il2cyto.tl import ancova, power_by_simulation, power_of_proportions, proportions_p


def test_the_exact_power_of_the_published_trial_is_known() -> None:
    assert power_of_proportions(0.5517, 30, 0.30, 30, test="pearson") == pytest.approx(0.512, abs=5e-4)
    assert power_of_proportions(0.5517, 30, 0.30, 30, test="fisher") == pytest.approx(0.407, abs=5e-4)


def draw_responses(rng: np.random.Generator) -> tuple[int, int]:
    return int(rng.binomial(30, 0.5517)), int(rng.binomial(30, 0.30))


def test_simulated_power_agrees_with_the_exact_one() -> None:
    def analyse(x: tuple[int, int]) -> dict[str, float]:
        return {test: proportions_p(x[0], 30, x[1], 30, test=test) for test in ("pearson", "fisher")}

    table = power_by_simulation(draw_responses, analyse, runs=1500, seed=4)

    for row, exact in zip(table.iter_rows(named=True), (0.512, 0.407), strict=True):
        assert row["power"] == pytest.approx(exact, abs=3.3 * row["se"])
        assert row["power"] == row["rejections"] / 1500
        assert row["ci_low"] < exact < row["ci_high"]


def test_the_power_of_a_normal_comparison_is_that_of_the_non_central_t() -> None:
    """Without a relation to baseline the ANCOVA of 25 v 25 is a t test on 47 df."""
    treated = np.repeat([True, False], 25)

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return rng.normal(0.7 * treated, 1), rng.normal(size=50)

    table = power_by_simulation(
        draw, lambda trial: {"ancova": ancova(*trial, treated, se="classical").p}, runs=1500, seed=0
    )

    shift, limit = 0.7 / np.sqrt(2 / 25), stats.t.ppf(0.975, 47)
    exact = stats.nct.sf(limit, 47, shift) + stats.nct.cdf(-limit, 47, shift)
    # The chance relation to baseline costs a little over 1 % of the information.
    assert table["power"].item() == pytest.approx(exact, abs=0.04)


def test_more_runs_keep_the_first_ones_and_a_seed_is_a_table() -> None:
    seen: list[float] = []

    def remember(value: float) -> dict[str, float]:
        seen.append(value)
        return {"p": value}

    first = power_by_simulation(lambda rng: float(rng.random()), remember, runs=20, seed=3)
    again = power_by_simulation(lambda rng: float(rng.random()), remember, runs=30, seed=3)

    assert seen[:20] == seen[20:40]
    assert len(set(seen)) == 30
    assert first["runs"].item() + again["runs"].item() == 50


def test_a_p_value_that_is_not_there_rejects_nothing_and_is_counted() -> None:
    p = iter([{"a": 0.01, "b": np.nan}, {"a": 0.05}, {"a": 0.051, "b": 0.001}])

    table = power_by_simulation(lambda rng: None, lambda _: next(p), runs=3, seed=0)

    assert table.select("test", "not_estimable", "rejections").rows() == [("a", 0, 2), ("b", 2, 1)]


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(StudyError) as e:
        power_by_simulation(lambda rng: None, lambda _: {}, runs=0, seed=0)
    assert str(e.value) == "power_by_simulation: runs is 0; allowed is 1 or more."
    with pytest.raises(StudyError) as e:
        power_of_proportions(55.0, 30, 0.3, 30)
    assert str(e.value) == "power_of_proportions: proportions are 55.0 and 0.3; allowed is 0 to 1."

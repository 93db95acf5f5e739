from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from il2cyto.tl import adjust_contrasts, benjamini_hochberg, holm

P = np.array([0.012, 0.2, 0.004, 0.049, 0.049, 0.9, 0.03])


def test_holm_equals_statsmodels_and_benjamini_hochberg_scipy() -> None:
    np.testing.assert_allclose(holm(P), multipletests(P, method="holm")[1], rtol=1e-12)
    np.testing.assert_allclose(benjamini_hochberg(P), stats.false_discovery_control(P), rtol=1e-12)


def test_holm_is_the_closed_test_of_all_intersections_by_bonferroni() -> None:
    p = P[:5]
    subsets = [set(s) for k in range(1, 6) for s in itertools.combinations(range(5), k)]
    closed = [max(min(1.0, len(s) * min(p[j] for j in s)) for s in subsets if i in s) for i in range(5)]

    np.testing.assert_allclose(holm(p), closed, rtol=1e-12)


def test_the_order_of_hypotheses_does_not_matter() -> None:
    order = np.random.default_rng(0).permutation(len(P))

    for adjust in (holm, benjamini_hochberg):
        np.testing.assert_array_equal(adjust(P[order]), adjust(P)[order])


def test_a_test_that_failed_still_counts_as_a_hypothesis() -> None:
    for adjust in (holm, benjamini_hochberg):
        with_nan, with_one = adjust([*P, np.nan]), adjust([*P, 1.0])
        assert np.isnan(with_nan[-1])
        np.testing.assert_array_equal(with_nan[:-1], with_one[:-1])
    assert len(holm([])) == 0


def contrasts() -> pl.DataFrame:
    rows = [
        ("CD4", "W12", "primary", "mmrm", 0.2),
        ("CD8", "W12", "primary", "mmrm", None),
        ("Treg", "W12", "primary", "mmrm", 0.004),
        ("NK", "W12", "primary", "mmrm", 0.02),
        ("Treg", "W2", "exploratory", "mmrm", 0.01),
        ("NK", "W2", "exploratory", "mmrm", 0.03),
        ("Treg", "W12", "sensitivity", "ancova", 0.006),
    ]
    return pl.DataFrame(rows, schema=["population", "visit", "role", "model", "p"], orient="row")


def test_primary_contrasts_get_holm_and_each_other_role_and_model_its_own_false_discovery_rate() -> None:
    table = adjust_contrasts(contrasts())

    np.testing.assert_allclose(table["p_adjusted"], [0.4, np.nan, 0.016, 0.06, 0.02, 0.03, 0.006], rtol=1e-12)
    assert table["p"].equals(contrasts()["p"])
    assert table["adjustment"].to_list() == ["holm"] * 4 + ["benjamini-hochberg (exploratory)"] * 3


def test_gating_on_the_omnibus_test_can_only_raise_primary_p_values() -> None:
    gated = adjust_contrasts(contrasts(), omnibus={"Treg": 0.001, "NK": 0.04})
    plain = adjust_contrasts(contrasts())

    # CD4 has no omnibus test: it cannot be significant.
    np.testing.assert_allclose(gated["p_adjusted"][:4], [1.0, np.nan, 0.016, 0.12], rtol=1e-12)
    assert gated["p_adjusted"][4:].equals(plain["p_adjusted"][4:])
    assert gated["adjustment"].unique().sort().to_list() == [
        "benjamini-hochberg (exploratory)",
        "holm, gated by omnibus",
    ]


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_adjusted_p_values_lie_between_the_raw_ones_and_one(adjust) -> None:
    p = np.random.default_rng(2).random(40)

    assert ((adjust(p) >= p) & (adjust(p) <= 1)).all()

"""From counts to logits and back: empirical logit, odds ratios, fractions, one model per population."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_equal
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import norm

from il2cyto import tl
from il2cyto.errors import ModelError
from tests.tl._mmrm_data import ROLES, simulate

if TYPE_CHECKING:
    from collections.abc import Sequence


def counts(subjects: int = 16) -> pl.DataFrame:
    """Simulated counts of two populations at weeks 0, 2 and 12."""
    rng = np.random.default_rng(7)
    rows = []
    for subject in range(subjects):
        level = rng.normal(-2.5, 0.5)
        for week in (0, 2, 12):
            for population, parent, n in (("Treg", "CD4", 4000), ("NK", "lymphocytes", 20000)):
                share = expit(level + rng.normal(0, 0.2) + 0.4 * (week > 0) * (subject % 2))
                arm = ("placebo", "IL-2")[subject % 2]
                rows.append(
                    (f"S{subject}", f"W{week}", float(week), arm, population, parent, rng.binomial(n, share), n)
                )
    names = ["subject", "visit", "week", "arm", "population", "parent", "count", "parent_count"]
    return pl.DataFrame(rows, schema=names, orient="row")


def test_the_empirical_logit_is_symmetric_finite_and_missing_where_the_count_is() -> None:
    assert_allclose(tl.empirical_logit([3, 97], 100), [np.log(3.5 / 97.5), np.log(97.5 / 3.5)])
    assert np.isfinite(tl.empirical_logit([0, 10], [10, 10])).all()
    assert_equal(tl.empirical_logit([None, np.nan, 0, 1], [10, 10, 0, None]), np.full(4, np.nan))
    with pytest.raises(ModelError) as e:
        tl.empirical_logit([-1, 5, 11], [10, 10, 10])
    assert str(e.value) == "empirical_logit: 2 of 3 counts are negative or above their parent's."


def mean_fraction(result: tl.MMRMResult, bases: list[float], arm: int, shift: float = 0.0) -> float:
    """At week 4, by numerical integration; `shift` is added to every subject's logit."""
    b = dict(result.coefficients.select("term", "estimate").rows())
    sd = np.sqrt(result.covariance["4"][1])
    fixed = b["(Intercept)"] + b["week4"] + arm * (b["arm1"] + b["arm1:week4"]) + shift
    linear = fixed + np.array(bases) * (b["base"] + b["base:week4"])
    return float(quad(lambda z: np.mean(expit(linear + sd * z)) * norm.pdf(z), -12, 12)[0])


def test_mean_fractions_integrate_over_subjects_and_residuals() -> None:
    frame = simulate(20, 2, missing=0.1)
    bases = frame.unique("subject")["base"].to_list()
    result = tl.mmrm(frame, **ROLES, covariates=["base"], by_visit=["base"])

    fractions = result.mean_fractions(draws=10)

    means, gaps = fractions.means.filter(visit=4)["mean"], fractions.differences.filter(visit=4)["difference"]
    assert_allclose(means, [mean_fraction(result, bases, arm) for arm in (0, 1)], rtol=1e-6)
    assert_allclose(gaps, means[1] - means[0])


def test_the_bootstrap_is_that_of_its_seed_and_as_wide_as_the_delta_method_says() -> None:
    frame = simulate(40, 2)
    bases = frame.unique("subject")["base"].to_list()
    result = tl.mmrm(frame, **ROLES, covariates=["base"], by_visit=["base"])

    one, same, other = (result.mean_fractions(seed=seed, draws=4000) for seed in (1, 1, 2))

    assert one.means.equals(same.means)
    assert one.differences.equals(same.differences)
    assert not one.means.equals(other.means)
    slope = (mean_fraction(result, bases, 1, 1e-4) - mean_fraction(result, bases, 1, -1e-4)) / 2e-4
    half = 1.96 * slope * result.means.filter(arm=1, visit=4)["se"].item()
    row = one.means.filter(arm=1, visit=4).row(0, named=True)
    assert_allclose([row["ci_low"], row["ci_high"]], [row["mean"] - half, row["mean"] + half], atol=0.1 * half)


def test_odds_ratios_and_medians_are_transformed_limits() -> None:
    result = tl.mmrm(simulate(20, 2), **ROLES)

    ratios, medians = result.odds_ratios(), result.medians()

    limits = ["estimate", "ci_low", "ci_high"]
    assert_allclose(ratios[["odds_ratio", "or_low", "or_high"]], np.exp(result.contrasts[limits].to_numpy()))
    assert_allclose(medians[["median", "ci_low", "ci_high"]], expit(result.means[limits].to_numpy()))


def test_each_population_has_the_model_of_its_logits() -> None:
    frame = counts()
    logit = tl.empirical_logit(frame["count"].to_numpy(), frame["parent_count"].to_numpy())
    treg = frame.with_columns(y=pl.Series(logit)).filter(population="Treg")
    base = treg.filter(visit="W0").select("subject", base="y")
    roles: dict[str, Any] = {"response": "y", "subject": "subject", "visit": "visit", "arm": "arm"}
    alone = tl.mmrm(
        treg.filter(pl.col("visit") != "W0").join(base, on="subject"), **roles, covariates=["base"], control="placebo"
    )

    models = tl.population_mmrm(frame, baseline="W0", primary_visit="W12", control="placebo")

    table = models.contrasts.filter(population="Treg")
    names = ["estimate", "se", "df", "p", "ci_low", "ci_high"]
    assert_allclose(table[names], alone.contrasts[names])
    assert_allclose(
        table[["odds_ratio", "or_low", "or_high"]], alone.odds_ratios()[["odds_ratio", "or_low", "or_high"]]
    )
    keys = ["population", "denominator", "visit", "week", "contrast", "role", "n_treatment", "n_control", "flags"]
    assert table[keys].rows() == [
        ("Treg", "CD4", "W2", 2.0, "IL-2 - placebo", "secondary", 8, 8, ""),
        ("Treg", "CD4", "W12", 12.0, "IL-2 - placebo", "primary", 8, 8, ""),
    ]
    means = models.means.filter(population="Treg")
    assert_allclose(means[["mean", "ci_low", "ci_high"]], alone.medians()[["median", "ci_low", "ci_high"]])
    assert means[["arm", "visit", "week", "kind", "n"]].row(0) == ("placebo", "W2", 2.0, "model", 8)
    assert set(models.models) == {("Treg", "CD4"), ("NK", "lymphocytes")}


def test_replicates_are_averaged_and_samples_that_are_not_evaluable_are_missing() -> None:
    frame = counts().with_columns(frequency=pl.col("count") / pl.col("parent_count"))
    first = (pl.col("subject") == "S3") & (pl.col("visit") == "W12")
    failed = frame.with_columns(frequency=pl.when(first).then(np.nan).otherwise("frequency"))

    plain, twice, gone, left_out = (
        tl.population_mmrm(f, baseline="W0", control="placebo").contrasts
        for f in (frame, pl.concat([frame, frame.filter(first)]), failed, frame.filter(~first))
    )

    assert_allclose(twice["estimate"], plain["estimate"])
    assert gone.drop("n_treatment").equals(left_out.drop("n_treatment"))
    assert gone.filter(visit="W12")["n_treatment"].to_list() == [7, 7]


def test_p_values_are_adjusted_over_populations_at_the_primary_visit() -> None:
    frame = counts().with_columns(parent=pl.lit("lymphocytes"))
    seen: list[Sequence[float]] = []

    def bonferroni(p: Sequence[float]) -> list[float]:
        seen.append(p)
        return [min(1.0, len(p) * value) for value in p]

    table = tl.population_mmrm(
        frame, baseline="W0", primary_visit="W12", control="placebo", adjust=bonferroni, adjustment="Bonferroni"
    ).contrasts

    primary = table.filter(role="primary")
    assert seen == [primary["p"].to_list()]
    assert primary["p_adjusted"].to_list() == [min(1.0, 2 * p) for p in primary["p"]]
    assert primary["adjustment"].to_list() == ["Bonferroni"] * 2
    assert table.filter(role="secondary")[["p_adjusted", "adjustment"]].rows() == [(None, None)] * 2


def test_a_population_without_values_is_nan_with_a_flag_and_a_reason() -> None:
    frame = counts().with_columns(count=pl.when(pl.col("population") == "NK").then(None).otherwise("count"))

    models = tl.population_mmrm(frame, baseline="W0", control="placebo")

    nk = models.contrasts.filter(population="NK")
    assert nk["flags"].to_list() == ["not_fitted"] * 2
    assert nk.select(pl.col("estimate", "p", "odds_ratio").is_nan().all()).row(0) == (True,) * 3
    assert models.means.filter(population="NK")["mean"].is_nan().all()
    assert models.problems == {("NK", "lymphocytes"): "mmrm: the response 'logit' has no value in any of 32 rows."}


def test_a_wrong_table_of_counts_is_refused_in_words() -> None:
    with pytest.raises(ModelError) as e:
        tl.population_mmrm(counts().drop("arm", "count"), baseline="W0")
    assert str(e.value) == (
        "population_mmrm: no column arm, count; the frame has subject, visit, week, population, parent, parent_count."
    )
    with pytest.raises(ModelError) as e:
        tl.population_mmrm(counts(), baseline="W1", primary_visit="W24")
    assert str(e.value) == "population_mmrm: no visit 'W1', 'W24'; the frame has W0, W2, W12."

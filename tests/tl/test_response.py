from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm

from il2cyto.errors import StudyError
from il2cyto.tl import response_association, roc_auc, spearman
from tests.tl._trial import make_binary, make_continuous, make_frequencies, make_sets

SETS = make_sets()
FREQUENCIES = make_frequencies(SETS)
BINARY = make_binary(SETS)
CONTINUOUS = make_continuous(SETS)


def associate(**changed):
    arguments: dict[str, Any] = {
        "frequencies": FREQUENCIES,
        "binary": BINARY,
        "outcome_visit": "W12",
        "baseline": "W0",
    } | changed
    return response_association(arguments.pop("frequencies"), arguments.pop("binary"), **arguments)


@pytest.fixture(scope="module")
def wide() -> pl.DataFrame:
    """One row per subject: Treg logit at each visit, response at week 12, change in activity."""
    logit = ((pl.col("count") + 0.5) / (pl.col("parent_count") - pl.col("count") + 0.5)).log()
    treg = (
        FREQUENCIES.filter(population="Treg").with_columns(logit=logit).pivot("visit", index="subject", values="logit")
    )
    response = BINARY.filter(endpoint="sri4", visit="W12").select("subject", "value")
    activity = CONTINUOUS.pivot("visit", index="subject", values="value").select(
        "subject", activity=pl.col("W12") - pl.col("W0")
    )
    arms = SETS.select("subject", pl.col("arm").cast(pl.String))
    return arms.join(treg, on="subject").join(response, on="subject").join(activity, on="subject")


def row(table: pl.DataFrame, **key: str) -> dict:
    return table.filter(population="Treg", **key).row(0, named=True)


def estimates(found: dict) -> list[float]:
    return [found[name] for name in ("n", "estimate", "ci_low", "ci_high", "p")]


def test_predictors_are_baseline_and_change_before_the_outcome(wide: pl.DataFrame) -> None:
    table = associate(continuous=CONTINUOUS)
    change, arm = (wide["W6"] - wide["W0"]).to_numpy(), wide["arm"].to_numpy()
    status = wide["value"].to_numpy()

    baseline = row(table, visit="W0", arm="all", measure="auc_baseline")
    assert estimates(baseline) == pytest.approx(list(roc_auc(wide["W0"], status, strata=arm)), rel=1e-9)
    later = row(table, visit="W6", arm="IL-2", measure="auc_change")
    treated = arm == "IL-2"
    assert estimates(later) == pytest.approx(list(roc_auc(change[treated], status[treated])), rel=1e-9)
    correlation = row(table, visit="W6", arm="all", measure="spearman_sledai")
    expected = spearman(change, wide["activity"], strata=arm)
    assert estimates(correlation) == pytest.approx(list(expected), rel=1e-9)
    predictors = table.filter(pl.col("measure") != "difference")
    assert set(predictors["visit"]) == {"W0", "W6"}
    assert set(table["label"]) == {"exploratory"}


def test_the_difference_is_adjusted_for_the_arm_and_described_at_every_visit(wide: pl.DataFrame) -> None:
    table = associate()
    change = (wide["W12"] - wide["W0"]).to_numpy()
    design = np.column_stack([np.ones(24), wide["value"], wide["arm"] == "placebo"]).astype(float)
    fit = sm.OLS(change, design).fit(cov_type="HC3", use_t=True)

    found = row(table, visit="W12", arm="all", measure="difference")

    assert estimates(found) == pytest.approx([24, fit.params[1], *fit.conf_int()[1], fit.pvalues[1]], rel=1e-9)
    assert set(table.filter(measure="difference")["visit"]) == {"W0", "W6", "W12"}
    assert "spearman_sledai" not in set(table["measure"])


def test_an_effect_of_the_drug_alone_is_no_association() -> None:
    """Moving every treated subject's frequencies leaves all that is adjusted for the arm as it was, and within arms."""
    logit = (pl.col("count") / (pl.col("parent_count") - pl.col("count"))).log() + 2.0 * (pl.col("week") > 0)
    moved = FREQUENCIES.with_columns(
        count=pl.when(pl.col("arm") == "IL-2").then(pl.col("parent_count") / (1 + (-logit).exp())).otherwise("count")
    )
    first, second = associate(), associate(frequencies=moved)

    # The half that is added to the counts moves a little with them.
    np.testing.assert_allclose(first["estimate"], second["estimate"], atol=0.01)


def test_a_hundred_times_as_many_cells_is_no_more_evidence() -> None:
    few, many = associate(), associate(frequencies=make_frequencies(SETS, cells=100))

    np.testing.assert_allclose(few["p"], many["p"], atol=0.01)


def test_an_exposure_after_the_outcome_is_refused() -> None:
    with pytest.raises(StudyError) as e:
        associate(outcome_visit="W6", exposure_visits=["W6", "W12"])
    assert str(e.value) == (
        "response_association: exposure at W6, W12 does not lie between baseline W0 and the outcome at W6; allowed are no "
        "visits."
    )
    with pytest.raises(StudyError) as e:
        associate(frequencies=FREQUENCIES.with_columns(week=pl.lit(None, pl.Float64)))
    assert str(e.value) == (
        "response_association: no week for visit W0, W6, W12; without it nothing says what came before the outcome."
    )


def test_pooling_subjects_without_arms_is_refused() -> None:
    with pytest.raises(StudyError) as e:
        associate(frequencies=FREQUENCIES.with_columns(arm=pl.lit(None, FREQUENCIES.schema["arm"])))
    assert str(e.value) == (
        "response_association: no subject has an arm; subjects are not pooled without adjustment. Join the arms first."
    )


def test_unknown_endpoints_are_named() -> None:
    with pytest.raises(StudyError) as e:
        associate(endpoint="sri5")
    assert str(e.value) == "response_association: no endpoint 'sri5' at W12; endpoints are remission, sri4."
    with pytest.raises(StudyError) as e:
        associate(continuous=CONTINUOUS, activity="bilag")
    assert (
        str(e.value) == "response_association: no 'bilag' at W0 and W12; the correlation needs its change between them."
    )


def test_where_all_respond_nothing_is_estimable() -> None:
    everybody = BINARY.with_columns(value=pl.lit(value=True))

    table = associate(binary=everybody)

    assert table["estimate"].is_nan().all()
    assert table["p"].is_nan().all()


def test_two_denominators_of_a_population_are_not_averaged() -> None:
    both = pl.concat([FREQUENCIES, FREQUENCIES.filter(population="Treg").with_columns(parent=pl.lit("T"))])

    with pytest.raises(StudyError) as e:
        associate(frequencies=both)
    assert str(e.value).startswith(
        "response_association: 144 rows are not the only one of their population, subject, visit"
    )

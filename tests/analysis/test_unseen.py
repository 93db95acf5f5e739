"""Subjects who were not seen: tipping points, and planned contrasts that nothing can be said of."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest
from scipy import stats

from il2cyto import analysis, datasets, io, tl
from tests.analysis._data import frequencies, trial

LATE = pl.col("visit") == "W12"


def without(subjects: list[str], frame: pl.DataFrame | None = None) -> pl.DataFrame:
    frame = frequencies(24) if frame is None else frame
    return frame.filter(~(pl.col("subject").is_in(subjects) & LATE))


def test_deltas_are_tried_at_the_primary_visit_on_the_logit_with_baseline_and_all_visits() -> None:
    frame = without(["S03", "S04", "S05"])

    table = analysis.analyse(frame, trial=trial()).tables["population_delta"]

    logit = pl.Series("y", tl.empirical_logit(frame["count"].to_numpy(), frame["parent_count"].to_numpy()))
    own = frame.with_columns(logit).filter(population="NK")
    base = own.filter(visit="W0").select("subject", base="y")
    after = own.filter(pl.col("visit") != "W0").with_columns(pl.col("visit").cast(pl.Enum(["W2", "W12"])))
    expected = tl.delta_adjusted(
        after.join(base, on="subject"),
        response="y",
        subject="subject",
        visit="visit",
        arm="arm",
        at="W12",
        control="placebo",
        covariates=["base"],
        deltas=[(-1, 0), (-0.5, 0), (0, 0), (0.5, 0), (1, 0)],
        imputations=200,
    )
    rows = table.filter(population="NK")
    assert rows["delta_treatment"].to_list() == [-1, -0.5, 0, 0.5, 1]
    assert rows.select("n_treatment", "missing_treatment", "n_control", "missing_control").row(0) == (12, 2, 12, 1)
    for name in ("estimate", "se", "df", "p"):
        np.testing.assert_allclose(rows[name], expected[name], rtol=1e-9)
    assert (np.diff(rows["estimate"]) > 0).all()


def test_nothing_is_imputed_where_nothing_is_missing_or_no_delta_is_planned() -> None:
    assert "population_delta" not in analysis.analyse(frequencies(24), trial=trial()).tables
    plan = trial(analysis={"deltas": []})
    assert "population_delta" not in analysis.analyse(without(["S03"]), trial=plan).tables


def test_what_cannot_be_imputed_is_nan_with_a_flag_and_a_reason() -> None:
    frame = frequencies(24).filter(~((pl.col("arm") == "IL-2") & LATE))

    done = analysis.analyse(frame, trial=trial())

    rows = done.tables["population_delta"]
    assert rows["estimate"].is_nan().all()
    assert set(rows["flags"]) == {"not_fitted"}
    assert "12 observed values at visit 2 of 2 do not determine 3 coefficients" in " ".join(done.notices)


def test_an_arm_without_baseline_keeps_its_planned_contrasts_as_nan_with_a_reason() -> None:
    frame = frequencies(24).filter(~((pl.col("arm") == "IL-2") & (pl.col("visit") == "W0")))

    done = analysis.analyse(frame, trial=trial())

    primary = done.tables["population_contrasts"].filter(role="primary")
    assert primary["population"].to_list() == ["Treg", "NK"]
    assert primary["estimate"].is_nan().all()
    assert set(primary["flags"]) == {"not_estimable"}
    assert "NK of lymphocytes: no contrast IL-2 - placebo: nobody in an arm has a value at baseline" in " ".join(
        done.notices
    )


def test_an_estimate_without_variance_says_so() -> None:
    fixed = pl.when(LATE & (pl.col("population") == "NK")).then(500).otherwise("count")
    frame = frequencies(24).with_columns(count=fixed).with_columns(frequency=pl.col("count") / pl.col("parent_count"))

    table = analysis.analyse(frame, trial=trial()).tables["population_contrasts"]

    row = table.filter(population="NK", visit="W12", model="ANCOVA HC3").row(0, named=True)
    assert row["estimate"] == pytest.approx(0, abs=1e-12)
    assert np.isnan([row["se"], row["p"]]).all()
    assert row["flags"] == "no_variance"


def test_the_planned_response_is_tried_with_every_outcome_of_the_missing() -> None:
    study = io.read_trial(datasets.sample_data_path())
    data = io.read_clinical(study)
    assert study.subject_sheet is not None
    assert data.visits is not None
    people = study.subject_sheet["subject"].to_list()
    frame = frequencies(len(people), arms=(None,), weeks=study.weeks)
    frame = frame.with_columns(
        pl.col("subject").replace(dict(zip(frame["subject"].unique(maintain_order=True), people, strict=True)))
    )

    done = analysis.analyse(frame, trial=study, clinical=data)

    table = done.tables["binary_tipping"]
    start = table.row(0, named=True)
    planned = (
        done.tables["binary_contrasts"].filter(endpoint="sri4", set="mitt", rule="nri", visit="W12").row(0, named=True)
    )
    for name in ("x_treatment", "n_treatment", "x_control", "n_control", "risk_difference", "p"):
        assert start[name] == planned[name]
    assert table["responders_treatment"].to_list() == [0, 1]
    last = table.row(-1, named=True)
    counts = [
        [last["x_treatment"], last["n_treatment"] - last["x_treatment"]],
        [last["x_control"], last["n_control"] - last["x_control"]],
    ]
    assert last["p"] == pytest.approx(stats.fisher_exact(counts).pvalue)
    assert "Tipping point of sri4 at W12: of 2 outcomes" in done.methods


def test_an_endpoint_without_any_logarithm_does_not_take_the_others_with_it() -> None:
    study = io.read_trial(datasets.sample_data_path())
    data = io.read_clinical(study)
    assert data.visits is not None
    dry = dataclasses.replace(data, visits=data.visits.with_columns(upe_g_24h=pl.lit(0.0)))

    done = analysis.analyse(frequencies(24), trial=study, clinical=dry)

    endpoints = set(done.tables["continuous_contrasts"]["endpoint"])
    assert "albumin_g_l" in endpoints
    assert "upe_g_24h" not in endpoints
    assert "none is positive to take half of" in " ".join(done.notices)


def test_each_of_two_treatments_has_its_own_rows() -> None:
    frame = without(["S03", "S05"], frequencies(36, arms=("placebo", "low", "high")))

    table = analysis.analyse(frame, trial=trial(arms=("placebo", "low", "high"))).tables["population_delta"]

    assert table.filter(population="NK", delta_treatment=0.0)["contrast"].to_list() == [
        "low - placebo",
        "high - placebo",
    ]
    assert table.filter(population="NK", delta_treatment=0.0)["missing_treatment"].to_list() == [0, 1]

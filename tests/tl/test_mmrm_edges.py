"""`tl.mmrm` where data are missing, not enough or wrong: what it drops, leaves out, falls back to and refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

from il2cyto import tl
from il2cyto.errors import ModelError
from tests.tl._mmrm_data import ROLES, simulate

ESTIMATES = ["estimate", "se", "df", "p"]
FRAME = simulate(24, 3)
SINGULAR = "the data do not identify every variance and correlation: the information matrix is singular"


def test_incomplete_rows_are_dropped_with_every_reason_and_counted() -> None:
    gaps = FRAME.with_row_index().with_columns(
        y=pl.when(pl.col("index") == 1).then(np.nan).when(pl.col("index") == 3).then(np.inf).otherwise("y"),
        base=pl.when(pl.col("index").is_in([1, 8])).then(None).otherwise("base"),
    )

    result = tl.mmrm(gaps, **ROLES, covariates=["base"])

    d = result.diagnostics
    reasons = [(0, 4, "y missing; base missing"), (1, 2, "y missing"), (2, 8, "base missing")]
    assert d.dropped.rows() == reasons
    assert (d.n_subjects, d.n_obs) == (24, 69)
    assert d.patterns.rows() == [("111", 21), ("110", 1), ("101", 1), ("011", 1)]
    assert result.means.filter(arm=0)["n"].to_list() == [12, 11, 11]
    complete = tl.mmrm(gaps.filter(~pl.col("index").is_in([1, 3, 8])), **ROLES, covariates=["base"])
    assert result.contrasts.equals(complete.contrasts)


def test_a_subject_with_one_visit_counts_at_that_visit() -> None:
    alone = FRAME.filter((pl.col("subject") != 5) | (pl.col("week") == 2))

    result = tl.mmrm(alone, **ROLES)

    # Nobody is seen for the first time later: the first visit's contrast is that of all who were seen.
    seen = FRAME.filter(week=2).group_by("arm").agg(pl.col("y").mean()).sort("arm")["y"]
    assert_allclose(result.contrasts["estimate"][0], seen[1] - seen[0])
    assert result.means.filter(arm=1)["n"].to_list() == [12, 11, 11]


@pytest.mark.parametrize("week", [2, 8])
def test_an_arm_that_is_absent_from_a_visit_costs_that_contrast_alone(week: int) -> None:
    frame = FRAME.filter((pl.col("arm") == 0) | (pl.col("week") != week))

    result = tl.mmrm(frame, **ROLES)

    # Arms share nothing but Ω here: the mean of the absent arm is estimable from nobody.
    absent = result.contrasts.filter(visit=week)
    assert absent.select(pl.col(ESTIMATES).is_nan().all()).row(0) == (True,) * 4
    others = frame.filter(pl.col("week") != week).group_by("week", "arm").agg(pl.col("y").mean()).sort("week", "arm")
    gaps = np.diff(others["y"].to_numpy().reshape(2, 2))
    assert_allclose(result.contrasts.filter(pl.col("visit") != week)["estimate"], gaps.ravel())
    assert result.omnibus["ndf"].item() == 1
    assert result.diagnostics.notes == ("not estimable, left out as combinations of other terms: arm1:week8",)
    assert result.mean_fractions(draws=10).means["mean"].is_nan().sum() == 1


def test_a_covariate_that_repeats_another_is_left_out_as_r_does() -> None:
    plain = tl.mmrm(FRAME, **ROLES, covariates=["base"])

    twice = tl.mmrm(FRAME.with_columns(again=3 * pl.col("base") + 1), **ROLES, covariates=["base", "again"])

    assert twice.coefficients["estimate"].is_nan().to_list() == [False, False, True, *[False] * 5]
    assert_allclose(twice.coefficients.filter(pl.col("term") != "again")[ESTIMATES], plain.coefficients[ESTIMATES])
    assert_allclose(twice.means.select(ESTIMATES), plain.means.select(ESTIMATES))
    assert np.isnan(twice.linear({"base": 1})["estimate"].item())


def test_if_us_does_not_converge_it_goes_on_and_says_so() -> None:
    few = simulate(7, 6)

    result = tl.mmrm(few, **ROLES)

    d = result.diagnostics
    assert (d.requested, d.covariance, d.ddf, d.converged) == ("us", "ar1", "satterthwaite", True)
    assert [failure.covariance for failure in d.fallback] == ["us"]
    assert d.notes == (
        "degrees of freedom are Satterthwaite's: Kenward-Roger is not offered for ar1: Ω is not linear in the correlation, "
        "and packages disagree on the correction",
    )
    asked = tl.mmrm(few, **ROLES, covariance="ar1", ddf="satterthwaite")
    assert result.contrasts.equals(asked.contrasts)
    assert (asked.diagnostics.fallback, asked.diagnostics.notes) == ((), ())


def test_visits_in_other_units_converge_until_the_digits_run_out() -> None:
    unit = {2: 1e-2, 4: 1.0, 8: 1e2}
    scaled = FRAME.with_columns(y=pl.col("y") * pl.col("week").replace_strict(unit))
    beyond = simulate(40, 4, missing=0.1).with_columns(y=pl.col("y") * 10.0 ** (pl.col("week") - 4))

    plain, result = tl.mmrm(FRAME, **ROLES).contrasts, tl.mmrm(scaled, **ROLES).contrasts

    units = np.array(list(unit.values()))
    # Weights that differ by 1e8 take half of the sixteen digits, and the variances of β more than β.
    assert_allclose(result["estimate"] / units, plain["estimate"])
    assert_allclose(result["se"] / units, plain["se"], rtol=1e-5)
    assert_allclose(result[["df", "p"]], plain[["df", "p"]], rtol=1e-4)
    assert tl.mmrm(beyond, **ROLES).diagnostics.fallback[0].reason == (
        "variances of the visits differ by more orders of magnitude than the arithmetic has digits for, from each of 5 starts"
    )


def test_the_last_resort_is_least_squares_at_each_visit() -> None:
    visit_of = pl.Series([2, 4, 8])[FRAME["subject"] % 3]
    once = FRAME.filter(pl.col("week") == visit_of)

    result = tl.mmrm(once, **ROLES, covariates=["base"])

    d = result.diagnostics
    assert (d.covariance, d.ddf, d.converged) == ("per-visit ANCOVA", "residual", False)
    starts = {name: f"{SINGULAR}, from each of {n} starts" for name, n in (("ar1", 5), ("cs", 3))}
    reasons = {"us": "no subject was seen at both week 2 and 4", **starts}
    assert {failure.covariance: failure.reason for failure in d.fallback} == reasons
    for week in (2, 4, 8):
        alone = tl.mmrm(once.filter(pl.col("week") == week), **ROLES, covariates=["base"])
        assert_allclose(result.contrasts.filter(visit=week)[ESTIMATES], alone.contrasts[ESTIMATES])
        assert_allclose(result.covariance.filter(visit=str(week))[str(week)], alone.covariance[str(week)])
    assert result.omnibus.row(0) == (None,) * 4
    assert result.coefficients["term"][1] == "week2 | base"
    with pytest.raises(ModelError) as e:
        result.arm_difference([2, 4])
    assert str(e.value) == (
        "arm_difference: each visit has its own model (per-visit ANCOVA), which says nothing of how estimates at two visits "
        "vary together; choose a covariance that converges."
    )


def test_without_arms_there_are_means_and_no_contrasts() -> None:
    result = tl.mmrm(FRAME.with_columns(arm=pl.lit("all")), **ROLES)

    assert result.contrasts.is_empty()
    assert_allclose(result.means["estimate"], FRAME.group_by("week").agg(pl.col("y").mean()).sort("week")["y"])


def test_visits_in_text_are_ordered_by_their_numbers() -> None:
    weeks = FRAME["week"].replace_strict({2: "week 10", 4: "week 2", 8: "screening"})

    result = tl.mmrm(FRAME.with_columns(week=weeks), **ROLES)

    assert result.contrasts["visit"].to_list() == ["screening", "week 2", "week 10"]
    assert result.coefficients["term"].to_list()[2:4] == ["weekweek 2", "weekweek 10"]


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        ({}, {"covariates": ["age"]}, "no column 'age'; the frame has subject, week, arm, base, site, y."),
        ({}, {"covariates": ["arm"]}, "'arm' is named twice; a column has one role in the model."),
        ({}, {"by_visit": ["base"]}, "by_visit names base; the covariates are none."),
        ({}, {"control": "placebo"}, "the control 'placebo' is not an arm; the arms are 0, 1."),
        ({"y": "site"}, {}, "the response 'y' holds String, not numbers."),
        ({"y": pl.lit(np.nan)}, {}, "the response 'y' has no value in any of 72 rows."),
        ({"base": pl.lit(None)}, {"covariates": ["base"]}, "no row has all of subject, week, arm, y, base."),
        (
            {"y": pl.lit(1.5)},
            {},
            "the 6 coefficients explain the response exactly, which leaves no variance to test against.",
        ),
        (
            {"week": pl.lit(2)},
            {},
            "24 subjects and visits have more than one row, the first is subject 0 at week 2; average replicates beforehand.",
        ),
        (
            {"arm": pl.when(pl.col("subject") == 3).then(pl.col("week") // 8).otherwise("arm")},
            {},
            "'arm' changes within subject 3; a subject is analysed in one arm.",
        ),
        (
            {},
            {"covariance": "ar1"},
            "Kenward-Roger is not offered for ar1: Ω is not linear in the correlation, and packages disagree on the "
            "correction; use ddf='satterthwaite'.",
        ),
        (
            {},
            {"covariance": "un", "ddf": "kr", "level": 95},
            "covariance is 'un', allowed are us, toeph, toep, adh, ad, ar1, cs; ddf is 'kr', allowed are kenward-roger, satterthwaite; level is 95, "
            "allowed is a fraction between 0 and 1, such as 0.95.",
        ),
    ],
)
def test_what_cannot_be_fitted_is_refused_in_words(
    change: dict[str, Any], arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError) as e:
        tl.mmrm(FRAME.with_columns(**change), **ROLES, **arguments)

    assert str(e.value) == f"mmrm: {message}"


def test_fallback_can_be_forbidden_and_more_terms_than_rows_are_refused() -> None:
    with pytest.raises(ModelError) as e:
        tl.mmrm(simulate(7, 6), **ROLES, fallback=False)
    assert str(e.value).startswith("mmrm: us did not converge (")
    assert str(e.value).endswith("). Allow a fallback, or choose a simpler covariance.")

    with pytest.raises(ModelError) as e:
        tl.mmrm(FRAME.head(5), **ROLES)
    assert (
        str(e.value) == "mmrm: 5 rows do not determine 5 coefficients and a variance; leave covariates or visits out."
    )


def test_questions_the_model_cannot_answer_are_refused_in_words() -> None:
    result = tl.mmrm(FRAME, **ROLES)
    terms = "(Intercept), arm1, week4, week8, arm1:week4, arm1:week8"

    questions = {
        f"linear: no term 'arm2'; the model has {terms}.": lambda: result.linear({"arm2": 1}),
        "no visit 3 in the model; it has 2, 4, 8.": lambda: result.arm_difference([3]),
        "arm_difference: 2 visits need as many weights with a sum other than 0.": lambda: result.arm_difference(
            [2, 4], weights=[1]
        ),
        "change_from_baseline: 'base' is not a numeric covariate; the model has none.": lambda: (
            result.change_from_baseline("base")
        ),
    }
    for message, ask in questions.items():
        with pytest.raises(ModelError) as e:
            ask()
        assert str(e.value) == message

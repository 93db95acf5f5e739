from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose

from il2cyto.errors import StudyError
from il2cyto.tl import binary_contrasts, standardised_contrasts, standardised_risk
from tests.tl._trial import make_binary, make_sets


def trial(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, pl.DataFrame]:
    """Simulated: the event is not logistic in the covariates."""
    age, site = rng.normal(0, 1, n), rng.integers(0, 3, n)
    arm = rng.permutation(n) % 3 > 0
    risk = np.clip(0.25 + 0.15 * arm + 0.18 * age + 0.1 * (site == 1), 0.02, 0.98)
    event = (rng.random(n) < risk).astype(float)
    return event, arm, pl.DataFrame({"age": 30 + 9 * age, "site": np.array(["A", "B", "C"])[site]})


EVENT, ARM, COVARIATES = trial(90, np.random.default_rng(3))


def test_the_delta_method_is_that_of_the_average_marginal_effect_in_statsmodels() -> None:
    sites = [(COVARIATES["site"] == name).to_numpy().astype(float) for name in "BC"]
    X = np.column_stack([np.ones(90), ARM, COVARIATES["age"].to_numpy(), *sites])
    effect = sm.Logit(EVENT, X).fit(disp=0, tol=1e-12).get_margeff(dummy=True)

    risk = standardised_risk(EVENT, ARM, COVARIATES, variance="ge")

    assert_allclose([risk.risk_difference, risk.se], [effect.margeff[0], effect.margeff_se[0]], rtol=1e-6)
    assert_allclose([risk.ci_low, risk.ci_high], effect.conf_int()[0], rtol=1e-6)
    assert_allclose(risk.p, effect.pvalues[0], rtol=1e-6)


def test_without_covariates_it_is_the_difference_of_proportions_with_walds_interval() -> None:
    p1, p0, n1, n0 = EVENT[ARM].mean(), EVENT[~ARM].mean(), ARM.sum(), (~ARM).sum()

    ye, ge = (standardised_risk(EVENT, ARM, np.empty((90, 0)), variance=v) for v in ("ye", "ge"))

    assert_allclose([ye.risk_treatment, ye.risk_control, ye.risk_difference], [p1, p0, p1 - p0])
    assert_allclose(ge.se**2, p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0)
    assert_allclose(ye.se**2, p1 * (1 - p1) / (n1 - 1) + p0 * (1 - p0) / (n0 - 1))
    # Woolf's and the log method's limits.
    half = 1.959964 * np.sqrt(1 / (n1 * p1) - 1 / n1 + 1 / (n0 * p0) - 1 / n0)
    assert_allclose([ge.rr_low, ge.rr_high], p1 / p0 * np.exp([-half, half]), rtol=1e-6)
    odds, cells = p1 / (1 - p1) / (p0 / (1 - p0)), [n1 * p1, n1 * (1 - p1), n0 * p0, n0 * (1 - p0)]
    half = 1.959964 * np.sqrt((1 / np.array(cells)).sum())
    assert_allclose([ge.or_low, ge.odds_ratio, ge.or_high], odds * np.exp([-half, 0, half]), rtol=1e-6)


@pytest.mark.slow
def test_standard_errors_are_those_of_repeated_trials_and_intervals_cover() -> None:
    risks = [standardised_risk(*trial(120, np.random.default_rng([1, run]))) for run in range(1500)]
    estimate, se = np.array([(r.risk_difference, r.se) for r in risks]).T
    true = trial_truth()
    covered = np.mean([r.ci_low <= true <= r.ci_high for r in risks])

    assert np.mean(estimate) == pytest.approx(true, abs=3 * estimate.std() / np.sqrt(1500))
    assert np.sqrt(np.mean(se**2)) == pytest.approx(estimate.std(), rel=3 / np.sqrt(2 * 1500))
    assert covered == pytest.approx(0.95, abs=0.017)


def trial_truth() -> float:
    """Mean difference of the risks of `trial`, by a large sample of covariates."""
    rng = np.random.default_rng(0)
    level = 0.25 + 0.18 * rng.normal(0, 1, 10**6) + 0.1 * (rng.integers(0, 3, 10**6) == 1)
    return float(np.mean(np.clip(level + 0.15, 0.02, 0.98) - np.clip(level, 0.02, 0.98)))


def test_units_coding_order_and_kind_of_frame_change_nothing_and_arms_swap_the_sign() -> None:
    plain = standardised_risk(EVENT, ARM, COVARIATES)
    order = np.random.default_rng(0).permutation(90)
    other = COVARIATES.with_columns(
        pl.col("age") * 1e4 - 3e5, site=pl.col("site").replace_strict({"A": "z", "B": "y", "C": "x"})
    )

    again = standardised_risk(EVENT[order], ARM[order], other[order])
    pandas = standardised_risk(
        EVENT, ARM, pd.DataFrame(COVARIATES.to_dict(as_series=False)).assign(again=lambda f: 2 * f["age"])
    )
    swapped = standardised_risk(EVENT, ~ARM, COVARIATES)

    for result in (again, pandas):
        assert_allclose(
            [result.risk_difference, result.se, result.or_high], [plain.risk_difference, plain.se, plain.or_high]
        )
    assert_allclose([swapped.risk_difference, swapped.se, swapped.p], [-plain.risk_difference, plain.se, plain.p])
    assert_allclose(swapped.odds_ratio, 1 / plain.odds_ratio)


def test_missing_values_are_left_out_and_counted() -> None:
    event = EVENT.copy()
    event[0] = np.nan
    gaps = COVARIATES.with_row_index().with_columns(
        age=pl.when(pl.col("index") == 1).then(None).when(pl.col("index") == 2).then(np.nan).otherwise("age"),
        site=pl.when(pl.col("index") == 3).then(None).otherwise("site"),
    )

    risk = standardised_risk(event, ARM, gaps.drop("index"))

    rest = standardised_risk(EVENT[4:], ARM[4:], COVARIATES[4:])
    assert risk.missing == 4
    assert (risk.n_treatment, risk.risk_difference, risk.se) == (rest.n_treatment, rest.risk_difference, rest.se)


@pytest.mark.parametrize(
    ("event", "treated", "covariate", "note"),
    [
        ([0, 1, 0, 1], [True] * 4, [1.0, 2.0, 4.0, 3.0], "an arm has fewer than two subjects"),
        ([], [], [], "an arm has fewer than two subjects"),
        ([0, 1, 0, 1], [True, True, False, False], [1.0, 1.0, 0.0, 0.0], "the covariates tell the arms apart"),
        ([0, 0, 0, 1], [True, True, False, False], [1.0, 2.0, 2.0, 1.0], "arm and covariates separate subjects with the event from those without"),
        ([0] * 4, [True, True, False, False], [1.0, 2.0, 2.0, 1.0], "arm and covariates separate subjects with the event from those without"),
    ],
)  # fmt: skip
def test_what_the_model_cannot_give_is_nan_and_said_so(
    event: list[int], treated: list[bool], covariate: list[float], note: str
) -> None:
    risk = standardised_risk(event, treated, pl.DataFrame({"x": covariate}, schema={"x": pl.Float64}))

    assert np.isnan([risk.risk_treatment, risk.risk_difference, risk.se, risk.p, risk.odds_ratio]).all()
    assert risk.note == f"not estimable: {note}"


def test_unfit_input_is_refused_in_words() -> None:
    calls = {
        "no variance 'hc0'; allowed are 'ye', 'ge'.": lambda: standardised_risk([0], [True], np.ones((1, 1)), variance="hc0"),  # type: ignore[arg-type]
        "2, 1 and 1 statuses, arms and covariates; one per subject each.": lambda: standardised_risk([0, 1], [True], np.ones((1, 1))),
        "the status of a subject is 0 or 1; other numbers were found.": lambda: standardised_risk([2], [True], np.ones((1, 1))),
        "covariate 'x' holds List(Int64), not numbers, bools or texts.": lambda: standardised_risk([1], [True], pl.DataFrame({"x": [[1]]})),
    }  # fmt: skip
    for message, call in calls.items():
        with pytest.raises(StudyError) as e:
            call()
        assert str(e.value) == f"standardised_risk: {message}"


def test_the_table_is_that_of_the_arrays_in_the_columns_of_the_unadjusted_one() -> None:
    sets = make_sets(60)
    binary = make_binary(sets)

    table = standardised_contrasts(binary, sets, control="placebo", covariates=["sex"])

    row = table.filter(endpoint="sri4", set="mitt", rule="observed", visit="W12").row(0, named=True)
    own = binary.filter(endpoint="sri4", visit="W12").join(sets.filter("mitt"), on="subject").drop_nulls("observed")
    treated = (own["arm"].cast(pl.String) == "IL-2").to_numpy()
    risk = standardised_risk(own["observed"].to_numpy(), treated, own.select("sex"))
    assert (row["risk_difference"], row["ci_low"], row["p"], row["or_high"]) == (
        risk.risk_difference,
        risk.ci_low,
        risk.p,
        risk.or_high,
    )
    assert (row["method"], row["p_method"], row["n_treatment"]) == ("g-computation, ye", "wald", risk.n_treatment)
    plain = binary_contrasts(binary, sets, control="placebo")
    keys = ["endpoint", "set", "rule", "visit", "contrast", "x_treatment", "n_control"]
    assert table.columns == plain.columns
    assert table.select(keys).equals(plain.select(keys))

"""What `tl.mmrm` has to give whatever the data: exact special cases, other programs' numbers, invariances."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose
from scipy import stats

from il2cyto import tl
from il2cyto.tl._mmrm._covariance import COVARIANCES, LINEAR, make_structure
from il2cyto.tl._mmrm._reml import arrange, differentiate, evaluate
from tests.tl._mmrm_data import ROLES, WEEKS, simulate

COLUMNS = ["estimate", "se", "df", "p"]
CHOICES = [
    *((name, "kenward-roger") for name in LINEAR),
    *((name, "satterthwaite") for name in ("us", "ar1", "toeph", "ad", "adh")),
]


def numbers(table: pl.DataFrame, *names: str) -> np.ndarray:
    return table.select(names or COLUMNS).to_numpy()


@pytest.mark.parametrize(("covariance", "ddf"), CHOICES)
def test_with_one_visit_it_is_least_squares(covariance: Any, ddf: Any) -> None:
    frame = simulate(25, 1)

    result = tl.mmrm(frame, **ROLES, covariates=["base", "site"], covariance=covariance, ddf=ddf)

    dummies = [(frame["site"] == site).to_numpy().astype(float) for site in "BC"]
    X = np.column_stack([np.ones(25), frame["base"], *dummies, frame["arm"]])
    ols = sm.OLS(frame["y"].to_numpy(), X).fit()
    assert result.coefficients["term"].to_list() == ["(Intercept)", "base", "siteB", "siteC", "arm1"]
    assert_allclose(numbers(result.coefficients), np.column_stack([ols.params, ols.bse, np.full(5, 20), ols.pvalues]))
    assert_allclose(numbers(result.contrasts, "ci_low", "ci_high")[0], ols.conf_int()[-1])


@pytest.mark.parametrize("ddf", ["kenward-roger", "satterthwaite"])
def test_with_two_complete_visits_the_contrast_of_changes_is_the_t_test_of_differences(ddf: Any) -> None:
    frame = simulate(19, 2)

    row = tl.mmrm(frame, **ROLES, ddf=ddf).linear({"arm1:week4": 1.0})

    change = frame.group_by("subject", "arm", maintain_order=True).agg(pl.col("y").last() - pl.col("y").first())
    treated, control = (change.filter(pl.col("arm") == arm)["y"].to_numpy() for arm in (1, 0))
    t = stats.ttest_ind(treated, control)
    gap = treated.mean() - control.mean()
    assert_allclose(numbers(row)[0], [gap, gap / t.statistic, 17, t.pvalue])


def test_with_complete_visits_kenward_rogers_f_is_hotellings() -> None:
    frame, n, q = simulate(21, 4), 21, 3

    row = tl.mmrm(frame, **ROLES).omnibus.row(0, named=True)

    D, arm = np.diff(frame["y"].to_numpy().reshape(n, 4), axis=1), np.arange(n) % 2
    a, b = D[arm == 1], D[arm == 0]
    S = ((len(a) - 1) * np.cov(a.T) + (len(b) - 1) * np.cov(b.T)) / (n - 2)
    gap = a.mean(0) - b.mean(0)
    T2 = gap @ np.linalg.solve(S, gap) * len(a) * len(b) / n
    assert_allclose([row["f"], row["ndf"], row["ddf"]], [T2 * (n - 1 - q) / ((n - 2) * q), q, n - 1 - q])
    assert_allclose(row["p"], stats.f.sf(row["f"], q, n - 1 - q))


def test_compound_symmetry_is_the_random_intercept_model() -> None:
    frame = simulate(40, 5, missing=0.15, seed=2).with_columns(y=pl.col("y") + 2 * pl.col("subject").hash(1) / 2.0**64)

    result = tl.mmrm(frame, **ROLES, covariates=["base"], covariance="cs")

    weeks = [(frame["week"] == week).to_numpy().astype(float) for week in WEEKS[1:5]]
    arm = frame["arm"].to_numpy()
    X = np.column_stack([np.ones(len(arm)), frame["base"], arm, *weeks, *(arm * week for week in weeks)])
    mixed = sm.MixedLM(frame["y"].to_numpy(), X, frame["subject"].to_numpy()).fit(reml=True, method="powell")
    intercept, residual = float(np.ravel(mixed.cov_re)[0]), float(mixed.scale)
    assert_allclose(result.coefficients["estimate"], mixed.fe_params, rtol=1e-3, atol=1e-4)
    assert_allclose(result.covariance.drop("visit"), intercept + residual * np.eye(5), rtol=1e-3)
    assert_allclose(result.loglik, mixed.llf, atol=1e-4)


@pytest.mark.parametrize("name", COVARIANCES)
def test_derivatives_are_those_of_the_likelihood(name: Any) -> None:
    frame = simulate(30, 3, missing=0.2)
    visit = np.searchsorted(WEEKS, frame["week"].to_numpy())
    X = np.column_stack([np.ones(frame.height), frame["arm"], visit == 1, visit == 2])
    rows = arrange(X, frame["y"].to_numpy(), frame["subject"].to_numpy(), visit, 3)
    structure = make_structure(name, 3)
    phi = structure.starts(np.array([1.0, 1.5, 2.0]))[0]

    d = differentiate(evaluate(rows, structure.omega(phi)), structure, phi)

    h = 1e-5 * np.eye(len(phi))
    steps = [(phi + step, phi - step) for step in h]
    values = [[evaluate(rows, structure.omega(there)) for there in pair] for pair in steps]
    slopes = [(up.minus2l - down.minus2l) / 2e-5 for up, down in values]
    gradients = [
        [differentiate(p, structure, there).gradient for p, there in zip(v, s, strict=True)]
        for v, s in zip(values, steps, strict=True)
    ]
    assert_allclose(d.gradient, slopes, rtol=1e-6, atol=1e-6)
    assert_allclose(d.observed, [(up - down) / 2e-5 for up, down in gradients], rtol=1e-6, atol=1e-6)
    P = [(np.linalg.inv(up.Phi) - np.linalg.inv(down.Phi)) / 2e-5 for up, down in values]
    assert_allclose(d.P, P, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("scale", "shift"), [(1e-3, 5.0), (1e4, -2e5), (-1.0, 0.0)])
@pytest.mark.parametrize(("covariance", "ddf"), CHOICES)
def test_an_affine_change_of_the_response_changes_the_units_only(
    covariance: Any, ddf: Any, scale: float, shift: float
) -> None:
    frame = simulate(40, 4, missing=0.15)
    model: dict[str, Any] = {"covariates": ["base"], "covariance": covariance, "ddf": ddf, "fallback": False}

    plain = tl.mmrm(frame, **ROLES, **model)
    changed = tl.mmrm(frame.with_columns(y=scale * pl.col("y") + shift), **ROLES, **model)

    units = [scale, abs(scale), 1, 1]
    assert_allclose(numbers(changed.contrasts), numbers(plain.contrasts) * units, rtol=1e-6)
    assert_allclose(changed.omnibus.row(0), plain.omnibus.row(0), rtol=1e-6)
    assert_allclose(changed.covariance.drop("visit"), scale**2 * plain.covariance.drop("visit").to_numpy(), rtol=1e-6)


def test_order_of_rows_names_of_subjects_and_kind_of_frame_change_nothing() -> None:
    frame = simulate(30, 4, missing=0.2)
    plain = tl.mmrm(frame, **ROLES, covariates=["base", "site"])
    shuffled = frame.sample(fraction=1, shuffle=True, seed=1)
    renamed = frame.with_columns(subject="S" + (100 - pl.col("subject")).cast(pl.String))
    text = frame.with_columns(pl.col("week", "arm").cast(pl.String))

    for other in (shuffled, renamed, text, frame.to_pandas()):
        result = tl.mmrm(other, **ROLES, covariates=["base", "site"])
        assert_allclose(numbers(result.coefficients), numbers(plain.coefficients), rtol=1e-7)
        assert result.coefficients["term"].to_list() == plain.coefficients["term"].to_list()
        assert result.covariance["visit"].to_list() == ["2", "4", "8", "10"]


def test_another_reference_arm_turns_the_contrasts_and_leaves_the_means() -> None:
    frame = simulate(30, 3, missing=0.1)
    names = frame.with_columns(arm=pl.Series(["placebo", "IL-2"])[frame["arm"]])

    sorted_names = tl.mmrm(names, **ROLES)
    turned = tl.mmrm(names, **ROLES, control="placebo")
    declared = tl.mmrm(names.with_columns(pl.col("arm").cast(pl.Enum(["placebo", "IL-2"]))), **ROLES)

    assert sorted_names.contrasts["contrast"].unique().to_list() == ["placebo - IL-2"]
    assert_allclose(numbers(turned.contrasts), numbers(sorted_names.contrasts) * [-1, 1, 1, 1])
    assert_allclose(numbers(declared.contrasts), numbers(turned.contrasts))
    assert_allclose(turned.omnibus.row(0), sorted_names.omnibus.row(0))
    assert_allclose(numbers(turned.means.sort("arm", "visit")), numbers(sorted_names.means.sort("arm", "visit")))
    assert turned.coefficients["term"][1] == "armIL-2"


def test_visits_that_are_nearly_combinations_of_others_still_converge() -> None:
    frame = simulate(40, 6, missing=0.0, seed=5, small=1e-7)

    result = tl.mmrm(frame, **ROLES)

    D = frame["y"].to_numpy().reshape(40, 6)
    arm = np.arange(40) % 2
    residual = D - np.where(arm[:, None] == 1, D[arm == 1].mean(0), D[arm == 0].mean(0))
    assert result.diagnostics.covariance == "us"
    assert_allclose(result.covariance.drop("visit"), residual.T @ residual / 38, rtol=1e-6)


def test_on_drug_mean_change_from_baseline_and_means_follow_from_the_coefficients() -> None:
    frame = simulate(30, 4, missing=0.1)
    result = tl.mmrm(frame, **ROLES, covariates=["base"], by_visit=["base"])
    base = float(frame.unique("subject")["base"].to_numpy().mean())

    mean = result.arm_difference([4, 8], weights=[1, 3])
    same = result.linear({"arm1": 1, "arm1:week4": 0.25, "arm1:week8": 0.75})
    at_8 = result.linear({"(Intercept)": 1, "base": base, "arm1": 1, "week8": 1, "arm1:week8": 1, "base:week8": base})
    row = {"arm": 1, "visit": 8}
    change = result.change_from_baseline("base")

    assert_allclose(numbers(mean), numbers(same))
    assert_allclose(numbers(result.means.filter(**row)), numbers(at_8))
    assert_allclose(change["estimate"], result.means["estimate"] - base)
    assert_allclose(change["p"], 2 * stats.t.sf(abs(change["estimate"] / change["se"]), change["df"]))


def test_three_arms_are_each_compared_with_the_first() -> None:
    frame = simulate(45, 3, missing=0.1).with_columns(arm=pl.col("subject") % 3)

    result = tl.mmrm(frame, **ROLES)

    means = result.means.pivot("arm", index="visit", values="estimate")
    expected = means.select((pl.col(arm) - pl.col("0")).alias(f"{arm} - 0") for arm in "12")
    table = result.contrasts.pivot("contrast", index="visit", values="estimate").drop("visit")
    assert table.columns == expected.columns == ["1 - 0", "2 - 0"]
    assert_allclose(table, expected)
    assert result.omnibus["ndf"].item() == 4

"""`tl.mmrm` gives the numbers of R: lme4, lmerTest, nlme, pbkrtest and emmeans on one simulated trial."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

from il2cyto import tl

if TYPE_CHECKING:
    from pathlib import Path

ABSOLUTE = 1e-5
#: Half a unit in the fourth significant digit.
DIGITS = 5e-5
METHODS = {"us": "kenward-roger", "cs": "kenward-roger", "ar1": "satterthwaite"}
KEYS = {"us": "us_lmer", "cs": "ri", "ar1": "ar1"}


@pytest.fixture(scope="module")
def trial(shared: Path) -> pl.DataFrame:
    return pl.read_csv(shared / "golden/mmrm/trial.csv").filter(pl.col("week") > 0)


@pytest.fixture(scope="module")
def reference(shared: Path) -> dict[str, Any]:
    return json.loads((shared / "golden/mmrm/reference_r.json").read_text())


def fit(frame: pl.DataFrame, covariance: Any, ddf: Any) -> tl.MMRMResult:
    roles: dict[str, Any] = {"response": "y", "subject": "id", "visit": "week", "arm": "arm", "covariates": ["base"]}
    return tl.mmrm(frame, **roles, covariance=covariance, ddf=ddf, fallback=False)


@pytest.mark.parametrize("covariance", METHODS)
def test_coefficients_errors_and_likelihood_are_those_of_r(
    trial: pl.DataFrame, reference: dict[str, Any], covariance: str
) -> None:
    expected = reference[KEYS[covariance]]

    result = fit(trial, covariance, "satterthwaite")

    names = [name.replace("armfIL2", "arm1").replace("wk", "week") for name in expected["names"]]
    assert result.coefficients["term"].to_list() == names
    assert_allclose(result.coefficients["estimate"], expected["beta"], rtol=0, atol=ABSOLUTE)
    assert_allclose(result.coefficients["se"], expected["se"], rtol=0, atol=ABSOLUTE)
    assert_allclose(result.loglik, expected["reml"], rtol=0, atol=ABSOLUTE)
    if "df" in expected:
        assert_allclose(result.coefficients["df"], expected["df"], rtol=0, atol=0.01)


def test_the_covariance_of_each_structure_is_that_of_r(trial: pl.DataFrame, reference: dict[str, Any]) -> None:
    omega = {c: fit(trial, c, ddf).covariance.drop("visit").to_numpy() for c, ddf in METHODS.items()}
    between, within = reference["ri"]["sd_id"], reference["ri"]["sigma"]
    phi, sigma = reference["ar1"]["phi"], reference["ar1"]["sigma"]
    lag = abs(np.subtract.outer(range(7), range(7)))

    assert_allclose(omega["us"], reference["us_lmer"]["V"], rtol=0, atol=ABSOLUTE)
    assert_allclose(omega["cs"], between**2 + within**2 * np.eye(7), rtol=0, atol=ABSOLUTE)
    assert_allclose(omega["ar1"], sigma**2 * phi**lag, rtol=0, atol=ABSOLUTE)


@pytest.mark.parametrize("covariance", ["us", "cs"])
def test_kenward_roger_errors_and_degrees_of_freedom_are_those_of_pbkrtest(
    trial: pl.DataFrame, reference: dict[str, Any], covariance: str
) -> None:
    expected = reference[KEYS[covariance]]

    table = fit(trial, covariance, "kenward-roger").coefficients

    assert_allclose(table["se"], expected["se_kr"], rtol=DIGITS)
    assert_allclose(table["df"], expected["df_kr"], rtol=DIGITS)
    if "p_kr" in expected:
        assert_allclose(table["p"], expected["p_kr"], rtol=DIGITS)


@pytest.mark.parametrize(("ddf", "key"), [("kenward-roger", "emm_kr"), ("satterthwaite", "emm_sat")])
def test_contrasts_at_each_visit_are_those_of_emmeans(
    trial: pl.DataFrame, reference: dict[str, Any], ddf: str, key: str
) -> None:
    expected = reference["us_lmer"][key]

    table = fit(trial, "us", ddf).contrasts

    assert [str(week) for week in table["visit"]] == expected["wk"]
    assert_allclose(table["estimate"], expected["estimate"], rtol=0, atol=ABSOLUTE)
    assert_allclose(table["se"], expected["SE"], rtol=DIGITS)
    rtol, atol = (DIGITS, 0.0) if ddf == "kenward-roger" else (0.0, 0.01)
    assert_allclose(table["df"], expected["df"], rtol=rtol, atol=atol)
    assert_allclose(table["p"], expected["p.value"], rtol=DIGITS)


@pytest.mark.parametrize(
    ("covariance", "weeks", "f", "ndf", "ddf"),
    [
        ("cs", (2, 4, 6, 8, 10, 12, 24), 10.97841, 6, 323.6252),
        ("us", (2, 4, 6, 8, 10, 12, 24), 16.98682, 6, 50.93265),
        ("us", (2, 6, 12, 24), 14.20145, 3, 53.50432),
    ],
)
def test_the_f_of_arm_by_visit_is_that_of_pbkrtest(
    trial: pl.DataFrame, covariance: str, weeks: tuple[int, ...], f: float, ndf: int, ddf: float
) -> None:
    result = fit(trial.filter(pl.col("week").is_in(weeks)), covariance, "kenward-roger")

    row = result.omnibus.row(0, named=True)
    assert row["ndf"] == ndf
    assert_allclose([row["f"], row["ddf"]], [f, ddf], rtol=DIGITS)
    if len(weeks) == 4:
        assert_allclose(result.loglik, -52.405552, rtol=0, atol=ABSOLUTE)

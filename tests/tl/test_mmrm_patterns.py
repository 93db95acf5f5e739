"""Toeplitz and ante-dependent covariance of `tl.mmrm`: their pattern, their maximum, and how the structures nest."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import toeplitz
from scipy.optimize import minimize

from il2cyto import tl
from il2cyto.errors import ModelError
from il2cyto.tl._mmrm._covariance import COVARIANCES, LINEAR
from tests.tl._mmrm_data import ROLES, simulate
from tests.tl.test_mmrm_dense import FRAMES, Dense

#: Structure -> those that are special cases of it.
NESTED = {"us": ("toeph", "adh"), "toeph": ("toep",), "adh": ("ad",), "toep": ("ar1", "cs"), "ad": ("ar1",)}
PATTERNED = ("toep", "toeph", "ad", "adh")


def fit(frame: pl.DataFrame, covariance: Any, **options: Any) -> tl.MMRMResult:
    return tl.mmrm(frame, **ROLES, covariance=covariance, ddf="satterthwaite", fallback=False, **options)


def omega(result: tl.MMRMResult) -> np.ndarray:
    return result.covariance.drop("visit").to_numpy()


def pattern(covariance: str, theta: np.ndarray, T: int) -> np.ndarray:
    """Ω by loops, of logarithms of standard deviations and artanh of correlations."""
    scale = np.exp(theta[:T] if covariance.endswith("h") else np.repeat(theta[0], T))
    rho = np.tanh(theta[-(T - 1) :])
    R = np.eye(T)
    for j in range(T):
        for k in range(j):
            R[j, k] = R[k, j] = rho[j - k - 1] if covariance.startswith("toep") else np.prod(rho[k:j])
    return np.asarray(R * np.outer(scale, scale))


@pytest.mark.parametrize("name", ["holes", "dropout"])
@pytest.mark.parametrize("covariance", PATTERNED)
def test_no_omega_of_the_pattern_is_likelier(covariance: str, name: str) -> None:
    data = Dense(FRAMES[name])

    result = fit(FRAMES[name], covariance, covariates=["base", "site"], by_visit=["base"])

    def minus2l(theta: np.ndarray) -> float:
        there = pattern(covariance, theta, data.T)
        return data.minus2l(there) if np.linalg.eigvalsh(there)[0] > 1e-8 else 1e10

    found, scales = omega(result), data.T if covariance.endswith("h") else 1
    sd = np.sqrt(np.diag(found))
    R = found / np.outer(sd, sd)
    rho = R[0, 1:] if covariance.startswith("toep") else np.diag(R, 1)
    there = np.concatenate([np.log(sd[:scales]), np.arctanh(rho)])
    assert_allclose(found, pattern(covariance, there, data.T), rtol=1e-8)
    assert_allclose(-2 * result.loglik, minus2l(there))
    start = np.concatenate([np.zeros(scales), np.full(data.T - 1, 0.2)])
    assert -2 * result.loglik < minimize(minus2l, start, method="BFGS").fun + 1e-6


@pytest.mark.parametrize("seed", range(4))
def test_a_special_case_is_never_likelier(seed: int) -> None:
    frame = simulate(40, 4, missing=0.15, seed=seed)

    loglik: dict[str, float] = {name: fit(frame, name).loglik for name in COVARIANCES}

    for general, special in NESTED.items():
        assert all(loglik[name] < loglik[general] + 1e-9 for name in special)


@pytest.mark.parametrize(
    ("visits", "same"), [(2, ("toep", "ad", "ar1", "cs")), (2, ("us", "toeph", "adh")), (1, COVARIANCES)]
)
def test_with_few_visits_structures_are_one_another(visits: int, same: tuple[str, ...]) -> None:
    frame = simulate(25, visits, missing=0.2 if visits > 1 else 0.0)

    first, *others = (fit(frame, name, covariates=["base"]) for name in same)

    for other in others:
        assert_allclose(omega(other), omega(first), rtol=1e-6)
        columns = ["estimate", "se", "df", "p"]
        assert_allclose(other.contrasts.select(columns), first.contrasts.select(columns), rtol=1e-5)


@pytest.mark.parametrize("covariance", PATTERNED)
def test_the_omega_that_made_the_data_is_found_again(covariance: str) -> None:
    T, subjects, rng = 4, 4000, np.random.default_rng(5)
    rho = [0.7, 0.5, 0.1] if covariance.startswith("toep") else [0.7, -0.4, 0.6]
    truth = pattern(
        covariance,
        np.concatenate([np.log([1.0, 2.0, 0.5, 1.5][: T if covariance[-1] == "h" else 1]), np.arctanh(rho)]),
        T,
    )
    y = rng.multivariate_normal(np.zeros(T), truth, subjects)
    i, j = np.indices(y.shape).reshape(2, -1)
    frame = pl.DataFrame({"subject": i, "week": j, "arm": i % 2, "y": y.ravel()})

    found = omega(fit(frame, covariance))

    assert_allclose(found, truth, atol=4 * 4 / np.sqrt(subjects))


def test_with_complete_data_the_toeplitz_estimate_of_two_bands_is_that_of_sums_of_squares() -> None:
    frame = simulate(30, 2)
    residual = frame.with_columns(pl.col("y") - pl.col("y").mean().over("week", "arm"))["y"].to_numpy().reshape(30, 2)
    S = residual.T @ residual / 28

    assert_allclose(omega(fit(frame, "toep")), toeplitz([np.trace(S) / 2, S[0, 1]]), rtol=1e-8)


@pytest.mark.parametrize("covariance", [name for name in COVARIANCES if name not in LINEAR])
def test_kenward_roger_is_refused_where_omega_is_not_linear(covariance: Any) -> None:
    with pytest.raises(ModelError) as error:
        tl.mmrm(simulate(20, 3), **ROLES, covariance=covariance)

    assert str(error.value) == (
        f"mmrm: Kenward-Roger is not offered for {covariance}: Ω is not linear in the correlation, and packages disagree on "
        "the correction; use ddf='satterthwaite'."
    )


def test_a_distance_that_nobody_spans_leaves_toeplitz_and_goes_on_to_ar1() -> None:
    # Subjects come at the first two visits or at the last two: no two visits further apart than one are seen together.
    frame = simulate(40, 4, seed=1).filter((pl.col("subject") < 20) == (pl.col("week") < 8))

    result = tl.mmrm(frame, **ROLES, covariance="toep")

    assert (result.diagnostics.covariance, result.diagnostics.ddf) == ("ar1", "satterthwaite")
    assert [failure.covariance for failure in result.diagnostics.fallback] == ["toep"]

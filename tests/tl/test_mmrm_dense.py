"""`tl.mmrm` against the textbook's formulas, written out with one N × N matrix and derived by differences."""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.linalg import inv, slogdet
from numpy.testing import assert_allclose
from scipy.linalg import toeplitz

from il2cyto import tl
from tests.tl._mmrm_data import ROLES, WEEKS, simulate

FRAMES = {
    "holes": simulate(26, 4, missing=0.25, seed=3),
    "unbalanced": simulate(40, 3, missing=0.1, seed=4).filter((pl.col("arm") == 0) | (pl.col("subject") % 4 == 1)),
    "dropout": simulate(30, 5, seed=6).filter((pl.col("week") < 10) | (pl.col("subject") > 8)),
}


class Dense:
    """One trial as y, X and the visit of each row, with sums over subjects left to block-diagonal N × N matrices."""

    def __init__(self, frame: pl.DataFrame) -> None:
        frame = frame.sort("subject", "week")
        self.y, self.visit = frame["y"].to_numpy(), np.searchsorted(WEEKS, frame["week"].to_numpy())
        self.T = int(self.visit.max()) + 1
        subject = frame["subject"].to_numpy()
        self.same = subject[:, None] == subject
        arm, weeks = frame["arm"].to_numpy(), [(self.visit == j).astype(float) for j in range(1, self.T)]
        sites = [(frame["site"] == site).to_numpy().astype(float) for site in "BC"]
        columns = [np.ones(len(arm)), frame["base"].to_numpy(), *sites, arm, *weeks, *(arm * week for week in weeks)]
        slopes = [frame["base"].to_numpy() * week for week in weeks]
        self.X = np.column_stack([*columns, *slopes])
        self.interaction = np.arange(len(columns) - self.T + 1, len(columns))

    def spread(self, omega: np.ndarray) -> np.ndarray:
        return np.where(self.same, omega[self.visit[:, None], self.visit], 0.0)

    def minus2l(self, omega: np.ndarray) -> float:
        V = self.spread(omega)
        XVX, r = self.X.T @ inv(V) @ self.X, self.y - self.X @ self.beta(omega)
        constant = (len(self.y) - self.X.shape[1]) * np.log(2 * np.pi)
        return float(constant + slogdet(V)[1] + slogdet(XVX)[1] + r @ inv(V) @ r)

    def Phi(self, omega: np.ndarray) -> np.ndarray:
        return inv(self.X.T @ inv(self.spread(omega)) @ self.X)

    def beta(self, omega: np.ndarray) -> np.ndarray:
        return self.Phi(omega) @ self.X.T @ inv(self.spread(omega)) @ self.y


def units(covariance: str, T: int) -> list[np.ndarray]:
    """The matrices that Ω is a sum of."""
    if covariance == "cs":
        return [np.eye(T), np.ones((T, T))]
    if covariance == "toep":
        return [toeplitz(band) for band in np.eye(T)]
    pairs = [np.zeros((T, T)) for _ in range(T * (T + 1) // 2)]
    for G, (a, b) in zip(pairs, combinations_with_replacement(range(T), 2), strict=True):
        G[a, b] = G[b, a] = 1.0
    return pairs


@pytest.mark.parametrize("covariance", ["us", "toep", "cs"])
@pytest.mark.parametrize("name", FRAMES)
def test_kenward_roger_is_as_written_in_the_paper(name: str, covariance: Any) -> None:
    data = Dense(FRAMES[name])

    result = tl.mmrm(FRAMES[name], **ROLES, covariates=["base", "site"], by_visit=["base"], covariance=covariance)

    omega = result.covariance.drop("visit").to_numpy()
    Vi, Phi, X = inv(data.spread(omega)), data.Phi(omega), data.X
    VG = [Vi @ data.spread(G) for G in units(covariance, data.T)]
    K = range(len(VG))
    P = [-X.T @ VG[k] @ Vi @ X for k in K]
    Q = [[X.T @ VG[k] @ VG[l] @ Vi @ X for l in K] for k in K]
    tr = np.trace
    information = [[tr(VG[k] @ VG[l]) / 2 - tr(Phi @ Q[k][l]) + tr(Phi @ P[k] @ Phi @ P[l]) / 2 for l in K] for k in K]
    W = inv(np.array(information))
    inner = sum((W[k, l] * (Q[k][l] - P[k] @ Phi @ P[l]) for k in K for l in K), np.zeros_like(Phi))
    PhiA = Phi + 2 * Phi @ inner @ Phi
    z = np.array([np.diag(Phi @ P[k] @ Phi) / np.diag(Phi) for k in K])
    assert_allclose(result.coefficients["estimate"], data.beta(omega), rtol=1e-6, atol=1e-8)
    assert_allclose(result.coefficients["se"], np.sqrt(np.diag(PhiA)), rtol=1e-6)
    assert_allclose(result.coefficients["df"], 2 / np.einsum("kc,kl,lc->c", z, W, z), rtol=1e-6)
    assert_allclose(-2 * result.loglik, data.minus2l(omega))

    L, q = np.eye(len(Phi))[data.interaction], data.T - 1
    M = [L.T @ inv(L @ Phi @ L.T) @ L @ Phi @ P[k] @ Phi for k in K]
    A1 = sum(W[k, l] * tr(M[k]) * tr(M[l]) for k in K for l in K)
    A2 = sum(W[k, l] * tr(M[k] @ M[l]) for k in K for l in K)
    B, g = (A1 + 6 * A2) / (2 * q), ((q + 1) * A1 - (q + 4) * A2) / ((q + 2) * A2)
    c1, c2, c3 = np.array([g, q - g, q + 2 - g]) / (3 * q + 2 * (1 - g))
    E, V = 1 / (1 - A2 / q), 2 / q * (1 + c1 * B) / ((1 - c2 * B) ** 2 * (1 - c3 * B))
    m = 4 + (q + 2) / (q * V / (2 * E**2) - 1)
    Lb = L @ data.beta(omega)
    F = m / (E * (m - 2)) / q * Lb @ inv(L @ PhiA @ L.T) @ Lb
    assert_allclose(result.omnibus.row(0)[:3], [F, q, m], rtol=1e-6)


@pytest.mark.parametrize("covariance", ["us", "cs", "ar1"])
def test_satterthwaite_follows_from_the_likelihood_by_differences(covariance: Any) -> None:
    data = Dense(FRAMES["unbalanced"])
    model: dict[str, Any] = {"covariates": ["base", "site"], "by_visit": ["base"], "ddf": "satterthwaite"}

    result = tl.mmrm(FRAMES["unbalanced"], **ROLES, **model, covariance=covariance)

    omega = result.covariance.drop("visit").to_numpy()
    lag, tri = abs(np.subtract.outer(range(3), range(3))), np.tril_indices(3)

    # Parameters that the program does not use: the Cholesky factor; variance and correlation on other scales.
    def make(theta: np.ndarray) -> np.ndarray:
        if covariance == "us":
            L = np.zeros((3, 3))
            L[tri] = theta
            return L @ L.T
        rho = np.tanh(theta[1])
        return np.exp(theta[0]) * (rho**lag if covariance == "ar1" else np.where(lag, rho, 1.0))

    theta = np.linalg.cholesky(omega)[tri]
    if covariance != "us":
        theta = np.array([np.log(omega[0, 0]), np.arctanh(omega[0, 1] / omega[0, 0])])
    step_size = 3e-4
    h = step_size * np.eye(len(theta))
    assert_allclose(make(theta), omega)
    l = lambda t: data.minus2l(make(t)) / 2
    H = [
        [(l(theta + a + b) - l(theta + a - b) - l(theta - a + b) + l(theta - a - b)) / (4 * step_size**2) for b in h]
        for a in h
    ]
    variances = lambda t: np.diag(data.Phi(make(t)))
    g = np.array([(variances(theta + step) - variances(theta - step)) / (2 * step_size) for step in h])
    df = 2 * variances(theta) ** 2 / np.einsum("kc,kl,lc->c", g, inv(np.array(H)), g)
    assert_allclose([l(theta + step) - l(theta - step) for step in h / 100], 0, atol=1e-9)
    assert_allclose(result.coefficients["se"] ** 2, variances(theta), rtol=1e-6)
    assert_allclose(result.coefficients["df"], df, rtol=1e-4)


def test_satterthwaites_f_combines_independent_contrasts() -> None:
    frame = FRAMES["holes"]
    result = tl.mmrm(frame, **ROLES, ddf="satterthwaite")
    fit = result._models.joint
    assert fit is not None

    row = result.omnibus.row(0, named=True)

    L = np.eye(len(fit.kept))[fit.trial.coding.interaction]
    values, vectors = np.linalg.eigh(L @ fit.vcov @ L.T)
    terms = result.coefficients["term"].to_list()
    parts = [result.linear(dict(zip(terms, v @ L, strict=True))).row(0, named=True) for v in vectors.T]
    nu = np.array([part["df"] for part in parts])
    E = np.sum(nu / (nu - 2))
    assert_allclose([part["se"] ** 2 for part in parts], values)
    assert_allclose(row["f"], np.mean([(part["estimate"] / part["se"]) ** 2 for part in parts]))
    assert_allclose([row["ndf"], row["ddf"]], [3, 2 * E / (E - 3)])

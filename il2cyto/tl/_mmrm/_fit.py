"""One fitted model, and its estimates of linear combinations of the coefficients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.linalg import null_space
from scipy.special import stdtr, stdtrit

from il2cyto.errors import ModelError
from il2cyto.tl._mmrm._covariance import make_structure
from il2cyto.tl._mmrm._ddf import make_inference
from il2cyto.tl._mmrm._design import independent_columns
from il2cyto.tl._mmrm._frame import label
from il2cyto.tl._mmrm._maximise import maximise
from il2cyto.tl._mmrm._reml import arrange

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from il2cyto.tl._mmrm._covariance import Covariance, FloatArray
    from il2cyto.tl._mmrm._ddf import Ddf, FTest, KenwardRoger, Satterthwaite
    from il2cyto.tl._mmrm._design import Trial

# Residuals this small beside the response, or at one visit beside those of all, are rounding.
EXACT = 1e-10


class Estimate(NamedTuple):
    """A linear combination of coefficients with its t test and interval; all NaN where it is not estimable."""

    estimate: float
    se: float
    df: float
    p: float
    ci_low: float
    ci_high: float


NOT_ESTIMABLE = Estimate(*[float("nan")] * 6)


@dataclass(frozen=True)
class Fit:
    """A model at its maximum.

    Parameters
    ----------
    trial
        The rows.
    kept
        Which columns of X have a coefficient; the others are aliased.
    alias
        Aliased columns as combinations of the kept ones, kept × aliased.
    R, scale
        The fit was done with Q of X = QR and residuals divided by `scale`, so that units play no part.
    beta
        Coefficients of the kept columns.
    omega
        Ω, T × T, and `omega_se`, the standard errors of its diagonal.
    inference
        Tests, in the fit's own units.
    """

    trial: Trial
    kept: NDArray[np.bool_]
    alias: FloatArray
    R: FloatArray
    scale: float
    beta: FloatArray
    omega: FloatArray
    omega_se: FloatArray
    loglik: float
    distance: float
    iterations: int
    inference: Satterthwaite | KenwardRoger

    @property
    def vcov(self) -> FloatArray:
        """Covariance of the kept coefficients: Φ, or Φ_A."""
        half = np.linalg.inv(self.R) * self.scale
        return half @ self.inference.vcov @ half.T

    def is_estimable(self, c: FloatArray) -> bool:
        """Whether c'β has one value, however the aliased columns are left out."""
        gap = c[~self.kept] - c[self.kept] @ self.alias
        return bool(np.all(np.abs(gap) <= 1e-6 * max(1.0, float(np.abs(c).max()))))

    def estimate(self, c: FloatArray, *, level: float, offset: float = 0.0) -> Estimate:
        """Estimate c'β − offset, where c has an entry for every column of X."""
        if not self.is_estimable(c):
            return NOT_ESTIMABLE
        own = np.linalg.solve(self.R.T, c[self.kept])
        estimate = float(c[self.kept] @ self.beta) - offset
        se = self.scale * float(np.sqrt(own @ self.inference.vcov @ own))
        df = self.inference.df(own)
        half = float(stdtrit(df, (1 + level) / 2)) * se
        return Estimate(estimate, se, df, float(2 * stdtr(df, -abs(estimate / se))), estimate - half, estimate + half)

    def coefficient(self, term: int, *, level: float) -> Estimate:
        """Estimate one coefficient with the aliased ones left out, as R does; NaN for those."""
        if not self.kept[term]:
            return NOT_ESTIMABLE
        c = np.eye(len(self.kept))[term]
        c[~self.kept] = c[self.kept] @ self.alias
        return self.estimate(c, level=level)

    def test(self, L: FloatArray) -> FTest | None:
        """Test what is estimable of Lβ = 0; None where nothing is."""
        gap = L[:, ~self.kept] - L[:, self.kept] @ self.alias
        combinations = null_space(gap.T) if gap.size else np.eye(len(L))
        rows = combinations.T @ L[:, self.kept]
        if not len(rows):
            return None
        return self.inference.f(np.linalg.solve(self.R.T, rows.T).T, self.R @ self.beta / self.scale)


def fit_model(trial: Trial, covariance: Covariance, ddf: Ddf) -> Fit | str:
    """Fit by restricted maximum likelihood; the reason in words where there is no maximum.

    Raises
    ------
    ModelError
        There are no more rows than coefficients, or the coefficients explain the response exactly.
    """
    T = len(trial.coding.visits)
    if covariance == "us" and (apart := _never_together(trial)):
        return apart
    X = trial.X
    kept = independent_columns(X)
    Q, R = np.linalg.qr(X[:, kept])
    N, p = Q.shape
    if p >= N:
        msg = f"mmrm: {N} rows do not determine {p} coefficients and a variance; leave covariates or visits out."
        raise ModelError(msg)
    fitted = Q.T @ trial.y
    residual = trial.y - Q @ fitted
    scale = float(np.sqrt(residual @ residual / (N - p)))
    if scale <= EXACT * float(np.abs(trial.y).max()):
        msg = f"mmrm: the {p} coefficients explain the response exactly, which leaves no variance to test against."
        raise ModelError(msg)
    structure = make_structure(covariance, T)
    rows = arrange(Q, residual / scale, trial.subject, trial.visit, T)
    sd = np.sqrt(np.bincount(trial.visit, (residual / scale) ** 2) / np.bincount(trial.visit))
    maximum = maximise(rows, structure, np.where(sd > EXACT, sd, 1.0))
    if isinstance(maximum, str):
        return maximum
    structure = maximum.structure
    minus2l = maximum.point.minus2l + (N - p) * np.log(2 * np.pi * scale**2) + 2 * np.log(np.abs(np.diag(R))).sum()
    variance = np.diagonal(structure.jacobian(maximum.phi), axis1=1, axis2=2)
    spread = np.einsum("kj,kl,lj->j", variance, 2 * np.linalg.inv(maximum.derivatives.observed), variance)
    return Fit(
        trial,
        kept,
        np.linalg.solve(R, Q.T @ X[:, ~kept]),
        R,
        scale,
        np.linalg.solve(R, fitted + scale * maximum.point.beta),
        scale**2 * structure.omega(maximum.phi),
        scale**2 * np.sqrt(spread),
        float(-minus2l / 2),
        maximum.distance,
        maximum.iterations,
        make_inference(ddf, maximum),
    )


def _never_together(trial: Trial) -> str | None:
    """Name two visits whose covariance no subject tells."""
    together = trial.seen.T.astype(int) @ trial.seen.astype(int)
    pairs = np.argwhere(np.triu(together == 0))
    if not len(pairs):
        return None
    first, second = (label(trial.coding.visits[j]) for j in pairs[0])
    return f"no subject was seen at both {trial.coding.visit} {first} and {second}"

"""Multiple imputation of repeated measures that are missing at random, and the rules that pool what each imputation gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from il2cyto._intervals import require_level
from il2cyto.errors import ModelError

if TYPE_CHECKING:
    import numpy.typing as npt

#: Steps of each chain. What a step remembers of the one before is the fraction of missing information: .7^100 is nothing.
STEPS = 100
#: Residuals this small beside the values are rounding.
EXACT = 1e-10
#: A share of the variance this small is the estimates' rounding.
ROUNDING = 1e-12


class Pooled(NamedTuple):
    """An estimate pooled over imputations; `fmi` is the fraction of information that is missing, 0-1."""

    estimate: float
    se: float
    df: float
    ci_low: float
    ci_high: float
    p: float
    fmi: float


def pool_imputations(
    estimates: npt.ArrayLike, variances: npt.ArrayLike, *, complete_df: float, level: float = 0.95
) -> Pooled:
    """Pool the estimates of completed data sets by Rubin's rules.

    The variance is T = Ū + (1 + 1/m)B: the mean of the variances and, for the imputations' disagreement, the variance between
    estimates. Degrees of freedom are Barnard and Rubin's, never more than those of complete data.

    Parameters
    ----------
    estimates, variances
        One of each per imputation; a variance is a squared standard error.
    complete_df
        Degrees of freedom that complete data would have.
    level
        Coverage of the interval, 0-1.

    Returns
    -------
    The pooled estimate; where all estimates are the same, nothing was missing that matters, and it is that of complete data. All
    but the estimate is NaN where there is no variance or no degree of freedom to test against.

    Raises
    ------
    ModelError
        Fewer than two imputations, or not as many variances.

    Notes
    -----
    Rubin, Multiple Imputation for Nonresponse in Surveys, 1987; Barnard and Rubin, Biometrika 1999;86:948.

    Examples
    --------
    >>> pooled = pool_imputations([1.0, 2.0, 3.0], [0.5, 0.5, 0.5], complete_df=20)
    >>> round(pooled.estimate, 3), round(pooled.se, 3), round(pooled.df, 3)
    (2.0, 1.354, 2.149)
    """
    require_level(level)
    Q, U = np.asarray(estimates, float), np.asarray(variances, float)
    m = len(Q)
    if m < 2 or U.shape != Q.shape:
        msg = f"pool_imputations: {m} estimates and {U.size} variances; two or more are needed, and one of each."
        raise ModelError(msg)
    within, between = float(U.mean()), float(Q.var(ddof=1)) * (1 + 1 / m)
    if not (within > 0 and complete_df > 0):
        return Pooled(float(Q.mean()), *[np.nan] * 6)
    share = between / (within + between)
    share = share if share > ROUNDING else 0.0
    observed = (complete_df + 1) / (complete_df + 3) * complete_df * (1 - share)
    df = 1 / (share**2 / (m - 1) + 1 / observed) if share > 0 else complete_df
    estimate, se = float(Q.mean()), float(np.sqrt(within + between))
    half = float(stdtrit(df, (1 + level) / 2)) * se
    ratio = between / within
    fmi = (ratio + 2 / (df + 3)) / (ratio + 1) if share > 0 else 0.0
    p = float(2 * stdtr(df, -abs(estimate) / se))
    return Pooled(estimate, se, float(df), estimate - half, estimate + half, p, float(fmi))


def impute_at_random(
    y: np.ndarray, x: np.ndarray, *, imputations: int = 100, seed: int = 0, steps: int = STEPS
) -> np.ndarray:
    """Draw the missing values of repeated measures from their posterior distribution, given what was observed (MAR).

    The model is that of :func:`il2cyto.tl.mmrm` with unstructured covariance: y_i ~ N(B'x_i, Ω), where each column of y has its own
    coefficients. Each imputation is the end of a chain of its own, which draws the missing values given B and Ω and these given
    all values, with the prior ``det(Ω)^(-(T+1)/2)``; so imputations are independent, and as uncertain of B and Ω as the data are.

    Parameters
    ----------
    y
        (subjects, visits), NaN where missing.
    x
        (subjects, columns) known of every subject, of full rank: 1, arm, baseline.
    imputations
        How many.
    seed
        The same seed gives the same values.
    steps
        Length of each chain.

    Returns
    -------
    (imputations, subjects, visits): what was observed is unchanged.

    Raises
    ------
    ModelError
        Subjects are fewer than columns and visits together, no subject was seen at both of two visits, or a visit's observed
        values do not determine its coefficients or leave no variance: the data say nothing of what is to be drawn.

    Notes
    -----
    Data augmentation: Tanner and Wong, J Am Stat Assoc 1987;82:528; Schafer, Analysis of Incomplete Multivariate Data, 1997.

    Examples
    --------
    >>> y = np.array([[1.0, 2.1], [2.0, np.nan], [3.0, 4.2], [4.0, 5.1], [5.0, 5.8], [6.0, 7.1]])
    >>> filled = impute_at_random(y, np.ones((6, 1)), imputations=200)
    >>> filled.shape, bool((filled[:, 0, 1] == 2.1).all()), bool(2.7 < np.median(filled[:, 1, 1]) < 3.3)
    ((200, 6, 2), True, True)
    """
    y, x = np.asarray(y, float), np.asarray(x, float)
    seen = np.isfinite(y)
    _require_enough(seen, x)
    rng = np.random.default_rng(seed)
    inverse = np.linalg.inv(x.T @ x)
    half = np.linalg.cholesky(inverse)
    gaps = [(~pattern, np.flatnonzero((seen == pattern).all(1))) for pattern in np.unique(seen, axis=0)]
    gaps = [(missing, who) for missing, who in gaps if missing.any()]
    if not gaps:
        return np.repeat(y[None], imputations, axis=0)
    guess, scale = _first_guess(y, x, seen)
    # The first guess lies on the regression line; noise keeps the first Ω from being singular.
    filled = guess / scale + np.where(seen, 0.0, rng.standard_normal((imputations, *y.shape)))
    try:
        for _ in range(steps):
            B, omega = _draw_parameters(filled, x, inverse, half, rng)
            mean = x @ B
            for missing, who in gaps:
                filled[:, who[:, None], missing] = _draw_missing(
                    filled[:, who] - mean[:, who], mean[:, who], omega, missing, rng
                )
    except np.linalg.LinAlgError:
        msg = (
            "impute_at_random: the values of a visit are a linear combination of other visits'; leave one of them out."
        )
        raise ModelError(msg) from None
    return np.where(seen, y, filled * scale)


def _draw_parameters(
    y: np.ndarray, x: np.ndarray, inverse: np.ndarray, half: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """B (m × p × T) and Ω (m × T × T) given all values: Ω⁻¹ is Wishart with n − p degrees of freedom, B normal."""
    m, n, T = y.shape
    p = x.shape[1]
    B = inverse @ x.T @ y
    residual = y - x @ B
    S = residual.transpose(0, 2, 1) @ residual
    # Bartlett: S⁻¹ = CC', and CA(CA)' is Wishart with A lower triangular, χ on the diagonal, normal below.
    C = np.linalg.cholesky(np.linalg.inv(S))
    A = np.tril(rng.standard_normal((m, T, T)), -1)
    A[:, np.arange(T), np.arange(T)] = np.sqrt(rng.chisquare(n - p - np.arange(T), (m, T)))
    root = np.linalg.inv(C @ A).transpose(0, 2, 1)  # Ω = root root'
    return B + half @ rng.standard_normal((m, p, T)) @ root.transpose(0, 2, 1), root @ root.transpose(0, 2, 1)


def _draw_missing(
    residual: np.ndarray, mean: np.ndarray, omega: np.ndarray, missing: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Values of the missing visits of subjects with one pattern, given those that they have."""
    known = omega[:, ~missing][:, :, ~missing]
    cross = omega[:, missing][:, :, ~missing]
    slope = np.linalg.solve(known, cross.transpose(0, 2, 1)).transpose(0, 2, 1)
    left = omega[:, missing][:, :, missing] - slope @ cross.transpose(0, 2, 1)
    noise = rng.standard_normal((len(residual), residual.shape[1], int(missing.sum())))
    expected = mean[:, :, missing] + residual[:, :, ~missing] @ slope.transpose(0, 2, 1)
    return np.asarray(expected + noise @ np.linalg.cholesky(left).transpose(0, 2, 1))


def _first_guess(y: np.ndarray, x: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fill each visit by least squares on x; also the standard deviation of its residuals."""
    filled, scale = y.copy(), np.empty(y.shape[1])
    for j, here in enumerate(seen.T):
        slope = np.linalg.lstsq(x[here], y[here, j], rcond=None)[0]
        filled[~here, j] = x[~here] @ slope
        residual = y[here, j] - x[here] @ slope
        scale[j] = np.sqrt(residual @ residual / (here.sum() - x.shape[1]))
        if scale[j] <= EXACT * np.abs(y[here, j]).max():
            msg = f"impute_at_random: the columns explain visit {j + 1} of {y.shape[1]} exactly; there is nothing to draw."
            raise ModelError(msg)
    return filled, scale


def _require_enough(seen: np.ndarray, x: np.ndarray) -> None:
    n, T = seen.shape
    p = x.shape[1]
    if n < p + T:
        msg = f"impute_at_random: {n} subjects are too few for {T} visits and {p} columns; {p + T} are needed."
        raise ModelError(msg)
    together = seen.T.astype(int) @ seen.astype(int)
    if (together == 0).any():
        first, second = np.argwhere(together == 0)[0]
        msg = f"impute_at_random: no subject was seen at both visit {first + 1} and visit {second + 1} of {T}."
        raise ModelError(msg)
    if np.linalg.matrix_rank(x) < p:
        msg = f"impute_at_random: the {p} columns are linear combinations of one another; leave one out."
        raise ModelError(msg)
    for j, here in enumerate(seen.T):
        if here.sum() <= p or np.linalg.matrix_rank(x[here]) < p:
            msg = (
                f"impute_at_random: {here.sum()} observed values at visit {j + 1} of {T} do not determine {p} coefficients "
                "and a variance; a group has none, or too few."
            )
            raise ModelError(msg)

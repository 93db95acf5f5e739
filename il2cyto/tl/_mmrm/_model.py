"""`tl.mmrm`: the mixed model for repeated measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from il2cyto.errors import ModelError
from il2cyto.tl._mmrm._covariance import COVARIANCES
from il2cyto.tl._mmrm._design import make_trial
from il2cyto.tl._mmrm._fallback import fit_with_fallback
from il2cyto.tl._mmrm._frame import Roles, complete_rows
from il2cyto.tl._mmrm._result import make_result

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import pandas as pd

    from il2cyto.tl._mmrm._covariance import Covariance, FloatArray
    from il2cyto.tl._mmrm._ddf import Ddf
    from il2cyto.tl._mmrm._result import MMRMResult


def mmrm(
    frame: pl.DataFrame | pd.DataFrame,
    *,
    response: str,
    subject: str,
    visit: str,
    arm: str,
    covariates: Sequence[str] = (),
    by_visit: Sequence[str] = (),
    covariance: Covariance = "us",
    ddf: Ddf = "kenward-roger",
    control: object = None,
    fallback: bool = True,
    level: float = 0.95,
) -> MMRMResult:
    """Compare arms at each visit by a mixed model for repeated measures, fitted by REML.

    The model is y = covariates + arm × visit + ε, where the residuals of a subject's visits are jointly normal with
    covariance Ω, and subjects are independent. Subjects with missing visits contribute those they have, which is valid if
    missingness depends on observed values only (MAR). Nothing is imputed.

    Parameters
    ----------
    frame
        One row per subject and post-baseline visit. Rows that lack a value in a column of the model (null, NaN, infinite) are
        dropped and listed in `diagnostics.dropped`.
    response, subject, visit, arm
        Columns. Levels of visit and arm are in the order of an Enum or a pandas categorical, else sorted, numbers in text as
        numbers: "week 2" before "week 10".
    covariates
        Further columns, such as the baseline; text, boolean and categorical ones are coded by treatment contrasts.
    by_visit
        Covariates whose effect may differ between visits.
    covariance
        Structure of Ω: `us` unstructured; `toep` Toeplitz, one correlation for each distance of two visits in the list of
        visits; `ad` ante-dependence, one for each pair of neighbours, multiplied along the way; `ar1` correlation ρ to the
        power of the distance; `cs` one correlation. All but `us` have one variance; `toeph` and `adh` are `toep` and `ad`
        with one for each visit.
    ddf
        `kenward-roger` (with the covariance of the estimates adjusted; `us`, `toep`, `cs`) or `satterthwaite`.
    control
        The arm that the others are compared with; the first level if None.
    fallback
        If the structure does not converge, go on to ar1, to cs, and then to an analysis of covariance of each visit;
        each step is listed in `diagnostics.fallback`. With False it is an error.
    level
        Coverage of the intervals, 0-1.

    Returns
    -------
    The result: tables of coefficients, contrasts and means, and how they came about.

    Raises
    ------
    ModelError
        Columns are missing or unfit, a subject has two rows at a visit or two arms, there are no more rows than
        coefficients, Kenward-Roger is asked for with a structure that does not have it, or there is no convergence and no
        fallback.

    Notes
    -----
    Mallinckrodt et al., Drug Inf J 2008;42:303 (MMRM); Kenward and Roger, Biometrics 1997;53:983. Terms that are linear
    combinations of earlier ones are left out as R does; estimates that depend on how they are left out are NaN.

    Examples
    --------
    Simulated values of eight subjects at two visits; subject 8 missed the second.

    >>> import polars as pl
    >>> from il2cyto import tl
    >>> frame = pl.DataFrame(
    ...     {
    ...         "subject": [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8],
    ...         "week": [2, 12, 2, 12, 2, 12, 2, 12, 2, 12, 2, 12, 2, 12, 2],
    ...         "arm": ["placebo"] * 8 + ["IL-2"] * 7,
    ...         "y": [0.1, 0.3, 0.4, 0.2, 0.0, 0.1, 0.3, 0.6, 0.9, 0.5, 1.2, 0.7, 0.8, 0.9, 1.1],
    ...     }
    ... )
    >>> result = tl.mmrm(frame, response="y", subject="subject", visit="week", arm="arm", control="placebo")
    >>> result.contrasts.select("visit", pl.col("estimate", "se", "df").round(3)).rows()
    [(2, 0.8, 0.129, 6.0), (12, 0.405, 0.164, 5.024)]
    """
    _check_choices(covariance, ddf, level)
    roles = Roles(response, subject, visit, arm, tuple(covariates))
    rows, dropped = complete_rows(frame, roles)
    trial = make_trial(rows, roles, by_visit=by_visit, control=control)
    models = fit_with_fallback(trial, covariance, ddf, fallback=fallback)
    schema = pl.Schema({"arm": rows.schema[arm], "visit": rows.schema[visit]})
    return make_result(models, schema, dropped, requested=covariance, level=level)


def empirical_logit(
    count: npt.ArrayLike | Sequence[float | None], parent_count: npt.ArrayLike | Sequence[float | None]
) -> FloatArray:
    """Take the empirical logit ln((c + ½)/(n − c + ½)) of c of n events.

    Parameters
    ----------
    count
        Events in the population.
    parent_count
        Events in its parent; broadcasts with `count`.

    Returns
    -------
    Logits; NaN where a count is missing (None, NaN) or the parent empty.

    Raises
    ------
    ModelError
        A count is negative or above that of the parent, or there are not as many of both.

    Notes
    -----
    Haldane's and Anscombe's ½ keeps it finite where none or all events are in the population.

    Examples
    --------
    >>> from il2cyto import tl
    >>> tl.empirical_logit([0, 50, None], [100, 100, 100]).round(3)
    array([-5.303,  0.   ,    nan])
    """
    counts, parents = np.asarray(count, dtype=float), np.asarray(parent_count, dtype=float)
    try:
        c, n = np.broadcast_arrays(counts, parents)
    except ValueError as error:
        msg = f"empirical_logit: {counts.size} counts and {parents.size} of the parent; one of each is needed."
        raise ModelError(msg) from error
    wrong = (c < 0) | (c > n)
    if wrong.any():
        msg = f"empirical_logit: {wrong.sum()} of {c.size} counts are negative or above their parent's."
        raise ModelError(msg)
    known = np.isfinite(c) & np.isfinite(n) & (n > 0)
    c, n = np.where(known, c, 0.0), np.where(known, n, 0.0)
    return np.where(known, np.log((c + 0.5) / (n - c + 0.5)), np.nan)


def _check_choices(covariance: str, ddf: str, level: float) -> None:
    problems = []
    if covariance not in COVARIANCES:
        problems.append(f"covariance is {covariance!r}, allowed are {', '.join(COVARIANCES)}")
    if ddf not in ("kenward-roger", "satterthwaite"):
        problems.append(f"ddf is {ddf!r}, allowed are kenward-roger, satterthwaite")
    if not 0 < level < 1:
        problems.append(f"level is {level}, allowed is a fraction between 0 and 1, such as 0.95")
    if problems:
        msg = f"mmrm: {'; '.join(problems)}."
        raise ModelError(msg)

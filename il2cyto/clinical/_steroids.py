"""Glucocorticoids: prednisone equivalents and dose reduction."""

from __future__ import annotations

from typing import Final

import polars as pl

from il2cyto.clinical._course import DIGITS, course, judge, need
from il2cyto.errors import StudyError

#: Drug -> prednisone equivalent of 1 mg.
PREDNISONE_PER_MG: Final = {
    "prednisone": 1.0,
    "prednisolone": 1.0,
    "methylprednisolone": 1.25,
    "hydrocortisone": 0.25,
    "dexamethasone": 6.67,
}


def prednisone_equivalent(dose_mg: float, drug: str) -> float:
    """Convert a dose of a glucocorticoid into mg of prednisone.

    Parameters
    ----------
    dose_mg
        Dose, mg.
    drug
        ``prednisone``, ``prednisolone`` (×1), ``methylprednisolone`` (×1.25), ``hydrocortisone`` (×0.25) or
        ``dexamethasone`` (×6.67).

    Returns
    -------
    mg of prednisone.

    Raises
    ------
    StudyError
        A drug that is not listed, or a negative dose.

    Examples
    --------
    >>> prednisone_equivalent(8, "methylprednisolone")
    10.0
    """
    if drug not in PREDNISONE_PER_MG or dose_mg < 0:
        msg = (
            f"prednisone_equivalent: found {dose_mg:g} mg of {drug!r}; allowed is a dose of 0 or more of "
            f"{', '.join(PREDNISONE_PER_MG)}"
        )
        raise StudyError(msg)
    return dose_mg * PREDNISONE_PER_MG[drug]


def steroid_reduction(
    visits: pl.DataFrame, subjects: pl.DataFrame | None = None, *, reduction: float = 0.5
) -> pl.DataFrame:
    """Tell who takes at least `reduction` less prednisone than at baseline, at every visit after it.

    Parameters
    ----------
    visits
        `prednisone_mg`: daily dose in prednisone equivalents.
    subjects
        Subjects without any row in `visits` count too.
    reduction
        Share of the baseline dose, above 0 to 1.

    Returns
    -------
    subject, visit, week; steroid_reduction (non-responder imputation), steroid_reduction_obs; evaluable: the baseline
    dose is above 0; reason: ``met``, ``dose``, ``missing:dose``, ``missing:visit``, ``no_steroid_at_baseline``,
    ``missing:baseline``; dose_met; reduction: (baseline - visit) / baseline, a fraction, negative where the dose
    rose, null where not evaluable or missing.

    Raises
    ------
    StudyError
        No column `prednisone_mg`.

    Examples
    --------
    >>> import polars as pl
    >>> from il2cyto import clinical
    >>> visits = pl.DataFrame({"subject": "S1", "visit": ["W0", "W12"], "prednisone_mg": [15.0, 7.5]})
    >>> clinical.steroid_reduction(visits).select("steroid_reduction", "reduction").row(0)
    (True, 0.5)
    """
    need(visits, ["prednisone_mg"], table="visits", purpose="steroid reduction")
    base = pl.col("prednisone_mg_0")
    share = ((base - pl.col("prednisone_mg")) / base).round(DIGITS)
    frame = course(visits, subjects).with_columns(reduction=pl.when(base > 0).then(share))
    unknown = pl.when(base.is_null()).then(pl.lit("missing:baseline"))
    outside = unknown.when(base <= 0).then(pl.lit("no_steroid_at_baseline"))
    components = {"dose": pl.col("reduction") >= reduction}
    return judge(frame, "steroid_reduction", components, outside=outside, keep=["reduction"])

"""Analysis sets: who is analysed, and why others are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from il2cyto.clinical._course import baseline_visit, levels, need
from il2cyto.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Collection

NOT_RECORDED = "not recorded"


def analysis_sets(subjects: pl.DataFrame, visits: pl.DataFrame | None = None) -> pl.DataFrame:
    """Tell who belongs to the analysis sets.

    ITT: all randomised, in the arm they were randomised to. mITT: of these, at least one dose and at least one assessment of
    efficacy (SLEDAI, BILAG or PGA) after baseline. Safety: at least one dose, in the arm as treated.

    Parameters
    ----------
    subjects
        One row per subject: `arm`; `randomised`, else all with an arm; `doses_given`, else a `first_dose_day`. Columns `itt`, `mitt`
        and `safety` override where they are not blank, with `exclusion_reason`.
    visits
        One row per subject and visit; needed for mITT unless the column `mitt` is filled in.

    Returns
    -------
    subject, arm; itt, mitt, safety (never null); exclusion_reason: why a subject is not in mITT, null for those who are
    (``not randomised``, ``no dose``, ``no assessment after baseline``, the reason given in the table, ``not recorded``); arm_actual:
    the arm as treated.

    Raises
    ------
    StudyError
        Columns are missing, or a subject stands twice.

    Examples
    --------
    >>> import polars as pl
    >>> from il2cyto import clinical
    >>> subjects = pl.DataFrame({"subject": ["S1", "S2"], "arm": "IL-2", "doses_given": [21, 0]})
    >>> visits = pl.DataFrame({"subject": "S1", "visit": ["W0", "W12"], "pga": [2.0, 1.0]})
    >>> clinical.analysis_sets(subjects, visits).select("itt", "mitt", "exclusion_reason").rows()
    [(True, True, None), (True, False, 'no dose')]
    """
    need(subjects, ("subject", "arm"), table="subjects", purpose="every analysis set")
    if subjects["subject"].is_duplicated().any():
        twice = subjects.filter(pl.col("subject").is_duplicated())["subject"].unique().sort()
        msg = f"subjects: {', '.join(twice)} stand twice; keep one row each"
        raise StudyError(msg)
    subjects = _completed(subjects)
    randomised, dosed = is_randomised(subjects), _is_dosed(subjects)
    frame = subjects.with_columns(_itt=randomised, _dosed=dosed, _seen=pl.col("subject").is_in(_assessed(visits)))
    itt = pl.coalesce("itt", "_itt")
    mitt = pl.coalesce("mitt", pl.col("_itt") & pl.col("_dosed") & pl.col("_seen"))
    reason = (
        pl.when(pl.col("mitt"))
        .then(None)
        .when(pl.col("exclusion_reason").is_not_null())
        .then("exclusion_reason")
        .when((~pl.col("itt")) & ~pl.col("_itt"))
        .then(pl.lit("not randomised"))
        .when(~pl.col("_dosed"))
        .then(pl.lit("no dose"))
        .when(~pl.col("_seen"))
        .then(pl.lit("no assessment after baseline"))
        .otherwise(pl.lit(NOT_RECORDED))
    )
    sets = frame.with_columns(itt=itt, mitt=mitt, safety=pl.coalesce("safety", "_dosed"))
    return sets.select(
        "subject", "arm", "itt", "mitt", "safety", exclusion_reason=reason, arm_actual=pl.coalesce("arm_actual", "arm")
    )


def arms_of(subjects: pl.DataFrame) -> list[str]:
    """Arms in order, control first where the study says so."""
    return levels(subjects["arm"])


def is_randomised(subjects: pl.DataFrame) -> pl.Expr:
    """Randomised by its column; where that is blank or missing, whoever has an arm."""
    has_arm = pl.col("arm").is_not_null() if "arm" in subjects.columns else pl.lit(value=True)
    return pl.coalesce("randomised", has_arm) if "randomised" in subjects.columns else has_arm


def _completed(subjects: pl.DataFrame) -> pl.DataFrame:
    """Add the optional columns that a table leaves out, blank."""
    if "doses_given" not in subjects.columns and "first_dose_day" not in subjects.columns:
        need(subjects, ("mitt", "safety"), table="subjects", purpose="a study without doses_given or first_dose_day")
    optional = {
        **dict.fromkeys(("itt", "mitt", "safety"), pl.Boolean()),
        "exclusion_reason": pl.String(),
        "arm_actual": subjects["arm"].dtype,
    }
    absent = {name: pl.lit(None, dtype) for name, dtype in optional.items() if name not in subjects.columns}
    return subjects.with_columns(**absent)


def _is_dosed(subjects: pl.DataFrame) -> pl.Expr:
    # Blank in both columns: never dosed.
    tests = {"doses_given": pl.col("doses_given") > 0, "first_dose_day": pl.col("first_dose_day").is_not_null()}
    there = [test for column, test in tests.items() if column in subjects.columns]
    return pl.coalesce(*there, pl.lit(value=False))


def _assessed(visits: pl.DataFrame | None) -> Collection[str]:
    """Subjects with an assessment of efficacy after baseline."""
    if visits is None:
        return []
    columns = [name for name in visits.columns if name in {"sledai_total", "pga"} or name.startswith("bilag_")]
    order = levels(visits["visit"])
    later = order[order.index(baseline_visit(visits)) + 1 :]
    seen = visits.filter(pl.col("visit").cast(pl.String).is_in(later), pl.any_horizontal(pl.col(columns).is_not_null()))
    return seen["subject"].unique().to_list()

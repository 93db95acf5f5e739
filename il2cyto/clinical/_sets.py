"""Analysis sets: who is analysed, and why others are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from il2cyto._tidy import require_frame
from il2cyto.clinical._course import baseline_visit, is_randomised, levels, need
from il2cyto.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Collection

NOT_RECORDED = "not recorded"


def analysis_sets(subjects: pl.DataFrame, visits: pl.DataFrame | None = None) -> pl.DataFrame:
    """Tell who belongs to the analysis sets.

    ITT: all randomised, in the arm they were randomised to. mITT: of these, at least one dose and at least one
    assessment of efficacy (SLEDAI, BILAG or PGA) after baseline. Safety: at least one dose, in the arm as treated.

    Parameters
    ----------
    subjects
        One row per subject: `arm`; `randomised`, else all with an arm; `doses_given`, else a `first_dose_day`.
        Columns `itt`, `mitt` and `safety` override where they are not blank, with `exclusion_reason`.
    visits
        One row per subject and visit; needed for mITT unless the column `mitt` is filled in.

    Returns
    -------
    subject, arm; itt, safety; mitt, null only where it hangs on visits that are not given; exclusion_reason: why a
    subject is not in mITT, null for those who are (``not randomised``, ``no dose``, ``no assessment after baseline``,
    the reason given in the table, ``not recorded``); arm_actual: the arm as treated.

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
    require_frame(subjects, caller="analysis_sets")
    need(subjects, ("subject", "arm"), table="subjects", purpose="every analysis set")
    if subjects["subject"].is_duplicated().any():
        twice = subjects.filter(pl.col("subject").is_duplicated())["subject"].unique().sort()
        msg = f"subjects: {', '.join(twice)} stand twice; keep one row each"
        raise StudyError(msg)
    subjects = _completed(subjects)
    seen = pl.lit(None, pl.Boolean) if visits is None else pl.col("subject").is_in(_assessed(visits))
    frame = subjects.with_columns(
        _randomised=is_randomised(subjects), _dosed=_is_dosed(subjects), _seen=seen
    ).with_columns(itt=pl.coalesce("itt", "_randomised"), safety=pl.coalesce("safety", "_dosed"))
    frame = frame.with_columns(mitt=pl.coalesce("mitt", pl.col("itt") & pl.col("_dosed") & pl.col("_seen")))
    reason = pl.when(~pl.col("mitt")).then(
        pl.coalesce(
            "exclusion_reason",
            pl.when(~pl.col("_randomised")).then(pl.lit("not randomised")),
            pl.when("itt", ~pl.col("_dosed")).then(pl.lit("no dose")),
            pl.when("itt", ~pl.col("_seen")).then(pl.lit("no assessment after baseline")),
            pl.lit(NOT_RECORDED),
        )
    )
    return frame.select(
        "subject", "arm", "itt", "mitt", "safety", exclusion_reason=reason, arm_actual=pl.coalesce("arm_actual", "arm")
    )


def arms_of(subjects: pl.DataFrame) -> list[str]:
    """Arms in order, control first where the study says so."""
    return levels(subjects["arm"])


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


def _assessed(visits: pl.DataFrame) -> Collection[str]:
    """Subjects with an assessment of efficacy after baseline."""
    columns = [name for name in visits.columns if name == "pga" or name.startswith(("sledai_", "bilag_"))]
    order = levels(visits["visit"])
    later = order[order.index(baseline_visit(visits)) + 1 :]
    seen = visits.filter(pl.col("visit").cast(pl.String).is_in(later), pl.any_horizontal(pl.col(columns).is_not_null()))
    return seen["subject"].unique().to_list()

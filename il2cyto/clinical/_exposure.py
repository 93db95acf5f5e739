"""Exposure: doses, compliance, cycles, days on study."""

from __future__ import annotations

import polars as pl

from il2cyto.clinical._course import need
from il2cyto.clinical._sets import analysis_sets
from il2cyto.errors import StudyError

DAYS_PER_YEAR = 365.25


def exposure(subjects: pl.DataFrame, *, cycles: int | None = None) -> pl.DataFrame:
    """Give doses and time on study of every dosed subject.

    Parameters
    ----------
    subjects
        One row per subject: `arm`, `doses_planned`, `doses_given`, `dose_miu`, `first_dose_day`, `last_dose_day`,
        `end_day`.
    cycles
        Planned cycles of treatment; `doses_planned` is spread evenly over them.

    Returns
    -------
    The safety set: subject; arm as treated; doses_planned, doses_given; compliance: given / planned, a fraction;
    cumulative_miu: million IU; cycles_completed: full cycles' worth of doses, null without `cycles`; days_on_drug:
    first to last dose, both counted; days_on_study: day of the end. A column that the table lacks, or a blank cell,
    gives null.

    Raises
    ------
    StudyError
        Columns are missing, or `cycles` does not divide the planned doses.

    Examples
    --------
    >>> import polars as pl
    >>> from il2cyto import clinical
    >>> subjects = pl.DataFrame(
    ...     {"subject": ["S1"], "arm": ["IL-2"], "doses_planned": [21], "doses_given": [20], "dose_miu": [1.0]}
    ... )
    >>> row = clinical.exposure(subjects, cycles=3).row(0, named=True)
    >>> round(row["compliance"], 3), row["cumulative_miu"], row["cycles_completed"]
    (0.952, 20.0, 2)
    """
    need(subjects, ("doses_planned", "doses_given"), table="subjects", purpose="exposure")
    if cycles is not None and (cycles < 1 or subjects.filter(pl.col("doses_planned") % cycles != 0).height):
        msg = f"exposure: cycles is {cycles}; allowed is a number that divides doses_planned of every subject"
        raise StudyError(msg)
    optional = ("dose_miu", "first_dose_day", "last_dose_day", "end_day")
    absent = {name: pl.lit(None, pl.Float64) for name in optional if name not in subjects.columns}
    safety = analysis_sets(subjects).filter("safety").select("subject", arm="arm_actual")
    planned, given = pl.col("doses_planned"), pl.col("doses_given")
    full = (given // (planned // cycles)) if cycles else pl.lit(None, pl.Int64)
    return safety.join(
        subjects.with_columns(**absent).drop("arm"), on="subject", how="left", maintain_order="left"
    ).select(
        "subject",
        "arm",
        "doses_planned",
        "doses_given",
        compliance=pl.when(planned > 0).then(given / planned),
        cumulative_miu=given * pl.col("dose_miu"),
        cycles_completed=pl.when(planned > 0).then(full),
        days_on_drug=days_between(pl.col("first_dose_day"), pl.col("last_dose_day")),
        days_on_study=pl.col("end_day"),
    )


def days_between(first: pl.Expr, last: pl.Expr) -> pl.Expr:
    """Count the days from one to another, both included; there is no day 0."""
    return last - first + 1 - ((first < 0) & (last > 0)).cast(pl.Int64)

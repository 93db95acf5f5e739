"""Adverse events by arm: each subject once per row, and how many events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from il2cyto.clinical._course import need
from il2cyto.clinical._exposure import DAYS_PER_YEAR, days_between
from il2cyto.clinical._sets import analysis_sets, arms_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TEAE_DAYS: Final = 28


def _in_group(name: str) -> pl.Expr:
    return pl.col("group").str.replace_all(" ", "").str.split(";").list.contains(name)


#: Row -> columns that it needs, and which events it counts.
ROWS: Final[Mapping[str, tuple[tuple[str, ...], pl.Expr]]] = {
    "any": ((), pl.lit(value=True)),
    "related": (("related",), pl.col("related") != "not"),
    "serious": (("serious",), pl.col("serious")),
    "grade_3_or_more": (("grade",), pl.col("grade") >= 3),
    "discontinuation": (("action",), pl.col("action") == "withdrawn"),
    "infection": (("group",), _in_group("infection")),
    "serious_infection": (("group", "serious"), _in_group("infection") & pl.col("serious")),
    **{
        name: (("group",), _in_group(name))
        for name in ("injection_site", "fever", "flu_like", "urti", "herpes_zoster", "pneumonia", "npsle")
    },
}


def treatment_emergent(events: pl.DataFrame, subjects: pl.DataFrame, *, days: int = TEAE_DAYS) -> pl.DataFrame:
    """Mark the events that began under treatment: from the first dose to `days` after the last.

    Parameters
    ----------
    events
        One row per event: `subject`, `start_day`.
    subjects
        One row per subject: `arm`, `first_dose_day`, `last_dose_day`.
    days
        Days after the last dose that still count.

    Returns
    -------
    `events` with arm (as treated) and treatment_emergent. An event whose start is blank counts, unless it ended
    before the first dose; one of a subject outside the safety set does not.

    Raises
    ------
    StudyError
        Columns are missing.

    Examples
    --------
    >>> import polars as pl
    >>> from il2cyto import clinical
    >>> subjects = pl.DataFrame({"subject": ["S1"], "arm": ["IL-2"], "first_dose_day": [1], "last_dose_day": [69]})
    >>> events = pl.DataFrame({"subject": "S1", "start_day": [-3, 1, 97, 98]})
    >>> clinical.treatment_emergent(events, subjects)["treatment_emergent"].to_list()
    [False, True, True, False]
    """
    need(events, ("subject", "start_day"), table="adverse_events", purpose="the treatment-emergent rule")
    need(subjects, ("first_dose_day", "last_dose_day"), table="subjects", purpose="the treatment-emergent rule")
    sets = analysis_sets(subjects).select("subject", "safety", arm="arm_actual")
    doses = subjects.select("subject", _first="first_dose_day", _last="last_dose_day")
    frame = (
        events.drop("arm", strict=False)
        .join(sets, "subject", "left", maintain_order="left")
        .join(doses, "subject", "left", maintain_order="left")
    )
    start, before = pl.col("start_day"), pl.lit(value=False)
    if "end_day" in events.columns:
        before = (pl.col("end_day") < pl.col("_first")).fill_null(value=False)
    began = (start >= pl.col("_first")) & (start <= _last_day(days))
    emergent = pl.col("safety").fill_null(value=False) & pl.when(start.is_null()).then(~before).otherwise(began)
    return frame.with_columns(treatment_emergent=emergent.fill_null(value=False)).drop("safety", "_first", "_last")


def _last_day(days: int) -> pl.Expr:
    # There is no day 0: who was dosed last before day 1 is followed for one number more.
    last = pl.col("_last") + days
    return last + ((pl.col("_last") < 0) & (last >= 0)).cast(pl.Int64)


def adverse_events(events: pl.DataFrame, subjects: pl.DataFrame, *, days: int = TEAE_DAYS) -> pl.DataFrame:
    """Count subjects and treatment-emergent events by arm, in fixed rows.

    Parameters
    ----------
    events
        One row per event: `subject`, `start_day`; `related`, `serious`, `grade`, `action`, `group` where they are
        known.
    subjects
        One row per subject: arm, doses, first and last dose day.
    days
        Days after the last dose that still count.

    Returns
    -------
    row, arm (as treated); subjects: with at least one such event, each once; n: the safety set; proportion: subjects
    / n, null where n is 0; events; patient_years: time at risk of the arm, first dose to `days` after the last or the
    end of the study if that is sooner. Rows: any, related (possibly or more), serious, grade_3_or_more,
    discontinuation (treatment withdrawn), infection, serious_infection, injection_site, fever, flu_like, urti,
    herpes_zoster, pneumonia, npsle; a row whose columns the table lacks is left out.

    Raises
    ------
    StudyError
        Columns are missing.

    Examples
    --------
    >>> from il2cyto import clinical, datasets, io
    >>> data = io.read_clinical(io.read_study(datasets.sample_data_path()))
    >>> table = clinical.adverse_events(data.adverse_events, data.subjects)
    >>> table.filter(row="infection").select("arm", "subjects", "n").rows()
    [('placebo', 1, 4), ('IL-2', 0, 4)]
    """
    frame = treatment_emergent(events, subjects, days=days).filter("treatment_emergent")
    arms = _arms(subjects, days)
    parts = [
        _count(frame.filter(condition), arms, {"row": name})
        for name, (columns, condition) in ROWS.items()
        if set(columns) <= set(frame.columns)
    ]
    return pl.concat(parts)


def adverse_events_by_term(events: pl.DataFrame, subjects: pl.DataFrame, *, days: int = TEAE_DAYS) -> pl.DataFrame:
    """Count subjects and treatment-emergent events by arm, system organ class and preferred term.

    Parameters
    ----------
    events
        One row per event, with `soc` and `pt` as given: no dictionary is applied.
    subjects, days
        As in :func:`adverse_events`.

    Returns
    -------
    soc, pt (null: the row of the whole class; ``not coded``: blank), arm and the columns of :func:`adverse_events`;
    classes, and terms in a class, by falling number of subjects in the last arm, then in all, then by name.

    Raises
    ------
    StudyError
        Columns are missing.
    """
    need(events, ("soc", "pt"), table="adverse_events", purpose="the table of terms")
    coded = events.with_columns(pl.col("soc", "pt").fill_null("not coded"))
    frame = treatment_emergent(coded, subjects, days=days).filter("treatment_emergent")
    arms = _arms(subjects, days)
    active = arms["arm"][-1] if arms.height else None
    parts = [_count(frame.clear(), arms, {"soc": "", "pt": ""}).clear()]
    for soc in _by_frequency(frame, "soc", active):
        inside = frame.filter(soc=soc)
        parts.append(_count(inside, arms, {"soc": soc, "pt": None}))
        terms = _by_frequency(inside, "pt", active)
        parts += [_count(inside.filter(pt=term), arms, {"soc": soc, "pt": term}) for term in terms]
    return pl.concat(parts)


def _arms(subjects: pl.DataFrame, days: int) -> pl.DataFrame:
    """Size of the safety set of each arm, and its time at risk."""
    safety = analysis_sets(subjects).filter("safety").select("subject", arm="arm_actual")
    ends = [_last_day(days), *([pl.col("end_day")] if "end_day" in subjects.columns else [])]
    time = subjects.with_columns(_last="last_dose_day").select(
        "subject", days=days_between(pl.col("first_dose_day"), pl.min_horizontal(ends))
    )
    counts = safety.join(time, "subject", "left").group_by("arm").agg(n=pl.len(), days=pl.col("days").sum())
    arms = pl.DataFrame({"arm": pl.Series(arms_of(subjects), dtype=safety["arm"].dtype)})
    return arms.join(counts, "arm", "left", maintain_order="left").select(
        "arm", pl.col("n").fill_null(0), patient_years=pl.col("days").fill_null(0) / DAYS_PER_YEAR
    )


def _count(events: pl.DataFrame, arms: pl.DataFrame, row: Mapping[str, str | None]) -> pl.DataFrame:
    counts = events.group_by("arm").agg(subjects=pl.col("subject").n_unique(), events=pl.len())
    n = pl.col("n")
    return (
        arms.join(counts, "arm", "left", maintain_order="left")
        .with_columns(
            pl.col("subjects", "events").fill_null(0), *(pl.lit(v, pl.String).alias(k) for k, v in row.items())
        )
        .with_columns(proportion=pl.when(n > 0).then(pl.col("subjects") / n))
        .select(*row, "arm", "subjects", "n", "proportion", "events", "patient_years")
    )


def _by_frequency(events: pl.DataFrame, column: str, active: str | None) -> Sequence[str]:
    subject = pl.col("subject")
    counts = events.group_by(column).agg(
        first=subject.filter(pl.col("arm") == active).n_unique(), second=subject.n_unique()
    )
    return counts.sort("first", "second", column, descending=[True, True, False])[column].to_list()

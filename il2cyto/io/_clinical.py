"""Read the clinical tables of a study: validated, with everything that is wrong in one message."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from il2cyto._clinical_settings import ClinicalSettings
from il2cyto.errors import StudyError
from il2cyto.io._clinical_sheets import (
    ADVERSE_EVENT_COLUMNS,
    PLAUSIBLE,
    date_problems,
    day_problems,
    event_problems,
    unknown_columns,
    visit_columns,
)
from il2cyto.io._sheets import Sheet, blanks, not_in, read_sheet, repeats
from il2cyto.io._study import SUBJECT_COLUMNS, read_trial
from il2cyto.io._validation import nearest, show

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from il2cyto.io._sheet_cells import Column
    from il2cyto.study import Trial

_QUERY_SCHEMA: Final = {
    **dict.fromkeys(("table", "subject", "visit", "column"), pl.String),
    "line": pl.Int64,
    "found": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "unit": pl.String,
}
# Columns of adverse events whose blanks make an event count in fewer rows of a table.
_COUNTED: Final = ("serious", "related", "grade", "group")


@dataclass(frozen=True)
class ClinicalData:
    """The clinical tables of a study, as :func:`il2cyto.io.read_clinical` gives them.

    Attributes
    ----------
    subjects
        One row per subject; `arm` is an Enum of the study's arms, control first. None: the study has no such table.
    visits
        One row per subject and visit that took place; `visit` is an Enum in the order of the schedule, `week`
        (planned) and `baseline` come from the schedule. Blank cells are null. None: no such table.
    adverse_events
        One row per event, or None.
    notices
        What a reader should know: unknown columns, values to be asked about.
    queries
        Values that are implausible for the unit of their column, left as they are: table, subject, visit, column,
        line, found, low and high (what is plausible), unit.
    """

    subjects: pl.DataFrame | None
    visits: pl.DataFrame | None
    adverse_events: pl.DataFrame | None
    notices: tuple[str, ...]
    queries: pl.DataFrame


def read_clinical(study: Trial | str | Path) -> ClinicalData:
    """Read the tables of visits and adverse events that a study names, beside its table of subjects.

    Parameters
    ----------
    study
        From :func:`il2cyto.io.read_study`, or the path of ``study.yaml``.

    Returns
    -------
    The tables with typed columns: booleans, numbers in the unit of the column's name (``albumin_g_l``), text. A blank
    cell is null, never 0 or False. Columns that il2cyto does not know are kept as text, with a notice.

    Raises
    ------
    StudyError
        With every problem of all tables, a line each: table, line, column, what was found, what is allowed. Dates are
        refused without being quoted: they may identify a person.

    Examples
    --------
    >>> from il2cyto import datasets, io
    >>> data = io.read_clinical(io.read_study(datasets.sample_data_path()))
    >>> data.visits.select("subject", "visit", "week", "sledai_total", "c3_g_l").row(0)
    ('SIM-001', 'W0', 0.0, 20, 0.65)
    """
    if isinstance(study, (str, Path)):
        study = read_trial(study)
    settings = study.clinical or ClinicalSettings()
    visits = _read_visits(study, settings)
    events = _read_adverse_events(study, settings)
    sheets = [sheet for sheet in (visits, events) if sheet is not None]
    problems = [message for sheet in sheets for message in sheet.messages()]
    if visits is not None and not study.schedule:
        problems.insert(0, "study.yaml: schedule: missing, but there is a table of visits; list the planned visits")
    if problems:
        raise StudyError("\n".join(problems))
    queries = _queries(visits)
    return ClinicalData(
        subjects=_with_arms(study),
        visits=None if visits is None else _with_schedule(visits.frame.drop("line"), study),
        adverse_events=None if events is None else events.frame.drop("line"),
        notices=tuple(_notices(study, settings, visits, events, queries)),
        queries=queries,
    )


def _read_visits(study: Trial, settings: ClinicalSettings) -> Sheet | None:
    if settings.visits is None:
        return None
    columns = visit_columns(settings)
    sheet = read_sheet(study.path(settings.visits), columns)
    if not _check_subjects(sheet, study) or "visit" not in sheet.frame.columns:
        return sheet
    rows = sheet.frame.to_dicts()
    sheet.problems += blanks(sheet, "visit", rows)
    for row in rows:
        if row["visit"] is not None and study.schedule and row["visit"] not in study.visits:
            sheet.problems.append((row["line"], f"visit: {not_in(row['visit'], 'the schedule', study.visits)}"))
        sheet.problems += [(row["line"], problem) for problem in day_problems(row, "study_day")]
    keyed = [row for row in rows if row["subject"] and row["visit"]]
    for line, (row, before) in repeats(keyed, lambda row: (row["subject"], row["visit"])).items():
        what = f"subject {show(row['subject'])}, visit {show(row['visit'])}"
        sheet.problems.append((line, f"{what} stand in line {before} already; keep one row"))
    sheet.problems += date_problems(sheet, columns)
    return sheet


def _read_adverse_events(study: Trial, settings: ClinicalSettings) -> Sheet | None:
    if settings.adverse_events is None:
        return None
    sheet = read_sheet(study.path(settings.adverse_events), ADVERSE_EVENT_COLUMNS)
    if not _check_subjects(sheet, study) or "term" not in sheet.frame.columns:
        return sheet
    rows = sheet.frame.to_dicts()
    sheet.problems += blanks(sheet, "term", rows)
    for row in rows:
        sheet.problems += [(row["line"], problem) for problem in event_problems(row)]
    for line, (row, before) in repeats(rows, lambda row: row.get("ae_id")).items():
        sheet.problems.append((line, f"ae_id: {show(row['ae_id'])} stands in line {before} already; keep one row"))
    sheet.problems += date_problems(sheet, ADVERSE_EVENT_COLUMNS)
    return sheet


def _check_subjects(sheet: Sheet, study: Trial) -> bool:
    """Note subjects that are blank or unknown; False where there is no such column."""
    if "subject" not in sheet.frame.columns:
        return False
    rows = sheet.frame.to_dicts()
    sheet.problems += blanks(sheet, "subject", rows)
    if study.subject_sheet is None:
        return True
    known = study.subject_sheet["subject"].to_list()
    for row in rows:
        subject = row["subject"]
        if subject is not None and subject not in known:
            near = nearest(subject, known)
            text = f"subject: {show(subject)} is not in the table of subjects{f'; nearest {near}' if near else ''}"
            sheet.problems.append((row["line"], text))
    return True


def _with_arms(study: Trial) -> pl.DataFrame | None:
    if study.subject_sheet is None or not study.arms:
        return study.subject_sheet
    arms = pl.Enum(study.arms)
    return study.subject_sheet.with_columns(pl.col("^arm(_actual)?$").cast(arms))


def _with_schedule(visits: pl.DataFrame, study: Trial) -> pl.DataFrame:
    planned = pl.col("visit").cast(pl.Enum(study.visits))
    week = pl.col("visit").replace_strict(study.weeks, return_dtype=pl.Float64)
    added = visits.with_columns(visit=planned, week=week, baseline=pl.col("visit") == study.baseline_visit)
    first = ("subject", "visit", "week", "baseline")
    return added.select(*first, pl.exclude(*first))


def _queries(visits: Sheet | None) -> pl.DataFrame:
    if visits is None:
        return pl.DataFrame(schema=_QUERY_SCHEMA)
    rows: list[dict[str, Any]] = []
    for column, (unit, low, high) in PLAUSIBLE.items():
        if column in visits.frame.columns:
            odd = visits.frame.filter(~pl.col(column).is_between(low, high))
            rows += [
                {"table": visits.name, "column": column, "found": row[column], "low": low, "high": high, "unit": unit}
                | {key: row[key] for key in ("line", "subject", "visit")}
                for row in odd.iter_rows(named=True)
            ]
    return pl.DataFrame(rows, schema=_QUERY_SCHEMA)


def value_notices(queries: pl.DataFrame) -> Iterator[str]:
    """Say of each column with implausible values how many there are and where, from :attr:`ClinicalData.queries`."""
    for (table, column), odd in queries.group_by("table", "column", maintain_order=True):
        lines, n = ", ".join(map(str, odd["line"][:3])), odd.height
        more = f" and {n - 3} more" if n > 3 else ""
        unit, low, high = odd.select("unit", "low", "high").row(0)
        yield (
            f"{table}: {column}: implausible in {unit} (usually {low:g} to {high:g}) in line{'s' if n > 1 else ''} {lines}{more}; "
            "check the unit; nothing was converted"
        )


def _notices(
    study: Trial, settings: ClinicalSettings, visits: Sheet | None, events: Sheet | None, queries: pl.DataFrame
) -> Iterator[str]:
    tables: list[tuple[Sheet, tuple[Column, ...]]] = []
    if study.subject_sheet is not None and study.subjects is not None:
        tables.append((Sheet(study.subjects.name, study.subject_sheet), SUBJECT_COLUMNS))
    if visits is not None:
        tables.append((visits, visit_columns(settings)))
    if events is not None:
        tables.append((events, ADVERSE_EVENT_COLUMNS))
    for sheet, columns in tables:
        if unknown := unknown_columns(sheet, columns):
            yield f"{sheet.name}: il2cyto does not know these columns and keeps them as text: {', '.join(unknown)}"
    yield from value_notices(queries)
    if events is not None:
        blank = events.frame.select(pl.col(f"^({'|'.join(_COUNTED)})$").null_count())
        for name, n in blank.to_dicts()[0].items() if blank.width else ():
            if n:
                yield f"{events.name}: {name}: {n} blank; such events count in no row of a table that asks for it"

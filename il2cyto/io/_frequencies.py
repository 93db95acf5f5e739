"""Frequencies of somebody else's trial: a tidy sheet, one row per subject, visit and population."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from il2cyto.errors import StudyError
from il2cyto.io._sheet_cells import Column
from il2cyto.io._sheets import Sheet, blanks, not_in, read_sheet, repeats
from il2cyto.io._validation import show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from il2cyto.study import TrialFile

FREQUENCY_COLUMNS: Final = (
    Column("sample"),
    Column("subject", required=True, accepted=("USUBJID",), fallback="SUBJID"),
    Column("visit", required=True, accepted=("AVISIT",)),
    Column("week", "float"),
    Column("arm", accepted=("TRT01P", "TRTP")),
    Column("panel"),
    Column("batch"),
    Column("replicate"),
    Column("population", required=True),
    Column("parent"),
    Column("denominator"),
    Column("count", "int", low=0),
    Column("parent_count", "int", low=0),
    Column("frequency", "float", low=0, high=1),
    Column("flags"),
)
_KEY: Final = ("subject", "visit", "replicate", "panel", "population", "denominator")
#: Below this many events a frequency is detectable, below the first not even that: the floors of gating.
_FEW: Final = ((20, "BELOW_DETECTION"), (50, "DETECTABLE"))


def read_frequencies(path: str | Path, *, trial: TrialFile | None = None) -> pl.DataFrame:
    """Read a sheet of frequencies, one row per subject, visit, population and denominator.

    Parameters
    ----------
    path
        CSV or Excel with the columns `subject`, `visit`, `population`; `count` and `parent_count`, or `frequency` (0-1); and as
        far as there are such, `arm`, `week`, `parent`, `denominator`, `batch`, `replicate`, `sample`, `flags`.
    trial
        The study file's trial: its arms and visits are the only ones allowed, and weeks and arms that the sheet lacks come from it.

    Returns
    -------
    The rows as :func:`il2cyto.get.frequencies` gives them, `visit` and `arm` as Enum. `parent` is the denominator. A blank
    frequency with counts is their ratio. Where there are no `flags`, counts below 20 get ``BELOW_DETECTION``, below 50
    ``DETECTABLE``. Counts that the sheet does not have are null.

    Raises
    ------
    StudyError
        With every problem of the sheet, a line each.
    """
    path = Path(path)
    sheet = read_sheet(path, FREQUENCY_COLUMNS)
    if {"subject", "visit", "population"} <= set(sheet.frame.columns):
        sheet.problems += _problems(sheet, trial)
    if not sheet.problems and sheet.frame.is_empty():
        sheet.problems.append((0, "no rows below the headings"))
    if sheet.problems:
        raise StudyError("\n".join(sheet.messages()))
    return _completed(sheet.frame, trial)


def _problems(sheet: Sheet, trial: TrialFile | None) -> Iterator[tuple[int, str]]:
    rows: list[dict[str, Any]] = [dict.fromkeys(_KEY) | row for row in sheet.frame.to_dicts()]
    for column in ("subject", "visit", "population"):
        yield from blanks(sheet, column, rows)
    counted = {"count", "parent_count"} <= set(sheet.frame.columns)
    if not counted and "frequency" not in sheet.frame.columns:
        yield 0, "no column frequency, nor count and parent_count; add the one or both of the others"
    for row in rows:
        c, n = row.get("count"), row.get("parent_count")
        if c is not None and n is not None and c > n:
            yield row["line"], f"count: found {c}, more than the {n} of parent_count"
    named = [row for row in rows if row["subject"] and row["visit"] and row["population"]]
    what = "subject, visit, population and denominator"
    for line, (_, before) in repeats(named, lambda row: tuple(_parent(row) if k == "denominator" else row[k] for k in _KEY)).items():  # fmt: skip
        yield line, f"{what} stand in line {before} already; keep one row, or number replicates in a column replicate"
    if trial is not None:
        yield from _stranger_problems(rows, trial)
    yield from _constant_problems(named)


def _stranger_problems(rows: list[dict[str, Any]], trial: TrialFile) -> Iterator[tuple[int, str]]:
    visits = [planned.visit for planned in trial.schedule]
    for column, allowed, where in (("visit", visits, "the schedule"), ("arm", trial.arms, "arms of the study")):
        for row in rows:
            if allowed and row.get(column) is not None and row[column] not in allowed:
                yield row["line"], f"{column}: {not_in(row[column], where, allowed)}"


def _constant_problems(rows: list[dict[str, Any]]) -> Iterator[tuple[int, str]]:
    """A subject is in one arm, a visit in one week."""
    for of, column in (("subject", "arm"), ("visit", "week")):
        first: dict[str, tuple[Any, int]] = {}
        for row in rows:
            if row.get(column) is None:
                continue
            value, line = first.setdefault(row[of], (row[column], row["line"]))
            if value != row[column]:
                text = f"{column}: found {row[column]} for {of} {show(row[of])}, but {value} in line {line}"
                yield row["line"], text


def _parent(row: dict[str, Any]) -> str | None:
    return row.get("denominator") or row.get("parent")


def _completed(frame: pl.DataFrame, trial: TrialFile | None) -> pl.DataFrame:
    kinds = {"week": pl.Float64, "count": pl.Int64, "parent_count": pl.Int64, "frequency": pl.Float64}
    absent = {
        c.name: pl.lit(None, kinds.get(c.name, pl.String)) for c in FREQUENCY_COLUMNS if c.name not in frame.columns
    }
    frame = frame.with_columns(**absent)
    count, total = pl.col("count").cast(pl.Float64), pl.col("parent_count").cast(pl.Float64)
    few = pl.coalesce(*(pl.when(pl.col("count") < n).then(pl.lit(flag)) for n, flag in _FEW), pl.lit(""))
    # Whoever wrote flags has left the frequency blank where it is not evaluable; counts alone mean to be divided.
    ratio = pl.when(total > 0).then(count / total)
    judged = bool(frame["flags"].count()) and bool(frame["frequency"].count())
    visits = _visit_levels(frame, trial)
    arms = list(trial.arms) if trial is not None and trial.arms else _in_order(frame["arm"])
    sample = pl.concat_str(["subject", "visit", "replicate"], separator="_", ignore_nulls=True)
    weeks = {planned.visit: planned.week for planned in trial.schedule} if trial is not None else {}
    planned = pl.col("visit").replace_strict(weeks, default=None, return_dtype=pl.Float64)
    return frame.select(
        pl.coalesce("sample", sample).alias("sample"),
        "subject",
        pl.col("visit").cast(pl.Enum(visits)),
        pl.coalesce(planned, "week").alias("week"),
        pl.col("arm").cast(pl.Enum(arms)),
        "panel",
        "batch",
        "population",
        pl.coalesce("denominator", "parent", pl.lit("parent")).alias("parent"),
        "count",
        "parent_count",
        pl.col("frequency") if judged else pl.coalesce("frequency", ratio).alias("frequency"),
        pl.when(pl.lit(judged)).then(pl.col("flags").fill_null("")).otherwise(pl.coalesce("flags", few)).alias("flags"),
    )


def _visit_levels(frame: pl.DataFrame, trial: TrialFile | None) -> list[str]:
    if trial is not None and trial.schedule:
        return [planned.visit for planned in trial.schedule]
    return _in_order(frame.sort("week", nulls_last=True, maintain_order=True)["visit"])


def _in_order(values: pl.Series) -> list[str]:
    found: list[str] = values.drop_nulls().unique(maintain_order=True).to_list()
    return found

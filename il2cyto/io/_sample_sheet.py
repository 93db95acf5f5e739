"""The sample sheet: which file is which tube of whom, at which visit, in which batch."""

from __future__ import annotations

import os
import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from il2cyto.io._sheet_cells import Column
from il2cyto.io._sheets import Sheet, blanks, not_in, read_sheet, repeats
from il2cyto.io._validation import nearest, show

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence, Set
    from pathlib import Path

SAMPLE_COLUMNS: Final = (
    Column("sample"),
    Column("file", required=True),
    Column("subject", required=True, accepted=("USUBJID",), fallback="SUBJID"),
    Column("visit", required=True, accepted=("AVISIT",)),
    Column("panel"),
    Column("batch"),
    Column("role"),
    Column("control", "bool"),
    Column("site", accepted=("SITEID",)),
    Column("cytometer", accepted=("instrument",)),
    Column("tube"),
    Column("replicate"),
    Column("study_day", "int", accepted=("ADY",)),
    Column("beads_per_ul", "float"),
    Column("dilution", "float"),
    Column("lymphocytes_1e9_l", "float"),
    Column("visit_number", "float", accepted=("AVISITN", "VISITNUM")),
)
_STORES = ("s3://", "gs://", "abfs://")
# A sample's id names its result file, on any system.
_SAFE: Final = re.compile(
    r"(?!(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$))[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9_-])?", re.IGNORECASE
)
_ROLE: Final = re.compile(r"sample|unstained|single_stain|fmo:\S.*")


def read_samples(
    path: Path, *, folder: Path, panels: Sequence[str], visits: Sequence[str], subjects: Set[str] | None
) -> Sheet:
    """Read a sample sheet.

    Parameters
    ----------
    path
        The sheet.
    folder
        Where its relative file names start.
    panels, visits
        What the study knows; empty where it does not say.
    subjects
        The subjects that have a row in the table of subjects; None where there is no such table.

    Returns
    -------
    The sheet with the columns of :attr:`il2cyto.study.Study.sheet`, and its problems.
    """
    sheet = read_sheet(path, SAMPLE_COLUMNS)
    if sheet.frame.is_empty() or not {"file", "subject", "visit"} <= set(sheet.frame.columns):
        if not sheet.problems:
            sheet.problems.append((0, "no samples: there is nothing below the headings"))
        return sheet
    rows = [_completed(row, panels) for row in sheet.frame.to_dicts()]
    sheet.problems += _blanks(sheet, rows)
    for row in rows:
        problems = [*_value_problems(row), *_study_problems(row, panels, visits, subjects)]
        sheet.problems += [(row["line"], problem) for problem in problems]
    sheet.problems += _duplicates(rows, folder)
    first = ("sample", "file", "subject", "visit", "panel", "batch", "role", "control", "line")
    order = [*first, *(column for column in sheet.frame.columns if column not in first)]
    schema: dict[str, Any] = {**dict.fromkeys(first, pl.String), **sheet.frame.schema, "control": pl.Boolean}
    sheet.frame = pl.DataFrame(rows, schema={name: schema[name] for name in order})
    return sheet


def _completed(row: Mapping[str, Any], panels: Sequence[str]) -> dict[str, Any]:
    """Fill in what a sheet may leave out."""
    row = {**dict.fromkeys(("sample", "panel", "batch", "role", "control")), **row}
    row["role"] = row["role"] or "sample"
    row["control"] = bool(row["control"])
    if row["file"]:
        row["file"] = row["file"].replace("\\", "/")  # sheets are often written on Windows
    if row["panel"] is None and len(panels) == 1:
        row["panel"] = panels[0]
    if row["sample"] is None:
        row["sample"] = _derived_id(row, several_panels=len(panels) > 1)
    return row


def _derived_id(row: Mapping[str, Any], *, several_panels: bool) -> str | None:
    # From the row alone: a file that is added later renames no sample.
    if _is_specimen(row) and row["subject"] and row["visit"]:
        panel = row["panel"] if several_panels else None
        parts = [row["subject"], row["visit"], panel, row.get("tube"), row.get("replicate")]
        text = "_".join(part for part in parts if part)
    else:
        text = PurePath(row["file"]).stem if row["file"] else ""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip(".-") or None


def _is_specimen(row: Mapping[str, Any]) -> bool:
    """Tell a subject's tube from a bridging control, an FMO or a single stain."""
    return row["role"] == "sample" and not row["control"]


def _blanks(sheet: Sheet, rows: list[dict[str, Any]]) -> Iterator[tuple[int, str]]:
    for column in ("file", "subject", "visit", "panel"):
        needed = [row for row in rows if column in {"file", "panel"} or _is_specimen(row)]
        yield from blanks(sheet, column, needed)
    if all(row["batch"] is None for row in rows):
        for row in rows:
            row["batch"] = "1"
    for line, _ in blanks(sheet, "batch", rows):
        # The blanks would silently form a batch of their own.
        yield line, "batch: blank; fill it in, or leave the whole column blank"


def _value_problems(row: Mapping[str, Any]) -> Iterator[str]:
    if row["file"] is not None and "://" in row["file"] and not row["file"].startswith(_STORES):
        yield f"file: a URL; allowed is a path, absolute or relative to the study file, or an object of {', '.join(_STORES)}"
    if not _ROLE.fullmatch(row["role"]):
        yield f"role: found {show(row['role'])}; allowed sample, unstained, single_stain, fmo:<marker> or blank"
    if row["sample"] is not None and not _SAFE.fullmatch(row["sample"]):
        yield f"sample: {show(row['sample'])} cannot name a file; allowed are up to 100 letters, digits and . _ -"
    for column in ("beads_per_ul", "dilution", "lymphocytes_1e9_l"):
        if row.get(column) is not None and row[column] <= 0:
            yield f"{column}: found {row[column]:g}; allowed is a number above 0, or blank where it is not known"
    if row.get("study_day") == 0:
        yield "study_day: found 0; there is no day 0: the baseline visit is day 1, the day before it -1"


def _study_problems(
    row: Mapping[str, Any], panels: Sequence[str], visits: Sequence[str], subjects: Set[str] | None
) -> Iterator[str]:
    subject, visit, panel = row["subject"], row["visit"], row["panel"]
    if _is_specimen(row) and visits and visit is not None and visit not in visits:
        yield f"visit: {not_in(visit, 'the schedule', visits)}"
    if _is_specimen(row) and subjects is not None and subject is not None and subject not in subjects:
        near = nearest(subject, subjects)
        yield f"subject: {show(subject)} is not in the table of subjects{f'; nearest {near}' if near else ''}"
    if panels and panel is not None and panel not in panels:
        yield f"panel: {not_in(panel, 'panels of the study', panels)}"


def _duplicates(rows: list[dict[str, Any]], folder: Path) -> Iterator[tuple[int, str]]:
    specimen = ("subject", "visit", "panel", "tube", "replicate")
    specimens = [row for row in rows if _is_specimen(row) and row["subject"] and row["visit"]]
    same_file = repeats(rows, lambda row: row["file"] and os.path.normpath(folder / row["file"]))
    same_specimen = repeats(specimens, lambda row: tuple(row.get(key) for key in specimen))
    # Ids that differ by case only are one file on many disks.
    same_id = repeats(rows, lambda row: row["sample"] and row["sample"].casefold())
    for line, (row, before) in same_file.items():
        yield line, f"file: {show(PurePath(row['file']).name)} stands in line {before} already; remove one"
    for line, (row, before) in same_specimen.items():
        if line not in same_file:
            what = f"subject {show(row['subject'])}, visit {show(row['visit'])}, panel {show(row['panel'])}"
            yield (
                line,
                f"{what} stand in line {before} already; tell them apart by tube, replicate or control, or remove one",
            )
    for line, (row, before) in same_id.items():
        if line not in same_file and line not in same_specimen:
            yield line, f"sample: {show(row['sample'])} stands in line {before} already; give each file its own sample"

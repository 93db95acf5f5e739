"""take_inventory: open every file of a study and gather what the checks find."""

from __future__ import annotations

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from il2cyto.errors import FcsError, FcsWarning, TemplateError
from il2cyto.inventory._batch_checks import check_batch, counted, shown
from il2cyto.inventory._codes import RANKS
from il2cyto.inventory._event_checks import check_events
from il2cyto.inventory._file_checks import asked, check_file, compensation
from il2cyto.inventory._types import Demand, Entry, Problem
from il2cyto.io._fcs import open_fcs
from il2cyto.io._remote import local_copy, source_name
from il2cyto.io._study import study_of
from il2cyto.io._templates import read_template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from il2cyto.panel import Panel
    from il2cyto.study import Study

_SEVERITY: Final = pl.Enum(["error", "warning", "info"])
_FILE_SCHEMA: Final = {
    **dict.fromkeys(("sample", "file", "batch", "panel"), pl.String),
    "readable": pl.Boolean,
    "version": pl.String,
    "n_events": pl.Int64,
    "n_channels": pl.Int64,
    **dict.fromkeys(("compensation", "markers_found", "markers_missing"), pl.String),
    "simulated": pl.Boolean,
    "sha256": pl.String,
}


@dataclass(frozen=True)
class Inventory:
    """A batch as its headers describe it.

    Attributes
    ----------
    files
        One row per row of the sheet, in its order: sample, file, batch, panel, readable, version, n_events, n_channels,
        compensation (the keyword that holds the matrix; ``identity``, ``unusable`` or ``none``), markers_found and
        markers_missing (those the template requires, joined by ``;``), simulated, sha256. Null where the file could not
        be read, and sha256 where hashes were not asked for.
    problems
        One row per problem: severity, code, file, sample, message, remedy; errors first, within them what must be seen first, then by file.
    """

    files: pl.DataFrame
    problems: pl.DataFrame

    @property
    def n_errors(self) -> int:
        """How many problems are errors."""
        return self.problems.filter(pl.col("severity") == "error").height


def take_inventory(
    study: Study | str | Path,
    *,
    hashes: bool = False,
    events: bool = False,
    labels: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> Inventory:
    """Read the header of every file of a study, and find all that is wrong before anything is computed.

    Parameters
    ----------
    study
        From :func:`il2cyto.io.read_study`, or the path of ``study.yaml``.
    hashes
        Then read every file through as well, and report those with the same content. Bound by the disk.
    events
        Then look at some thousand events of each file as well: saturation, pauses and drift, markers that were not stained.
    labels
        Quote labels ($PnS) that name no known marker; by default only their channels are named, since a label is free
        text and may name a person.
    progress
        Called after each file with the pass, the number of files done and the number of all.

    Returns
    -------
    The files and their problems. A bad file is a row, never an exception.
    """
    study = study_of(study, "take_inventory")
    tell = progress or (lambda stage, done, total: None)
    demands, problems = _demands(study)
    entries = _entries(study, lambda done, total: tell("read headers", done, total))
    if hashes:
        entries = _hashed(entries, study, lambda done, total: tell("hash files", done, total))
    for entry in entries:
        problems += check_file(entry, study, demands, labels=labels)
    if events:
        problems += check_events(
            entries, study, demands, progress=lambda done, total: tell("look at events", done, total)
        )
    problems = [*counted(problems, entries), *check_batch(entries, study, demands)]
    files = [_describe(entry, demands.get(entry.row["panel"])) for entry in entries]
    return Inventory(pl.DataFrame(files, schema=_FILE_SCHEMA), problems_table(problems))


def _demands(study: Study) -> tuple[dict[str, Demand], list[Problem]]:
    demands, problems = {}, []
    for name, panel in study.panels.items():
        try:
            demands[name] = Demand.of(read_template(panel.template, relative_to=study.folder))
        except TemplateError as error:
            remedy = f"Correct it, or panels.{name}.template of the study."
            problems.append(Problem.of_batch("E110", f"panel {name}: {error}", remedy))
    return demands, problems


def _entries(study: Study, progress: Callable[[int, int], None]) -> list[Entry]:
    panels: dict[tuple[tuple[str, str], ...], Panel] = {}
    entries = []
    rows = study.sheet.to_dicts()
    with warnings.catch_warnings():
        # What the reader warns of stands in the flags, and from there in the problems.
        warnings.simplefilter("ignore", FcsWarning)
        for row in rows:
            entries.append(_open(study, row, panels))
            progress(len(entries), len(rows))
    return entries


def _open(study: Study, row: dict[str, object], panels: dict[tuple[tuple[str, str], ...], Panel]) -> Entry:
    name, source = str(row["file"]), study.source(str(row["file"]))
    label = shown(source, study) if isinstance(source, Path) else source_name(name)
    try:
        with local_copy(source) as path:
            fcs = open_fcs(path).described()
    except FcsError as error:
        return Entry(row, label, failure=error)
    # Labels are parsed once for all files that share them.
    signature = tuple((channel.name, channel.label) for channel in fcs.channels)
    if signature not in panels:
        panels[signature] = fcs.panel(study.marker_aliases)
    return Entry(row, label, fcs, panels[signature])


def _hashed(entries: list[Entry], study: Study, progress: Callable[[int, int], None]) -> list[Entry]:
    def digest(entry: Entry) -> Entry:
        if entry.fcs is None:
            return entry
        try:
            with local_copy(study.source(entry.row["file"])) as path:
                return replace(entry, sha256=replace(entry.fcs, path=path).sha256())
        except FcsError as error:
            return replace(entry, fcs=None, panel=None, failure=error)

    hashed = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for entry in pool.map(digest, entries):
            hashed.append(entry)
            progress(len(hashed), len(entries))
    return hashed


def _describe(entry: Entry, demand: Demand | None) -> dict[str, object]:
    row: dict[str, object] = {key: entry.row[key] for key in ("sample", "batch", "panel")}
    row |= {"file": entry.shown, "readable": entry.fcs is not None}
    if entry.fcs is None or entry.panel is None:
        return row
    wanted = asked(entry, demand) if demand is not None else ()
    found = [key for key in wanted if entry.panel.find(key) is not None]
    return row | {
        "version": entry.fcs.version,
        "n_events": entry.fcs.n_events,
        "n_channels": len(entry.fcs.channels),
        "compensation": compensation(entry)[0],
        "markers_found": ";".join(found),
        "markers_missing": ";".join(key for key in wanted if key not in found),
        "simulated": entry.fcs.simulated,
        "sha256": entry.sha256,
    }


def problems_table(problems: Iterable[Problem]) -> pl.DataFrame:
    """Problems as rows, errors first, and what an analyst must see first in front of the others."""
    order = ("severity", "code", "file", "sample", "message", "remedy")
    schema: Mapping[str, pl.DataType] = {name: _SEVERITY if name == "severity" else pl.String() for name in order}
    return _in_order(pl.DataFrame([asdict(problem) for problem in problems], schema=schema))


def joined(*tables: pl.DataFrame) -> pl.DataFrame:
    """Join tables of problems, in the same order as a single one."""
    return _in_order(pl.concat(tables))


def _in_order(table: pl.DataFrame) -> pl.DataFrame:
    rank = pl.col("code").replace_strict(RANKS, return_dtype=pl.Int64)
    return table.sort("severity", rank, "file", "sample", "message", maintain_order=True)

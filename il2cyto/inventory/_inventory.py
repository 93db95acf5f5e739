"""take_inventory: open every file of a study and gather what the checks find."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from il2cyto.errors import FcsError, FcsWarning, TemplateError
from il2cyto.inventory._batch_checks import check_batch, counted, shown
from il2cyto.inventory._file_checks import asked, check_file, compensation
from il2cyto.inventory._types import Demand, Entry, Problem
from il2cyto.io._fcs import open_fcs
from il2cyto.io._remote import local_copy, source_name
from il2cyto.io._templates import read_template

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
        One row per problem: severity, code, file, sample, message, remedy; errors first, then by file.
    """

    files: pl.DataFrame
    problems: pl.DataFrame

    @property
    def n_errors(self) -> int:
        """How many problems are errors."""
        return self.problems.filter(pl.col("severity") == "error").height


def take_inventory(
    study: Study,
    *,
    hashes: bool = False,
    labels: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Inventory:
    """Read the header of every file of a study, and find all that is wrong before anything is computed.

    Parameters
    ----------
    study
        From :func:`il2cyto.io.read_study`.
    hashes
        Read every file through as well, and report those with the same content. Bound by the disk.
    labels
        Quote labels ($PnS) that name no known marker; by default only their channels are named, since a label is free
        text and may name a person.
    progress
        Called after each file with the number of files done and the number of all.

    Returns
    -------
    The files and their problems. A bad file is a row, never an exception.
    """
    demands, problems = _demands(study)
    entries = _entries(study, hashes=hashes, progress=progress)
    for entry in entries:
        problems += check_file(entry, study, demands.get(entry.row["panel"]), labels=labels)
    problems = [*counted(problems, entries), *check_batch(entries, study, demands)]
    files = [_describe(entry, demands.get(entry.row["panel"])) for entry in entries]
    return Inventory(pl.DataFrame(files, schema=_FILE_SCHEMA), _table(problems))


def _demands(study: Study) -> tuple[dict[str, Demand], list[Problem]]:
    demands, problems = {}, []
    for name, panel in study.panels.items():
        try:
            demands[name] = Demand.of(read_template(panel.template, relative_to=study.folder))
        except TemplateError as error:
            remedy = f"Correct it, or panels.{name}.template of the study."
            problems.append(Problem("E110", "error", "", "", f"panel {name}: {error}", remedy))
    return demands, problems


def _entries(study: Study, *, hashes: bool, progress: Callable[[int, int], None] | None) -> list[Entry]:
    panels: dict[tuple[tuple[str, str], ...], Panel] = {}
    entries = []
    rows = study.sheet.to_dicts()
    with warnings.catch_warnings():
        # What the reader warns of stands in the flags, and from there in the problems.
        warnings.simplefilter("ignore", FcsWarning)
        for row in rows:
            entries.append(_open(study, row, panels, hashes=hashes))
            if progress is not None:
                progress(len(entries), len(rows))
    return entries


def _open(
    study: Study, row: dict[str, object], panels: dict[tuple[tuple[str, str], ...], Panel], *, hashes: bool
) -> Entry:
    name, source = str(row["file"]), study.source(str(row["file"]))
    label = shown(source, study) if isinstance(source, Path) else source_name(name)
    try:
        with local_copy(source) as path:
            fcs = open_fcs(path)
            sha256 = fcs.sha256() if hashes else None
    except FcsError as error:
        return Entry(row, label, failure=error)
    # Labels are parsed once for all files that share them.
    signature = tuple((channel.name, channel.label) for channel in fcs.channels)
    if signature not in panels:
        panels[signature] = fcs.panel(study.marker_aliases)
    return Entry(row, label, fcs, panels[signature], sha256=sha256)


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


def _table(problems: list[Problem]) -> pl.DataFrame:
    order = ("severity", "code", "file", "sample", "message", "remedy")
    schema: Mapping[str, pl.DataType] = {name: _SEVERITY if name == "severity" else pl.String() for name in order}
    rows = [{name: asdict(problem)[name] for name in order} for problem in problems]
    return pl.DataFrame(rows, schema=schema).sort("severity", "file", "code", "message", maintain_order=True)

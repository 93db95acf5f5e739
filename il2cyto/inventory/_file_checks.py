"""Checks of one file at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from il2cyto.errors import FcsError
from il2cyto.inventory._types import Problem
from il2cyto.io._remote import is_url
from il2cyto.io._validation import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from il2cyto.inventory._types import Demand, Entry, Severity
    from il2cyto.io._fcs import Spillover
    from il2cyto.panel import Panel
    from il2cyto.study import Study

#: Fewer events than this leave too few regulatory T and CD56bright cells to count.
FEW_EVENTS: Final = 10_000
#: Flags of the reader that are reported here by a problem of our own.
_OWN: Final = frozenset({"spill_unusable", "spill_identity", "spill_empty", "no_events"})
#: Flags of the reader about the way a file is written, which leave no doubt about its events.
_HARMLESS: Final = frozenset(
    {
        *("header_data", "text_data", "data_end", "analysis", "nextdata_missing", "text_padding", "text_end"),
        *("encoding", "datatype_case", "name_trimmed", "name_comma"),
    }
)
_EXPORTED: Final = ("comp-", "fjcomp-", "<")
_SHOWN: Final = 5


def check_file(entry: Entry, study: Study, demand: Demand | None, *, labels: bool) -> Iterator[Problem]:
    """Find what is wrong with one file by itself.

    Parameters
    ----------
    entry
        The file.
    study
        Its study.
    demand
        What the template of its panel asks for; None where the template could not be read.
    labels
        Quote labels ($PnS) that name no known marker; they are free text and may name a person.
    """
    if entry.fcs is None:
        yield from _unreadable(entry, study)
        return
    for flag in entry.fcs.flags:
        if flag.code not in _OWN:
            severity: Severity = "info" if flag.code in _HARMLESS else "warning"
            yield Problem(
                flag.code, severity, entry.shown, entry.row["sample"], flag.message, "Look at the file's export."
            )
    if demand is not None and entry.row["role"] not in {"unstained", "single_stain"}:
        yield from _markers(entry, demand, labels=labels)
    if demand is None or demand.compensates:
        yield from _compensation(entry)
    if entry.fcs.n_events < FEW_EVENTS and entry.row["role"] == "sample":
        text = f"{entry.fcs.n_events:,} events; at least {FEW_EVENTS:,} are wanted to count rare populations"
        yield entry.problem("W151", text, "Check that the file is complete; its rare populations will be flagged.")
    if entry.fcs.simulated and not study.simulated:
        yield entry.problem(
            "W204", "holds simulated events, but the study is not marked so", "Set simulated: true in the study."
        )


def compensation(entry: Entry) -> tuple[str | None, Spillover | None]:
    """Say where the matrix of a file comes from: its keyword, ``identity``, ``unusable``, ``none``; and give it."""
    if entry.fcs is None:
        return None, None
    try:
        spillover = entry.fcs.spillover()
    except FcsError:
        return "unusable", None
    if spillover is None:
        return "none", None
    identity = np.array_equal(spillover.matrix, np.eye(len(spillover.channels)))
    return "identity" if identity else spillover.source, spillover


def asked(entry: Entry, demand: Demand) -> tuple[str, ...]:
    """List the markers that a file must have; an FMO control lacks its own."""
    role = entry.row["role"]
    left_out = role.removeprefix("fmo:").casefold() if role.startswith("fmo:") else ""
    return tuple(key for key in demand.required if key.casefold() != left_out)


def _unreadable(entry: Entry, study: Study) -> Iterator[Problem]:
    path = study.path(entry.row["file"])
    names = _names_beside(path)
    if entry.failure is not None and (path.name in names or is_url(entry.row["file"])):
        yield entry.problem("E102", f"{entry.failure.check}: {entry.failure.found}", entry.failure.remedy)
        return
    near = nearest(path.name, names, cutoff=0.85)
    text = f"no such file; nearest {near}" if near else "no such file"
    yield entry.problem("E101", text, f"Copy it there, or correct line {entry.row['line']} of {study.samples.name}.")


def _names_beside(path: Path) -> list[str]:
    try:
        return [other.name for other in path.parent.iterdir()]
    except OSError:
        return []


def _markers(entry: Entry, demand: Demand, *, labels: bool) -> Iterator[Problem]:
    panel = entry.panel
    if panel is None:
        return
    for key in asked(entry, demand):
        found = panel.candidates(key)
        if not found:
            yield _missing(entry, panel, key, labels=labels)
        elif len(found) > 1:
            names = ", ".join(channel.name for channel in found)
            remedy = "Give all but one of them another marker in the aliases table."
            yield entry.problem("E113", f"marker {key!r} is on {len(found)} channels ({names}); one is allowed", remedy)


def _missing(entry: Entry, panel: Panel, key: str, *, labels: bool) -> Problem:
    if key.upper().startswith(("FSC", "SSC", "TIME")):
        text = f"channel {key!r} not found; the file has {some([channel.name for channel in panel.channels])}"
        return entry.problem("E112", text, "Export the file with this channel, or use a template without it.")
    text = f"marker {key!r} not found; {panel.nearest(key)}"
    unknown = [c for c in panel.channels if c.detector in {"fluor", "element"} and not c.markers]
    if unknown:
        names = [f"{c.name} ({c.label!r})" if labels and c.label else c.name for c in unknown]
        text += f"; no known marker on {some(names)}"
    return entry.problem("E112", text, "Add the file's label to the aliases table.")


def _compensation(entry: Entry) -> Iterator[Problem]:
    source, spillover = compensation(entry)
    exported = entry.fcs is not None and any(c.name.casefold().startswith(_EXPORTED) for c in entry.fcs.channels)
    if source == "unusable" and entry.fcs is not None:
        try:
            entry.fcs.spillover()
        except FcsError as error:
            yield entry.problem("E141", f"{error.check}: {error.found}", error.remedy)
    elif exported and spillover is not None and source != "identity":
        text = (
            "channel names say that the events are compensated, but the file holds a matrix: it would be applied again"
        )
        yield entry.problem("W145", text, "Export uncompensated events, or use a template with compensation: none.")
    elif source == "none" and not exported:
        text = "no spillover matrix: the events stay uncompensated"
        yield entry.problem("W142", text, "Export the file with its acquisition matrix.")
    elif source == "identity" and not exported:
        text = "the spillover matrix is the identity: the events stay uncompensated"
        yield entry.problem("W143", text, "Compensate at the cytometer, or export with the matrix that was used.")


def some(names: Sequence[str]) -> str:
    """List the first few names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more

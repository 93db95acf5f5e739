"""A quick look at some thousand events of each file: saturation, pauses and drift, markers that were not stained."""

from __future__ import annotations

import warnings
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from il2cyto.errors import FcsError, FcsWarning
from il2cyto.inventory._file_checks import some
from il2cyto.inventory._types import Problem
from il2cyto.io._fcs import open_fcs
from il2cyto.io._fcs._events import SATURATED_SHARE
from il2cyto.io._remote import local_copy
from il2cyto.pp import acquisition, compensate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from il2cyto.inventory._types import Demand, Entry
    from il2cyto.io import FcsFile
    from il2cyto.panel import Panel
    from il2cyto.pp import Acquisition
    from il2cyto.study import Study

    FloatArray = npt.NDArray[np.float64]

#: Events looked at: so many blocks, evenly over the file, of so many consecutive events.
BLOCKS, BLOCK = 16, 512
#: A marker is dim where its bright events (this quantile, above the median) are below this share of those of its peers.
BRIGHT, DIM = 0.995, 0.2
#: Fewer files than this are no peers.
FEWEST_PEERS: Final = 3
# Events of packed bits begin with a byte only every eighth.
_STEP: Final = 8


@dataclass(frozen=True)
class _Glance:
    """What some events of a file show: channels at their limit, the course over time, brightness by marker."""

    saturated: Mapping[str, float]
    course: Acquisition
    bright: Mapping[str, float]


def check_events(
    entries: Sequence[Entry], study: Study, demands: Mapping[str, Demand], *, progress: Callable[[int, int], None]
) -> Iterator[Problem]:
    """Find what only events can show, in the tubes of samples that have a panel and a template."""
    looked: list[tuple[Entry, _Glance]] = []
    for done, entry in enumerate(entries, start=1):
        progress(done, len(entries))
        demand = demands.get(entry.row["panel"])
        if entry.fcs is None or entry.panel is None or demand is None or entry.row["role"] != "sample":
            continue
        if entry.fcs.n_events:
            try:
                with local_copy(study.source(entry.row["file"])) as path:
                    glance = _glance(_opened(path), entry.panel, demand)
            except FcsError as error:
                yield entry.problem("E102", f"{error.check}: {error.found}", error.remedy)
            else:
                yield from _of_one(entry, glance)
                looked.append((entry, glance))
    yield from _dim(looked)


def _glance(file: FcsFile, panel: Panel, demand: Demand) -> _Glance:
    found = ((key, panel.find(key)) for key in (*demand.required, *demand.optional))
    channels = {key: channel for key, channel in found if channel is not None and channel.detector != "time"}
    columns = sorted({channel.index for channel in channels.values()})
    rows = _sample_rows(file.n_events)
    stored = np.concatenate([file.events(columns, rows=part, preprocess=False) for part in rows])
    saturated = {}
    for column, values in zip(columns, stored.T, strict=True):
        top, limit = values.max(), file.channels[column].range - 1
        share = float((values == top).mean())
        if top >= limit and share > SATURATED_SHARE:
            saturated[file.channels[column].name] = share
    linear = _compensated(file, [file.events(rows=part) for part in rows], compensates=demand.compensates)
    stained = {key: channel for key, channel in channels.items() if channel.detector in {"fluor", "element"}}
    bright = {key: _brightness(linear[:, channel.index]) for key, channel in stained.items()}
    return _Glance(saturated, acquisition(file, columns), bright)


def _opened(path: Path) -> FcsFile:
    with warnings.catch_warnings():
        # The flags were reported with the headers.
        warnings.simplefilter("ignore", FcsWarning)
        return open_fcs(path)


def _sample_rows(n_events: int) -> list[slice]:
    if n_events <= BLOCKS * BLOCK:
        return [slice(0, n_events)]
    starts = np.linspace(0, n_events - BLOCK, BLOCKS).astype(int) // _STEP * _STEP
    return [slice(int(start), int(start) + BLOCK) for start in starts]


def _compensated(file: FcsFile, parts: Sequence[npt.NDArray[np.floating]], *, compensates: bool) -> FloatArray:
    events = np.concatenate(parts).astype(np.float64)
    try:
        spillover = file.spillover() if compensates else None
    except FcsError:
        # An unusable matrix is a problem of its own; brightness is then compared as measured.
        return events
    if spillover is not None:
        position = {channel.name: channel.index for channel in file.channels}
        mixed = [position[name] for name in spillover.channels]
        events[:, mixed] = compensate(np.ascontiguousarray(events[:, mixed]), spillover.matrix)
    return events


def _brightness(values: FloatArray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.quantile(finite, BRIGHT) - np.median(finite)) if finite.size else float("nan")


def _of_one(entry: Entry, glance: _Glance) -> Iterator[Problem]:
    if glance.saturated:
        texts = [f"{share:.0%} of the events on {name}" for name, share in glance.saturated.items()]
        yield entry.problem("W163", f"at the top of the detector's range: {some(texts)}")
    yield from _unsteady(entry, glance.course)


def _unsteady(entry: Entry, course: Acquisition) -> Iterator[Problem]:
    """Say where the acquisition fell into parts, changed for a while, or paused."""
    for part in (stretch for stretch in course.stretches if stretch.kind == "change_point"):
        text = (
            f"from event {part.start + 1:,} of {part.stop:,} on the signal of {some(list(part.channels))} is another: an event after that "
            f"exceeds one before with a probability of {'up' if part.size >= 0.5 else 'down'} to {part.size:.2f}"
        )
        yield entry.problem("W166", text)
    changed = [stretch for stretch in course.stretches if stretch.kind in {"signal_drift", "flow_rate"}]
    if changed:
        drifted = dict.fromkeys(name for stretch in changed for name in stretch.channels)
        what = [f"signal of {some(list(drifted))}"] if drifted else []
        what += ["flow rate"] if "flow_rate" in course.codes else []
        share = course.share_of("signal_drift", "flow_rate")
        yield entry.problem("W164", f"{share:.0%} of the events stand where the {' and the '.join(what)} changed")
    n_pauses = sum(stretch.kind == "time_gap" for stretch in course.stretches)
    if n_pauses:
        times = "time" if n_pauses == 1 else "times"
        yield entry.problem("W165", f"no events for an unlikely time, {n_pauses} {times}")


def _dim(looked: Sequence[tuple[Entry, _Glance]]) -> Iterator[Problem]:
    """Hold each marker's bright events against those of the files of its batch and panel."""
    groups: dict[tuple[str, str], list[tuple[Entry, _Glance]]] = defaultdict(list)
    for entry, glance in looked:
        groups[entry.group].append((entry, glance))
    for (batch, panel), members in groups.items():
        for key in sorted({key for _, glance in members for key in glance.bright}):
            having = [(entry, glance.bright[key]) for entry, glance in members if key in glance.bright]
            if len(having) > FEWEST_PEERS:
                yield from _dim_marker(key, having, f"the other files of batch {batch}, panel {panel}")


def _dim_marker(key: str, having: Sequence[tuple[Entry, float]], peers: str) -> Iterator[Problem]:
    usual = float(np.nanmedian([value for _, value in having]))
    dim = {id(entry): value / usual for entry, value in having if value < DIM * usual}
    for subject, files in _by_subject(entry for entry, _ in having).items():
        found = [entry for entry in files if id(entry) in dim]
        # A forgotten antibody is missing in one tube; cells that a person does not have are missing in all.
        if subject and len(found) == len(files) > 1:
            most = max(dim[id(entry)] for entry in found)
            text = (
                f"{key} has at most {most:.0%} of its brightness in {peers} in all {len(files)} files of subject {subject}: "
                "the subject has hardly any such cells, or none of these tubes was stained"
            )
            yield Problem.of_batch("I162", text)
            continue
        for entry in found:
            yield entry.problem("W162", f"{key} has {dim[id(entry)]:.0%} of its brightness in {peers}")


def _by_subject(entries: Iterable[Entry]) -> dict[str | None, list[Entry]]:
    files: dict[str | None, list[Entry]] = defaultdict(list)
    for entry in entries:
        files[entry.row["subject"]].append(entry)
    return files

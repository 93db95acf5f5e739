"""Checks of files against one another."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import polars as pl

from il2cyto._confounding import bridged_values, confounded_arms
from il2cyto.inventory._codes import severity_of
from il2cyto.inventory._file_checks import compensation, some
from il2cyto.inventory._types import Problem
from il2cyto.io._fcs._dates import acquisition_day

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from il2cyto.inventory._types import Demand, Entry
    from il2cyto.study import Study

Value = TypeVar("Value", bound=tuple[Any, ...])

_FCS_SUFFIXES: Final = (".fcs", ".lmd", ".fcs.gz", ".lmd.gz")


def check_batch(entries: Sequence[Entry], study: Study, demands: Mapping[str, Demand]) -> Iterator[Problem]:
    """Find what is wrong with files only when they are seen together, and what is better said once for all of them."""
    groups: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.fcs is not None:
            groups[entry.group].append(entry)
    for members in groups.values():
        yield from _different_channels([entry for entry in members if entry.row["role"] == "sample"])
        yield from _different_matrices(members)
        yield from _different_settings([entry for entry in members if entry.row["role"] == "sample"])
    yield from _visits_out_of_order(entries, study)
    yield from _without_optional(entries, demands)
    yield from _confounded(study)
    yield from _unlisted(entries, study)
    yield from _same_content(entries)


def counted(problems: Iterable[Problem], entries: Sequence[Entry]) -> Iterator[Problem]:
    """Say in each message about a marker how many files of the batch share it: it is one label to mend, not many files."""
    batches = {entry.row["sample"]: entry.row["batch"] for entry in entries}
    problems = list(problems)
    shared = Counter((batches.get(p.sample), p.code, p.message) for p in problems)
    for problem in problems:
        batch = batches.get(problem.sample)
        n = shared[batch, problem.code, problem.message]
        if problem.code in {"E112", "E113"} and n > 1:
            yield replace(problem, message=f"{problem.message} (batch {batch}, {n} files)")
        else:
            yield problem


def _different_channels(members: Sequence[Entry]) -> Iterator[Problem]:
    signatures = [_signature(entry) for entry in members]
    if not signatures:
        return
    items, n_usual = _usual([tuple(signature.items()) for signature in signatures])
    usual = dict(items)
    for entry, signature in zip(members, signatures, strict=True):
        differences = _differences(signature, usual)
        if differences:
            text = f"channels differ from {_of_others(n_usual, entry)}: {'; '.join(differences)}"
            yield entry.problem("W131", text)


def _usual(values: Sequence[Value]) -> tuple[Value, int]:
    """Find the most common value and its count; a tie goes to the lowest, so that the order of files does not matter."""
    counts = Counter(sorted(values))
    return counts.most_common(1)[0]


def _signature(entry: Entry) -> dict[str, str]:
    channels = entry.panel.channels if entry.panel is not None else ()
    return {channel.name: channel.marker for channel in sorted(channels, key=lambda channel: channel.name)}


def _differences(found: Mapping[str, str], usual: Mapping[str, str]) -> list[str]:
    moved = [
        f"{name} is {found[name] or 'no known marker'}, not {usual[name] or 'unknown'}"
        for name in usual
        if name in found and found[name] != usual[name]
    ]
    lacking = [name for name in usual if name not in found]
    besides = [name for name in found if name not in usual]
    texts = [f"lacks {some(lacking)}"] if lacking else []
    texts += [f"has {some(besides)} besides"] if besides else []
    return texts + [some(moved)] * bool(moved)


def _of_others(n: int, entry: Entry) -> str:
    batch, panel = entry.group
    return f"{n} other file{'s' if n > 1 else ''} of batch {batch}, panel {panel}"


def _different_matrices(members: Sequence[Entry]) -> Iterator[Problem]:
    matrices = [(entry, compensation(entry)[1]) for entry in members]
    having = [(entry, tuple(sorted(matrix.channels))) for entry, matrix in matrices if matrix is not None]
    if not having:
        return
    usual, n_usual = _usual([channels for _, channels in having])
    for entry, channels in having:
        texts = _differences(dict.fromkeys(channels, ""), dict.fromkeys(usual, ""))
        if texts:
            text = f"the spillover matrix differs from {_of_others(n_usual, entry)}: {'; '.join(texts)}"
            yield entry.problem("W144", text)


def _different_settings(members: Sequence[Entry]) -> Iterator[Problem]:
    """Compare voltages and gains, which decide where a population lies, between files of one cytometer."""
    by_cytometer: dict[str | None, list[tuple[Entry, dict[tuple[str, str], float]]]] = defaultdict(list)
    for entry in members:
        by_cytometer[entry.row.get("cytometer")].append((entry, _settings(entry)))
    for files in by_cytometer.values():
        keys = sorted({key for _, settings in files for key in settings})
        usual = {key: _usual([(settings[key],) for _, settings in files if key in settings])[0][0] for key in keys}
        for entry, settings in files:
            changed = [
                f"{what} of {name} is {value:g}, not {usual[name, what]:g}"
                for (name, what), value in settings.items()
                if value != usual[name, what]
            ]
            if changed:
                batch, panel = entry.group
                text = (
                    f"detectors are set otherwise than in most files of batch {batch}, panel {panel}: {some(changed)}"
                )
                yield entry.problem("W132", text)


def _settings(entry: Entry) -> dict[tuple[str, str], float]:
    channels = entry.fcs.channels if entry.fcs is not None else ()
    found = {(c.name, what): getattr(c, what) for c in channels if not c.is_time for what in ("voltage", "gain")}
    return {key: value for key, value in found.items() if value is not None}


def _visits_out_of_order(entries: Sequence[Entry], study: Study) -> Iterator[Problem]:
    """Compare the order of the visits with that of acquisition; the days themselves are used and never told."""
    place = {visit: i for i, visit in enumerate(study.visits)}
    days: dict[tuple[str, str], list[tuple[int, date, Entry]]] = defaultdict(list)
    for entry in entries:
        day = acquisition_day(entry.fcs) if entry.fcs is not None else None
        if day is not None and entry.row["role"] == "sample" and entry.row["subject"] and entry.row["visit"] in place:
            days[entry.row["subject"], entry.row["panel"]].append((place[entry.row["visit"]], day, entry))
    for (subject, _), visits in days.items():
        ordered = sorted(visits, key=lambda visit: visit[:2])
        for (_, before, earlier), (_, after, later) in pairwise(ordered):
            if after < before:
                text = (
                    f"subject {subject}: visit {later.row['visit']} was acquired before visit {earlier.row['visit']} "
                    f"({earlier.shown})"
                )
                yield later.problem("W205", text)


def _without_optional(entries: Sequence[Entry], demands: Mapping[str, Demand]) -> Iterator[Problem]:
    lacking: dict[tuple[str, tuple[str, ...]], list[Entry]] = defaultdict(list)
    for entry in entries:
        name, panel = entry.row["panel"], entry.panel
        if panel is not None and name in demands and entry.row["role"] == "sample":
            absent = tuple(key for key in demands[name].optional if not panel.candidates(key))
            lacking[name, absent].append(entry)
    for (name, absent), members in lacking.items():
        if absent:
            n = len(members)
            told = "; ".join(f"{key} ({demands[name].optional[key]})" for key in absent)
            text = f"panel {name}: {n} file{'s' if n > 1 else ''} without what is optional in the template: {told}"
            yield members[0].problem("I114", text) if n == 1 else Problem.of_batch("I114", text)


def _confounded(study: Study) -> Iterator[Problem]:
    samples = study.sheet.filter(pl.col("role") == "sample")
    controls = samples.filter(pl.col("control"))
    specimens = samples.filter(~pl.col("control") & pl.col("visit").is_not_null())
    arms: dict[str, str] = {}
    if study.subject_sheet is not None and "arm" in study.subject_sheet.columns:
        arms = dict(study.subject_sheet.select("subject", "arm").drop_nulls().iter_rows())
    specimens = specimens.with_columns(arm=pl.col("subject").replace_strict(arms, default=None, return_dtype=pl.String))
    bridged = bridged_values(controls, "batch")
    several_visits = specimens["visit"].n_unique() > 1
    for (batch,), rows in specimens.group_by("batch", maintain_order=True):
        if several_visits and rows["visit"].n_unique() == 1:
            n = rows.height
            text = (
                f"batch {batch} holds visit {rows['visit'][0]} only ({n} file{'s' if n > 1 else ''}): "
                f"a change between visits cannot be told from one between batches"
            )
            yield _of_design("W201", text, bridged=batch in bridged)
    for found in confounded_arms(specimens, controls):
        yield _of_design("W206", str(found), bridged=found.bridged)


def _of_design(code: str, text: str, *, bridged: bool) -> Problem:
    """What confounds is a warning; a control material that was run on both sides can tell, and leaves it a notice."""
    if not bridged:
        return Problem.of_batch(code, f"CONFOUNDED_BATCH: {text}")
    return Problem.of_batch("I201", f"{text}, but by the bridging controls, which were run in both")


def _unlisted(entries: Sequence[Entry], study: Study) -> Iterator[Problem]:
    listed = {_normal(study.path(entry.row["file"])) for entry in entries}
    elsewhere = {path.parent for path in listed if not path.is_relative_to(study.folder)}
    found = {_normal(path) for root in (study.folder, *elsewhere) for path in root.rglob("*.*")}
    for path in sorted(path for path in found - listed if path.name.lower().endswith(_FCS_SUFFIXES)):
        remedy = f"Add it to {study.samples.name}, or move it out of the folder."
        yield Problem("W202", severity_of("W202"), shown(path, study), "", "not in the sample sheet", remedy)


def _same_content(entries: Sequence[Entry]) -> Iterator[Problem]:
    first: dict[str, Entry] = {}
    for entry in sorted(entries, key=lambda entry: entry.shown):
        if entry.sha256 is None:
            continue
        other = first.setdefault(entry.sha256, entry)
        if other is not entry:
            text = f"the same bytes as {other.shown} (sample {other.row['sample']})"
            yield entry.problem("W203", text)


def shown(path: Path, study: Study) -> str:
    """Name a file for a message: relative to the study, or by its bare name when it lies elsewhere."""
    path, folder = _normal(path), _normal(study.folder)
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name


def _normal(path: Path) -> Path:
    # Not resolve(): a link to a server keeps the name that the sheet gives it.
    return Path(os.path.normpath(path))

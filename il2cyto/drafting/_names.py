"""Subject, visit, batch and replicate from the names of files and folders."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from il2cyto.drafting import _tokens as tokens
from il2cyto.panel import parse_label

if TYPE_CHECKING:
    from collections.abc import Sequence

_UNSTAINED: Final = re.compile(r"(?<![a-z])unstained(?![a-z])", re.IGNORECASE)
_SINGLE: Final = re.compile(r"single[-_ ]?stain|comp(?:ensation)?[-_ ]?(?:controls?|beads?)(?![a-z])", re.IGNORECASE)
_FMO: Final = re.compile(r"(?<![a-z])fmo(?![a-z])", re.IGNORECASE)


@dataclass
class Named:
    """What the name of a file says; "" where it does not say, or not clearly."""

    subject: str = ""
    visit: str = ""
    panel: str = ""
    batch: str = ""
    replicate: str = ""
    tube: str = ""
    role: str = ""
    #: Words that differ between files but were not understood.
    unknown: tuple[str, ...] = ()


@dataclass
class _Position:
    """One place in the names of files that are built alike."""

    values: list[str]
    in_folder: bool
    role: str = field(default="")

    @property
    def varies(self) -> bool:
        return len(set(self.values)) > 1

    def share(self, kind: re.Pattern[str]) -> float:
        return sum(bool(kind.fullmatch(value)) for value in self.values) / len(self.values)


def read_names(files: Sequence[str], groups: Sequence[int | None]) -> list[Named]:
    """Understand the names of a folder's files by comparing them.

    Parameters
    ----------
    files
        Paths relative to the folder, with ``/``.
    groups
        For each file the number of its set of markers; None where its header could not be read.

    Returns
    -------
    One entry per file. Where two readings are possible the field is "".
    """
    named = [Named(role=_role(PurePosixPath(file).stem)) for file in files]
    alike: dict[tuple[int, ...], list[int]] = {}
    split = [[tokens.words(part) for part in _parts(file)] for file in files]
    for i, (entry, parts) in enumerate(zip(named, split, strict=True)):
        if not entry.role:
            alike.setdefault(tuple(map(len, parts)), []).append(i)
    for members in (part for group in alike.values() for part in _by_kind(group, split)):
        _understand([named[i] for i in members], [split[i] for i in members], [groups[i] for i in members])
    return named


def _parts(file: str) -> list[str]:
    path = PurePosixPath(file)
    return [*path.parent.parts, path.stem]


def _by_kind(members: list[int], split: list[list[tuple[str, ...]]]) -> list[list[int]]:
    """Part files whose names have as many words but are built otherwise: where one names markers, another has its subject."""
    mixed = []
    for words in zip(*([word for part in split[i] for word in part] for i in members), strict=True):
        stain = [tokens.names_markers(word) for word in words]
        series = (
            {tokens.letters(w) for w, is_one in zip(words, stain, strict=True) if is_one is kind}
            for kind in (True, False)
        )
        # PD1 and PD2 are a series: subjects, not a marker and something else.
        if len(set(stain)) > 1 and set.isdisjoint(*series):
            mixed.append(stain)
    kinds: dict[tuple[bool, ...], list[int]] = {}
    for member, kind in zip(members, zip(*mixed, strict=True) if mixed else ((),) * len(members), strict=True):
        kinds.setdefault(kind, []).append(member)
    return list(kinds.values())


def _role(stem: str) -> str:
    """A control that is no subject's tube says so in its name; "" for a sample."""
    if _UNSTAINED.search(stem):
        return "unstained"
    if _SINGLE.search(stem):
        return "single_stain"
    markers = parse_label(_FMO.sub(" ", stem).replace("_", " ")) if _FMO.search(stem) else ()
    return f"fmo:{markers[0]}" if len(markers) == 1 else ""


def _understand(named: list[Named], split: list[list[tuple[str, ...]]], groups: list[int | None]) -> None:
    positions = _positions(split)
    _assign_certain(positions)
    _assign_subject(positions, groups)
    _assign_panel(positions, groups)
    _assign_less_certain(positions, groups)
    for position in positions:
        kind = tokens.VISIT if position.role == "visit" else None
        for entry, value in zip(named, position.values, strict=True):
            doubtful = kind is not None and not kind.fullmatch(value) and not tokens.MAYBE_VISIT.fullmatch(value)
            if position.role and not doubtful and len(value) <= tokens.LONGEST:
                setattr(entry, position.role, value)
            elif position.varies and not position.role:
                entry.unknown = (*entry.unknown, value)


def _positions(split: list[list[tuple[str, ...]]]) -> list[_Position]:
    """List the places; of two that say the same (``P01/P01_V1.fcs``) the later stays."""
    found: dict[tuple[str, ...], _Position] = {}
    last = len(split[0]) - 1
    for level in range(last + 1):
        for values in zip(*(parts[level] for parts in split), strict=True):
            key = tuple(value.casefold() for value in values)
            found.pop(key, None)
            found[key] = _Position(list(values), in_folder=level < last)
    return list(found.values())


def _one(candidates: list[_Position]) -> _Position | None:
    """Choose the only candidate, or the only one that varies."""
    if len(candidates) > 1:
        candidates = [position for position in candidates if position.varies]
    return candidates[0] if len(candidates) == 1 else None


def _assign_certain(positions: list[_Position]) -> None:
    for role, kind in (("visit", tokens.VISIT), ("batch", tokens.BATCH), ("replicate", tokens.REPLICATE)):
        enough = 0.5 if role == "visit" else 1
        chosen = _one([p for p in positions if not p.role and p.share(kind) >= enough])
        if chosen is not None:
            chosen.role = role


def _assign_subject(positions: list[_Position], groups: list[int | None]) -> None:
    free = [p for p in positions if not p.role]
    has_visit = any(p.role == "visit" for p in positions)
    maybe_visit = [] if has_visit else [p for p in free if p.share(tokens.MAYBE_VISIT) == 1]
    strong = [p for p in free if p.share(tokens.SUBJECT) == 1 and p not in maybe_visit]
    weak = [p for p in free if p.varies and p.share(tokens.MAYBE_SUBJECT) == 1 and p not in maybe_visit]
    weak = [p for p in weak if not all(map(tokens.names_markers, p.values))]
    chosen = _one(strong) if strong else _one(weak) if weak else None
    # A word that looks like nothing is the subject only where nothing else could be, and the visit is known.
    if chosen is None and not strong and not weak and has_visit:
        chosen = _one([p for p in free if p.varies and not _same_split(p.values, groups)])
    if chosen is not None:
        chosen.role = "subject"


def _assign_panel(positions: list[_Position], groups: list[int | None]) -> None:
    # Without a subject it could be the subject, whose files happen to be labelled in a way of their own.
    if any(p.role == "subject" for p in positions):
        chosen = _one([p for p in positions if not p.role and _same_split(p.values, groups)])
        if chosen is not None:
            chosen.role = "panel"


def _same_split(values: list[str], groups: list[int | None]) -> bool:
    """Tell whether a word and a set of markers go together, one to one."""
    pairs = {(value, group) for value, group in zip(values, groups, strict=True) if group is not None}
    n_groups = len({group for _, group in pairs})
    return n_groups > 1 and len(pairs) == len(set(values)) == n_groups


def _assign_less_certain(positions: list[_Position], groups: list[int | None]) -> None:
    by_role = {p.role: p for p in positions if p.role}
    if "subject" in by_role and "visit" not in by_role:
        chosen = _one([p for p in positions if not p.role and p.varies and p.share(tokens.MAYBE_VISIT) == 1])
        if chosen is not None:
            chosen.role = "visit"
            by_role["visit"] = chosen
    if {"subject", "visit"} <= by_role.keys() and "replicate" not in by_role:
        keys = list(zip(by_role["subject"].values, by_role["visit"].values, groups, strict=True))
        letters = [
            p for p in positions if not p.role and not p.in_folder and p.varies and p.share(tokens.MAYBE_REPLICATE) == 1
        ]
        useful = [p for p in letters if len(set(zip(keys, p.values, strict=True))) == len(keys) > len(set(keys))]
        if len(useful) == 1:
            useful[0].role = "replicate"

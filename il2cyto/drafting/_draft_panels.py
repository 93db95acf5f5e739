"""The panels of a draft: which files share one, what it is called, and the template that suits it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from il2cyto.drafting._fit import Fit, Header, best, fit_templates

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from il2cyto.drafting._files import FoundFile

_PANEL_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class DraftPanel:
    """A panel of the draft: its name, its files and markers, how each template fits, and the one that was chosen."""

    name: str
    n_files: int
    markers: tuple[str, ...]
    fits: tuple[Fit, ...]
    chosen: Fit | None


def marker_sets(files: Sequence[FoundFile]) -> list[int | None]:
    """Number the sets of markers in the order of the files."""
    numbers: dict[tuple[str, ...], int] = {}
    return [None if file.header is None else numbers.setdefault(file.header.markers, len(numbers)) for file in files]


def set_panels(files: Sequence[FoundFile], groups: Sequence[int | None]) -> tuple[DraftPanel, ...]:
    """Sort files into panels: by a word of their names, else by the template that suits their set of markers.

    A control has few of its panel's markers: it makes no panel, but joins the one whose channels it has.
    """
    panels: list[DraftPanel] = []
    sorted_in: list[FoundFile] = []
    for word, members in _gathered(files, groups):
        panel = _panel(word, members, [panel.name for panel in panels])
        panels.append(panel)
        sorted_in += members
        for file in members:
            file.named.panel = panel.name
    _join_panels(files, sorted_in, {panel.name for panel in panels})
    return tuple(panels)


def _gathered(files: Sequence[FoundFile], groups: Sequence[int | None]) -> list[tuple[str, list[FoundFile]]]:
    """Gather the files that make a panel, each with the word of their names that says which ("" where none does)."""
    samples = any(file.header is not None and not file.named.role for file in files)
    by_set: dict[tuple[str, int], list[FoundFile]] = {}
    for file, group in zip(files, groups, strict=True):
        if group is not None and not (samples and file.named.role):
            word = file.named.panel if _PANEL_NAME.fullmatch(file.named.panel) else ""
            by_set.setdefault((word, group), []).append(file)
    gathered: dict[tuple[str, str], list[FoundFile]] = {}
    for (word, group), members in by_set.items():
        chosen = best(fit_templates(_headers(members)))
        own = chosen.template if chosen else f"set {group}"
        gathered.setdefault((word, "" if word else own), []).extend(members)
    return [(word, members) for (word, _), members in gathered.items()]


def _panel(word: str, members: Sequence[FoundFile], taken: Collection[str]) -> DraftPanel:
    """Name a panel by the word, else by its template, else by its number."""
    fits = fit_templates(_headers(members))
    chosen = best(fits)
    name = word or (chosen.template if chosen else "")
    name = name if name not in taken and _PANEL_NAME.fullmatch(name) else f"panel{len(taken) + 1}"
    return DraftPanel(name, len(members), _common_markers(members), tuple(fits), chosen)


def _join_panels(files: Sequence[FoundFile], sorted_in: Sequence[FoundFile], names: Collection[str]) -> None:
    """Put each file that makes no panel into the one that its name says, else the only one with its channels."""
    homes: dict[tuple[str, ...], set[str]] = {}
    for file in sorted_in:
        homes.setdefault(_channels(file), set()).add(file.named.panel)
    in_panel = {id(file) for file in sorted_in}
    for file in files:
        if id(file) not in in_panel and file.named.panel not in names:
            possible = homes.get(_channels(file), names)
            file.named.panel = next(iter(possible)) if len(possible) == 1 else ""


def _channels(file: FoundFile) -> tuple[str, ...]:
    return tuple(channel.name for channel in file.header.fcs.channels) if file.header is not None else ()


def _headers(files: Sequence[FoundFile]) -> list[Header]:
    return [file.header for file in files if file.header is not None]


def _common_markers(files: Sequence[FoundFile]) -> tuple[str, ...]:
    return tuple(sorted(set.intersection(*(set(header.markers) for header in _headers(files)))))

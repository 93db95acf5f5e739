"""The FCS files of a folder, and the paths by which a sheet names them."""

from __future__ import annotations

import os
import unicodedata
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from il2cyto.drafting._fit import Header
from il2cyto.drafting._names import Named
from il2cyto.errors import FcsError, FcsWarning, StudyError
from il2cyto.io import open_fcs

if TYPE_CHECKING:
    from il2cyto.panel import Panel

_SUFFIXES: Final = (".fcs", ".lmd")


@dataclass
class FoundFile:
    """One FCS file: its path in the folder, its cell in the sheet, its header (None: cannot be read), what its name says."""

    place: str
    cell: str
    header: Header | None
    named: Named = field(default_factory=Named)


def find_files(folder: Path, out: Path) -> tuple[list[FoundFile], list[str]]:
    """Open every FCS file of a folder and its subfolders.

    Returns
    -------
    The files in the order of their paths, and the names of those that no sheet can name.
    """
    if not folder.is_dir():
        msg = f"{folder.name or folder}: no such folder. Give the folder that holds the FCS files."
        raise StudyError(msg)
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES and path.is_file())
    visible = [path for path in paths if not any(p.startswith(".") for p in path.relative_to(folder).parts)]
    if not visible:
        msg = f"{folder.absolute().name}: no FCS file in it or in its subfolders. Give the folder that holds them."
        raise StudyError(msg)
    panels: dict[tuple[tuple[str, str], ...], Panel] = {}
    found, left_out = [], []
    for path in visible:
        cell = _cell(path, out)
        if cell is None:
            left_out.append(ascii(path.name)[1:-1])
        else:
            found.append(FoundFile(path.relative_to(folder).as_posix(), cell, _open(path, panels)))
    return found, left_out


def _cell(path: Path, out: Path) -> str | None:
    """Give the path from the study file's folder; None where a sheet would not give it back unchanged."""
    text = Path(os.path.relpath(path, out)).as_posix()
    if text[0] in "=+-@":  # a spreadsheet would run it as a formula
        text = f"./{text}"
    if not text.isprintable() or "\\" in text or "://" in text:
        return None
    same = unicodedata.normalize("NFC", text).strip() == text
    return text if same else None


def _open(path: Path, panels: dict[tuple[tuple[str, str], ...], Panel]) -> Header | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FcsWarning)  # `il2cyto check` lists what the reader repaired
        try:
            fcs = open_fcs(path)
        except FcsError:
            return None
    # Labels are parsed once for all files that share them.
    signature = tuple((channel.name, channel.label) for channel in fcs.channels)
    if signature not in panels:
        panels[signature] = fcs.panel()
    return Header(fcs, panels[signature])

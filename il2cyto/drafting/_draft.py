"""draft_study: look at a folder of FCS files and say what its study could be."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

import polars as pl

from il2cyto.drafting._aliases import unknown_labels
from il2cyto.drafting._draft_panels import DraftPanel, marker_sets, set_panels
from il2cyto.drafting._files import FoundFile, find_files
from il2cyto.drafting._names import read_names
from il2cyto.drafting._pattern import read_by_pattern
from il2cyto.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXTRA: Final = ("replicate", "tube", "role")


@dataclass(frozen=True)
class Draft:
    """A study as its files suggest it; :func:`write_draft` writes it.

    Attributes
    ----------
    name
        The study's name: that of the folder.
    samples
        The sample sheet: file, subject, visit, panel, batch [, replicate, tube, role, sample]. Null is what neither a name nor a
        header says clearly.
    aliases
        Labels that name no known marker: label, marker (null, to be filled in), suggestion (the nearest known marker, or null).
    panels
        The panels, by name.
    simulated
        Whether every file says that its events are simulated.
    batch_source
        Where batches come from: ``names``, ``days``, ``folders``, or "" for one batch.
    unreadable, left_out
        Files that cannot be read, which are in the sheet; files whose names no sheet can hold, which are not.
    unclear
        A file whose name was not understood, and the words in it that differ between files; None where there is none.
    """

    name: str
    samples: pl.DataFrame
    aliases: pl.DataFrame
    panels: tuple[DraftPanel, ...]
    simulated: bool
    batch_source: str = ""
    unreadable: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    unclear: tuple[str, tuple[str, ...]] | None = None


def draft_study(folder: str | Path, *, out: str | Path | None = None, names: str | None = None) -> Draft:
    """Draft a study from the names and headers of the FCS files in a folder.

    Subject, visit and replicate come from names; the batch from a word such as ``batch2``, else from the days of acquisition, which
    are numbered and never written, else from folders; the panel from the set of markers; its template is the one that asks for
    most markers, all of which its files have. Where two readings are possible, the cell stays blank.

    Parameters
    ----------
    folder
        Looked through with its subfolders.
    out
        Folder of the study file, where the paths of the sheet start; `folder` if None.
    names
        How names are built, such as ``"HD_{subject}_{visit}_{replicate}"``, instead of comparing them; ``{_}`` stands for what does
        not matter.

    Returns
    -------
    The draft.

    Raises
    ------
    StudyError
        There is no FCS file, none can be read, or `names` is not a pattern.

    Examples
    --------
    >>> from il2cyto import datasets
    >>> draft = draft_study(datasets.sample_data_path() / "fcs")
    >>> draft.samples.select("file", "subject", "visit", "panel").row(0)
    ('SIM-001_W0.fcs', 'SIM-001', 'W0', 'tnk')
    """
    folder = Path(folder)
    files, left_out = find_files(folder, Path(out) if out is not None else folder)
    headers = [file.header for file in files if file.header is not None]
    if not headers:
        msg = f"{folder.absolute().name}: found {len(files)} FCS files, none of which can be read. Copy or export them again."
        raise StudyError(msg)
    places, groups = [file.place for file in files], marker_sets(files)
    named = read_by_pattern(places, names) if names is not None else read_names(places, groups)
    for file, entry in zip(files, named, strict=True):
        file.named = entry
    panels = set_panels(files, groups)
    batch_source = _set_batches(files)
    _blank_subjects_alike(files)
    return Draft(
        name=_study_name(folder),
        samples=_sheet(files),
        aliases=unknown_labels(headers),
        panels=panels,
        simulated=all(header.fcs.simulated for header in headers),
        batch_source=batch_source,
        unreadable=tuple(file.place for file in files if file.header is None),
        left_out=tuple(left_out),
        unclear=next(((f.place, f.named.unknown) for f in files if _is_unclear(f)), None),
    )


def _is_unclear(file: FoundFile) -> bool:
    named = file.named
    return not named.role and bool(named.unknown) and not (named.subject and named.visit)


def _study_name(folder: Path) -> str:
    name = "".join(letter for letter in folder.resolve().name if letter.isprintable()).strip()
    return name or "my study"


def _set_batches(files: Sequence[FoundFile]) -> str:
    """Fill in the batches, all or none, and say where they come from."""
    if all(file.named.batch for file in files):
        return "names"
    days = [file.header.fcs.acquisition_day if file.header else None for file in files]
    folders = [str(PurePosixPath(file.place).parent) for file in files]
    said = {value.casefold() for f in files for value in (f.named.subject, f.named.visit, f.named.panel)}
    keys: Sequence[object] = ()
    if None not in days:
        keys, source = days, "days"
    elif not any(PurePosixPath(folder).name.casefold() in said for folder in folders):
        keys, source = folders, "folders"
    numbers = {key: i for i, key in enumerate(sorted(set(keys), key=str), start=1)}
    several = len(numbers) > 1
    for i, file in enumerate(files):
        file.named.batch = f"B{numbers[keys[i]]:0{len(str(len(numbers)))}d}" if several else ""
    return source if several else ""


def _blank_subjects_alike(files: Sequence[FoundFile]) -> None:
    """Blank subjects that differ only by case or by signs: nobody can say here whether they are one."""
    spellings: dict[str, set[str]] = {}
    for file in files:
        spellings.setdefault(_plain(file.named.subject), set()).add(file.named.subject)
    for file in files:
        if len(spellings[_plain(file.named.subject)]) > 1:
            file.named.unknown = (*file.named.unknown, file.named.subject)
            file.named.subject = ""


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", text.casefold())


def _sheet(files: Sequence[FoundFile]) -> pl.DataFrame:
    columns = ("subject", "visit", "panel", "batch", *_EXTRA)
    rows = [{"file": f.cell} | {name: getattr(f.named, name) or None for name in columns} for f in files]
    repeated = [key for key, n in Counter(map(_specimen, rows)).items() if n > 1 and key[0] and key[1]]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(("file", *columns), pl.String))
    kept = [name for name in _EXTRA if frame[name].null_count() < frame.height or (name == "replicate" and repeated)]
    frame = frame.select("file", *columns[:4], *kept)
    if "role" not in kept:
        return frame
    # Controls have no subject to be named by, and each batch may have a file of the same name.
    named = [re.sub(r"[^A-Za-z0-9]+", "-", f.place.rpartition(".")[0]).strip("-")[-90:].strip("-") for f in files]
    return frame.with_columns(
        pl.Series(
            "sample", [name if f.named.role else None for f, name in zip(files, named, strict=True)], dtype=pl.String
        )
    )


def _specimen(row: dict[str, str | None]) -> tuple[str | None, ...]:
    return tuple(row[key] for key in ("subject", "visit", "panel", "tube", "replicate"))

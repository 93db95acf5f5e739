"""Counts that another program stored beside those of its imported gates."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from il2cyto.errors import FcsWarning, StudyError
from il2cyto.gt import Events, apply, make_plan
from il2cyto.gt._reconcile import CUT_SCHEMA
from il2cyto.io import open_fcs, write_csv

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from il2cyto.exchange._import import Imported
    from il2cyto.template import GatingTemplate

COMPARISON_SCHEMA = {"sample": pl.String, "population": pl.String, "stored_count": pl.Int64, "count": pl.Int64}


def compare_counts(imported: Imported, fcs: str | Path) -> pl.DataFrame:
    """Count the imported gates in FCS files.

    Parameters
    ----------
    imported
        From :func:`import_templates`.
    fcs
        Folder with the files. Those of a workspace are found by the sample's name; gates of Gating-ML are applied to
        every ``.fcs`` there.

    Returns
    -------
    A row for every gate of every sample found: sample, population (full path), stored_count (null where none is stored),
    count (null where a channel is missing).

    Raises
    ------
    StudyError
        If the folder holds none of the files.
    """
    fcs = Path(fcs)
    rows: list[tuple[str, str, int | None, int | None]] = []
    for sample, path, template, stored in _found(imported, fcs):
        counts = _counts(path, template, sample)
        rows += [(sample, p.label, stored.get(p.name), counts[p.name]) for p in template.populations if p.label]
    if not rows:
        msg = f"{fcs.name}: no FCS file of the imported samples; name a folder with files called as in the source"
        raise StudyError(msg)
    return pl.DataFrame(rows, schema=COMPARISON_SCHEMA, orient="row")


def _found(imported: Imported, fcs: Path) -> Iterator[tuple[str, Path, GatingTemplate, Mapping[str, int]]]:
    files = {path.name: path for path in sorted(fcs.iterdir()) if path.suffix.lower() == ".fcs"}
    for sample in imported.samples:
        path = next((files[name] for name in sample.files if name in files), None)
        if path is not None:
            yield sample.name, path, sample.template, sample.stored
    if not imported.samples:
        for path in files.values():
            yield path.name, path, imported.templates[0], {}


def _counts(path: Path, template: GatingTemplate, sample: str) -> dict[str, int | None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FcsWarning)
        file = open_fcs(path)
        events = Events(file, make_plan(template, file.panel(), file=file.name))
        result = apply(events, pl.DataFrame(schema=CUT_SCHEMA), sample=sample)
    return {name: int(count) if count == count else None for name, count in result.counts.items()}


def write_comparison(table: pl.DataFrame, path: str | Path) -> Path:
    """Write the table of :func:`compare_counts` as CSV.

    Parameters
    ----------
    table
        The comparison.
    path
        Where to.

    Returns
    -------
    The path.
    """
    return write_csv(table, path, whole=["stored_count", "count"])


def summarise_comparison(table: pl.DataFrame) -> str:
    """One sentence: how many gates have a stored count, and how many of these are within 5 events or 0.5 %."""
    stored = table.drop_nulls(["stored_count", "count"])
    off = (stored["count"] - stored["stored_count"]).abs()
    near = int(((off <= 5) | (off <= 0.005 * stored["stored_count"])).sum())
    largest = max(off.to_list(), default=0)
    return (
        f"{table['sample'].n_unique()} samples, {table.height} gates, {stored.height} with a stored count: "
        f"{int((off == 0).sum())} equal, {near} within 5 events or 0.5 %, largest difference {largest}"
    )

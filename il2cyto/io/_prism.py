"""Frequencies laid out as GraphPad Prism's grouped tables: a row a visit, a block of columns an arm, a column a subject."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from il2cyto.errors import SchemaError
from il2cyto.io._atomic import replacing
from il2cyto.io._tables import plain_text, write_csv

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_NEEDED: Final = ("population", "subject", "visit", "arm", "frequency")


def write_prism(
    frequencies: pl.DataFrame, folder: str | Path, *, visits: Sequence[str] = (), arms: Sequence[str] = ()
) -> tuple[Path, ...]:
    """Write one grouped table for each population, and a key of which column is which subject.

    Prism takes each file by *Import, CSV* into a grouped table whose number of subcolumns is that of the block. All blocks
    are equally wide, as Prism wants them; a narrower arm ends in blank columns. Values are percent, as people plot them.

    Parameters
    ----------
    frequencies
        Tidy frame: `population subject visit arm frequency`, fractions 0-1; replicates are averaged, rows without an
        arm or subject left out.
    folder
        Where to; missing folders are made.
    visits, arms
        Their order; that of the frame if empty.

    Returns
    -------
    The files: ``<population>.csv`` each, then ``columns.csv`` with `arm`, `column` and `subject`.

    Raises
    ------
    SchemaError
        A column is missing.
    """
    missing = [name for name in _NEEDED if name not in frequencies.columns]
    if missing:
        msg = f"write_prism: no column {', '.join(missing)}; needed are {', '.join(_NEEDED)}"
        raise SchemaError(msg)
    rows = _values(frequencies)
    order = list(arms) or rows["arm"].unique(maintain_order=True).to_list()
    when = [visit for visit in visits if (rows["visit"] == visit).any()] or rows["visit"].unique(
        maintain_order=True
    ).to_list()
    members = {arm: rows.filter(arm=arm)["subject"].unique().sort().to_list() for arm in order}
    width = max((len(subjects) for subjects in members.values()), default=0)
    folder = Path(folder)
    files = []
    for population in rows["population"].unique(maintain_order=True):
        lines = _grouped(rows.filter(population=population), when, members, width)
        with replacing(folder / f"{population}.csv") as draft, draft.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(lines)
        files.append(folder / f"{population}.csv")
    key = [(arm, i + 1, subject) for arm, subjects in members.items() for i, subject in enumerate(subjects)]
    table = pl.DataFrame(key, schema={"arm": pl.String, "column": pl.Int64, "subject": pl.String}, orient="row")
    return (*files, write_csv(table, folder / "columns.csv"))


def _values(frequencies: pl.DataFrame) -> pl.DataFrame:
    text = frequencies.with_columns(pl.col("population", "subject", "visit", "arm").cast(pl.String))
    known = text.drop_nulls(["subject", "visit", "arm"]).with_columns(pl.col("frequency").fill_nan(None))
    keys = ["population", "arm", "subject", "visit"]
    return known.group_by(keys, maintain_order=True).agg(pl.col("frequency").mean())


def _grouped(
    rows: pl.DataFrame, visits: Sequence[str], members: Mapping[str, Sequence[str]], width: int
) -> Iterator[list[str]]:
    """The lines of one file; Prism reads the first as titles, where a block's name stands above each of its columns."""
    yield ["visit", *(plain_text(arm) for arm in members for _ in range(width))]
    percent = {(s, v): 100 * f for s, v, f in rows.select("subject", "visit", "frequency").iter_rows() if f is not None}
    for visit in visits:
        cells = [
            f"{percent[subject, visit]:.6g}" if (subject, visit) in percent else ""
            for subjects in members.values()
            for subject in (*subjects, *[""] * (width - len(subjects)))
        ]
        yield [plain_text(visit), *cells]

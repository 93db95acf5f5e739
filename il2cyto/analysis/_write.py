"""The tables of an analysis as files: CSV, parquet, one workbook, Prism, and the methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from il2cyto.io import write_csv, write_parquet, write_prism, write_workbook
from il2cyto.io._atomic import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from il2cyto.analysis._analyse import Analysis

#: Columns that count, and are written without decimals.
_WHOLE: Final = ("n", "x", "n_treatment", "n_control", "x_treatment", "x_control", "subjects", "events", "expected", "observed", "missing", "samples")  # fmt: skip
_CHARACTERS: Final = str.maketrans(dict.fromkeys('/\\:*?"<>|\0', "_"))


def write_tables(analysis: Analysis, folder: Path) -> Iterator[Path]:
    """Write the tables of an analysis into a folder of results.

    Parameters
    ----------
    analysis
        From :func:`il2cyto.analysis.analyse`.
    folder
        Gets ``tables/*.csv`` and ``*.parquet``, ``results.xlsx``, ``prism/*.csv`` and ``methods.md``.

    Yields
    ------
    The files, in the order of writing.
    """
    trial = analysis.inputs.trial
    for name, table in analysis.tables.items():
        whole = [column for column in _WHOLE if column in table.columns and table.schema[column].is_integer()]
        yield write_csv(table, folder / "tables" / f"{name}.csv", whole=whole)
        yield write_parquet(table, folder / "tables" / f"{name}.parquet")
    notes = ["SIMULATED DATA: no patient is in them."] if trial.simulated else []
    yield write_workbook(analysis.tables, folder / "results.xlsx", title=trial.study, notes=[*notes, *analysis.notices])
    yield from _prism(analysis, folder)
    with replacing(folder / "methods.md") as draft:
        draft.write_text(analysis.methods, "utf-8")
    yield folder / "methods.md"


def _prism(analysis: Analysis, folder: Path) -> Iterator[Path]:
    inputs = analysis.inputs
    rows = inputs.of_parent.filter(~pl.col("control") & pl.col("frequency").is_not_null())
    safe = rows.with_columns(pl.col("population").map_elements(_file_name, return_dtype=pl.String))
    yield from write_prism(safe, folder / "prism", visits=list(inputs.visits), arms=inputs.arms)


def _file_name(population: str) -> str:
    """Make a population's name one that any system takes for a file."""
    return population.translate(_CHARACTERS).strip(". ") or "population"

"""What a run left in its folder, read back for the report: nothing is computed again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from il2cyto import get
from il2cyto._keys import Uns
from il2cyto.analysis import kept_inputs
from il2cyto.errors import SchemaError
from il2cyto.io import read_anndata

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from anndata import AnnData

#: Names that a table is not read as numbers for.
_TEXT = ("sample", "subject", "visit", "arm", "batch", "panel", "population", "parent", "flags", "reason", "file")


@dataclass(frozen=True)
class Results:
    """A results folder.

    Attributes
    ----------
    cohorts
        Cohort object by panel; one panel is named by itself.
    tables
        The CSV files of ``tables/``, by name without the ending.
    methods
        Text of ``methods.md``, empty if the run has not written one.
    level
        Coverage of the tables' intervals, 0-1, as the study file of the run set it.
    """

    folder: Path
    cohorts: Mapping[str, AnnData]
    tables: Mapping[str, pl.DataFrame]
    methods: str
    level: float = 0.95

    @property
    def facts(self) -> Mapping[str, Any]:
        """``uns["il2cyto"]`` of the first panel: what is said of the study is the same in all."""
        facts: Mapping[str, Any] = next(iter(self.cohorts.values())).uns[Uns.IL2CYTO]
        return facts

    @property
    def simulated(self) -> bool:
        """Whether no patient gave these data."""
        return any(bool(adata.uns[Uns.IL2CYTO].get(Uns.SIMULATED, False)) for adata in self.cohorts.values())

    @property
    def arms(self) -> tuple[str, ...]:
        """Arms of the study, control first; empty without any."""
        return tuple(str(arm) for arm in self.facts.get(Uns.ARMS, ()))

    @property
    def treatment_weeks(self) -> list[tuple[float, float]]:
        """Periods on treatment."""
        return [(float(start), float(end)) for start, end in self.facts.get(Uns.TREATMENT_WEEKS, ())]

    def table(self, name: str) -> pl.DataFrame | None:
        """Give a table, or None where the run has none of this name or it has no rows."""
        table = self.tables.get(name)
        return table if table is not None and table.height else None

    def flags(self) -> pl.DataFrame:
        """List every flag of every panel, see :func:`il2cyto.get.flags`, with the panel's name."""
        frames = [get.flags(adata).with_columns(panel=pl.lit(panel)) for panel, adata in self.cohorts.items()]
        return pl.concat(frames)


def read_results(folder: Path) -> Results:
    """Read a results folder.

    Raises
    ------
    SchemaError
        There is no cohort object in it.
    StudyError
        What it keeps of the study file cannot be read.
    """
    paths = sorted(folder.glob("results*.h5ad"))
    if not paths:
        msg = f"{folder.name}: no results.h5ad; a report is made of the folder that il2cyto run or gate has written."
        raise SchemaError(msg)
    cohorts = {_panel_name(path.stem): read_anndata(path) for path in paths}
    tables = {path.stem: _read_csv(path) for path in sorted((folder / "tables").glob("*.csv"))}
    methods = folder / "methods.md"
    trial, _ = kept_inputs(folder)
    said = methods.read_text("utf-8") if methods.is_file() else ""
    return Results(folder, cohorts, tables, said, 0.95 if trial is None else trial.analysis.level)


def _panel_name(stem: str) -> str:
    return stem.removeprefix("results").removeprefix("-")


def _read_csv(path: Path) -> pl.DataFrame:
    text = dict.fromkeys(_TEXT, pl.String)
    return pl.read_csv(path, infer_schema_length=None, schema_overrides=text, null_values=[""])

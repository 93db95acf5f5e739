"""Frequencies as other people's tables: GraphPad Prism, FlowJo's table editor, ImmPort's upload template."""

from __future__ import annotations

import csv
import statistics
from typing import TYPE_CHECKING, Final

import polars as pl

from il2cyto import get
from il2cyto._keys import ROOT, Obs, Var
from il2cyto._populations import endpoint_populations
from il2cyto.exchange._cdisc_cp import markers
from il2cyto.io import write_prism
from il2cyto.io._atomic import replacing
from il2cyto.io._tables import plain_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from anndata import AnnData

#: Version 3.33 of the template FCM_Derived_data; its limit for names and definitions.
_IMMPORT_COLUMNS: Final = (
    *(
        "Column Name",
        "Expsample ID",
        "Population Name Reported",
        "Gating Definition Reported",
        "Parent Population Reported",
    ),
    *("Population Statistic (count, percentile, etc)", "Population Stat Unit Reported", "Workspace File", "Comments"),
)
_IMMPORT_LIMIT: Final = 150


def export_prism(cohorts: Mapping[str, AnnData], out: Path) -> tuple[Path, ...]:
    """Write a grouped table for each endpoint population, in percent of its parent; with several panels a folder each."""
    files: list[Path] = []
    for panel, adata in cohorts.items():
        table = get.frequencies(adata, populations=endpoint_populations(adata))
        visits, arms = (
            [str(level) for level in adata.obs[key].cat.categories] if key in adata.obs else []
            for key in (Obs.VISIT, Obs.ARM)
        )
        if Obs.ARM not in adata.obs:  # a batch without arms is one block of columns
            table, arms = table.with_columns(arm=pl.lit("all")), ["all"]
        files += write_prism(table, _folder(out, panel, cohorts), visits=visits, arms=arms)
    return tuple(files)


def export_flowjo(cohorts: Mapping[str, AnnData], out: Path) -> tuple[Path, ...]:
    """Write a table like that of FlowJo's table editor: a row a file, then mean and SD; percent of parent, then counts.

    What is not evaluable is ``n/a``, and is left out of mean and SD.
    """
    files = []
    for panel, adata in cohorts.items():
        path = _folder(out, panel, cohorts) / "flowjo_table.csv"
        with replacing(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(_flowjo_lines(adata))
        files.append(path)
    return tuple(files)


def export_immport(cohorts: Mapping[str, AnnData], out: Path) -> tuple[Path, ...]:
    """Write ImmPort's template ``FCM_Derived_data.txt``: counts, and percent of the parent.

    The experiment sample is the il2cyto sample, the workspace the Gating-ML document that `il2cyto export --to gatingml`
    writes for it. What is not evaluable is left out: the template has no place for a missing statistic.
    """
    path = out / "FCM_Derived_data.txt"
    lines = [
        ["fcm_derived_data", "Schema Version 3.33"],
        ["Please do not delete or edit this column", *[""] * (len(_IMMPORT_COLUMNS) - 1)],
        list(_IMMPORT_COLUMNS),
        *(row for adata in cohorts.values() for row in _immport_rows(adata)),
    ]
    with replacing(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerows([plain_text(cell) for cell in line] for line in lines)
    return (path,)


def _flowjo_lines(adata: AnnData) -> Iterator[list[str]]:
    table = get.frequencies(adata)
    paths = {name: str(path).strip("/").removeprefix(f"{ROOT}/") for name, path in adata.var[Var.PATH].items()}
    columns = [(f"{paths[name]} | {what}", values) for what, column, factor in (
        ("Freq. of Parent (%)", "frequency", 100), ("Count", "count", 1),
    ) for name in adata.var_names
        for values in [[factor * value for value in table.filter(population=name)[column]]]]  # fmt: skip
    files = adata.obs[Obs.FILE].astype(str) if Obs.FILE in adata.obs else adata.obs_names
    yield ["", *(title for title, _ in columns)]
    for i, file in enumerate(files):
        yield [plain_text(file), *(_number(values[i]) for _, values in columns)]
    known = [[value for value in values if value == value] for _, values in columns]
    yield ["Mean", *(_number(statistics.fmean(values) if values else float("nan")) for values in known)]
    yield ["SD", *(_number(statistics.stdev(values) if len(values) > 1 else float("nan")) for values in known)]


def _immport_rows(adata: AnnData) -> Iterator[Sequence[str]]:
    table = get.frequencies(adata).filter(pl.col("frequency").is_not_nan())
    label = {name: str(text) for name, text in adata.var[Var.LABEL].items()} if Var.LABEL in adata.var else {}
    phenotype = (
        {name: str(text) for name, text in adata.var[Var.PHENOTYPE].items()} if Var.PHENOTYPE in adata.var else {}
    )
    for row in table.iter_rows(named=True):
        name, parent = row["population"], row["parent"]
        about = [
            label.get(name, name),
            _definition(phenotype.get(name, "")) or name,
            "" if parent == ROOT else label.get(parent, parent),
        ]
        start = ["", row["sample"], *(text[:_IMMPORT_LIMIT] for text in about)]
        yield [*start, f"{row['count']:.0f}", "Count", f"{row['sample']}.xml", row["flags"]]
        yield [*start, f"{100 * row['frequency']:.6g}", "Percent of parent", f"{row['sample']}.xml", row["flags"]]


def _definition(phenotype: str) -> str:
    """Write markers as ImmPort's grammar has them, a comma between any two."""
    return ", ".join(token for token in markers(phenotype) if token.strip())


def _number(value: float) -> str:
    return f"{value:.6g}" if value == value else "n/a"


def _folder(out: Path, panel: str, cohorts: Mapping[str, AnnData]) -> Path:
    return out if len(cohorts) == 1 else out / panel

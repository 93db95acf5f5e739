"""Cells per µL out of a cohort object, by one method of counting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from il2cyto._keys import Layers, Obs, Var
from il2cyto._populations import require_populations
from il2cyto._tidy import each_sample, sample_columns, stack
from il2cyto.errors import SchemaError
from il2cyto.get._rows import SAMPLE_COLUMNS, all_populations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

    from il2cyto._tidy import Panels


def absolute_counts(
    data: AnnData | Panels, *, populations: Sequence[str] | None = None, method: str | None = None
) -> pl.DataFrame:
    """Cells per µL of blood of every population in every sample, by one method of counting.

    Parameters
    ----------
    data
        Cohort object, or several under one roof.
    populations
        Some of the populations; all if None.
    method
        ``beads``, ``volumetric`` or ``dual_platform``; may be left out where there is only one.

    Returns
    -------
    `sample subject visit week arm panel population count cells_per_ul count_method reason`: one row per sample and population.
    `cells_per_ul` is NaN, with a reason, where the population is not evaluable, the sample was not counted or by another method, or
    the population is no part of what a blood count counts. Without absolute counts in the object all are.

    Raises
    ------
    SchemaError
        The samples were counted by several methods and none is named: such numbers cannot be compared.
    """
    require_populations(all_populations(data), populations or (), caller="get.absolute_counts")
    found = stack(data, lambda adata: _absolute_counts(adata, populations))
    methods = (
        found.drop_nulls(Obs.COUNT_METHOD).unique("sample").group_by(Obs.COUNT_METHOD).len().sort(Obs.COUNT_METHOD)
    )
    if method is None and methods.height > 1:
        counted = ", ".join(f"{name} ({n} samples)" for name, n in methods.iter_rows())
        msg = f"get.absolute_counts: counted by {counted}; numbers of different methods are not compared. Name one: method=..."
        raise SchemaError(msg)
    name = pl.col(Obs.COUNT_METHOD)
    other = name.ne_missing(pl.lit(method)) & name.is_not_null() if method else pl.lit(value=False)
    cells = pl.when(other).then(float("nan")).otherwise("cells_per_ul").alias("cells_per_ul")
    reason = (
        pl.when(name.is_null())
        .then(pl.lit("no absolute count of this sample"))
        .when(other)
        .then(pl.concat_str(pl.lit("counted by another method: "), name))
        .when(pl.col("count").is_nan())
        .then(pl.lit("not evaluable"))
        .when(pl.col("cells_per_ul").is_nan())
        .then(pl.when(name == "beads").then(pl.lit("too few beads")).otherwise(pl.lit("no part of the lymphocytes")))
        .otherwise(pl.lit(""))
        .alias("reason")
    )
    return found.with_columns(cells, reason)


def _absolute_counts(adata: AnnData, populations: Sequence[str] | None) -> pl.DataFrame:
    # With several panels each of them holds a part of the populations that were asked for.
    names = [name for name in (populations or adata.var_names) if name in adata.var_names]
    part = adata[:, names]
    counts = np.asarray(part.layers[Layers.COUNTS], np.float64)
    cells = part.layers.get(Layers.CELLS_PER_UL, np.full(part.shape, np.nan))
    table = each_sample(
        sample_columns(adata, *SAMPLE_COLUMNS, Obs.COUNT_METHOD),
        pl.DataFrame({Var.POPULATION: names}, {Var.POPULATION: pl.String}),
    )
    return table.select(
        pl.exclude(Obs.COUNT_METHOD),
        pl.Series("count", counts.ravel()),
        pl.Series("cells_per_ul", np.asarray(cells, np.float64).ravel()),
        Obs.COUNT_METHOD,
    )

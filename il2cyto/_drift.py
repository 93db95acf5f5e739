"""Cuts by batch out of a cohort object: where they drift."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from il2cyto._keys import Obs
from il2cyto._tidy import sample_columns

if TYPE_CHECKING:
    from anndata import AnnData


def drift_of(adata: AnnData, cuts: pl.DataFrame) -> pl.DataFrame:
    """Summarise the rows of `get.cuts` for one object."""
    batches = sorted(cuts[Obs.BATCH].fill_null("").unique())
    control = sample_columns(adata, Obs.CONTROL)
    if control.schema[Obs.CONTROL] != pl.Boolean:
        control = control.with_columns(pl.lit(value=False).alias(Obs.CONTROL))
    rows = cuts.join(control, on=Obs.SAMPLE, how="left", maintain_order="left").with_columns(
        pl.col(Obs.BATCH).fill_null(""), pl.col("proposal", "value").fill_nan(None)
    )
    own, is_control = pl.col("proposal"), pl.col(Obs.CONTROL)
    mine = own.filter(~is_control)
    keys = [Obs.PANEL, "population", "coordinate"]
    summary = rows.group_by(*keys, Obs.BATCH, maintain_order=True).agg(
        samples=(~is_control).sum(),
        own=mine.median(),
        own_mad=1.4826 * (mine - mine.median()).abs().median(),
        final=pl.col("value").filter(~is_control).median(),
        controls=is_control.sum(),
        control_own=own.filter(is_control).median(),
        control_final=pl.col("value").filter(is_control).median(),
    )
    return (
        summary.with_columns(
            pl.selectors.float().fill_null(float("nan")),
            shift=(pl.col("own") - pl.col("own").median().over(keys)).fill_null(float("nan")),
            place=pl.col(Obs.BATCH).replace_strict({name: i for i, name in enumerate(batches)}, return_dtype=pl.Int64),
        )
        .sort(pl.int_range(pl.len()).min().over(keys), "place", maintain_order=True)
        .drop("place")
    )

"""Cuts, sample by sample, and where they drift from batch to batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from il2cyto._keys import Obs, Obsm, Uns
from il2cyto._tidy import each_sample, flag_legend, flag_names, plain, sample_columns, stack
from il2cyto.get._rows import SAMPLE_COLUMNS

if TYPE_CHECKING:
    from anndata import AnnData

    from il2cyto._tidy import Panels

_SLOTS = {"value": Obsm.CUTS, "proposal": Obsm.CUTS_RAW, "spread": Obsm.CUTS_SPREAD, "flags": Obsm.CUT_FLAG}


def cuts(data: AnnData | Panels) -> pl.DataFrame:
    """Every fitted cut in every sample, with the legend of the cuts.

    Parameters
    ----------
    data
        Cohort object.

    Returns
    -------
    One row per sample and cut: the sample's columns as in `frequencies`, `batch`, the columns of
    `uns["il2cyto"]["cuts"]` (`cut population channel marker coordinate ...`), then `value` (final), `proposal` (this
    file's own, NaN if none was found), `spread`, all in the gate's transformed coordinate, and `flags`.
    """
    return stack(data, _cuts)


def cut_drift(data: AnnData | Panels) -> pl.DataFrame:
    """Every fitted cut batch by batch, bridging controls beside the samples.

    Parameters
    ----------
    data
        Cohort object.

    Returns
    -------
    One row per number of a gate and batch, batches in the order of their names, which should be that of the runs: `panel population
    coordinate batch samples own own_mad final controls control_own control_final shift`. `own` and `final` are medians over the
    batch's samples, `own_mad` is 1.4826 times their median absolute deviation, `control_own` and `control_final` are medians over its
    bridging controls, `shift` is how far `own` lies from the median of the batches. NaN where there is no such cut.
    """
    return stack(data, lambda adata: _drift(adata, _cuts(adata)))


def _cuts(adata: AnnData) -> pl.DataFrame:
    legend = plain(adata.uns[Uns.IL2CYTO][Uns.CUTS].loc[adata.obsm[Obsm.CUTS].columns], index="cut")
    # The legend's own panel column, where there is one, says the same as the sample's.
    samples = sample_columns(adata, *SAMPLE_COLUMNS, Obs.BATCH)
    slots = {name: adata.obsm[key][legend["cut"].to_list()].to_numpy() for name, key in _SLOTS.items()}
    masks = slots.pop("flags")
    return each_sample(samples, legend.drop(Obs.PANEL, strict=False)).with_columns(
        *(pl.Series(name, values.ravel()) for name, values in slots.items()),
        flag_names(masks, flag_legend(adata)),
    )


def _drift(adata: AnnData, cuts: pl.DataFrame) -> pl.DataFrame:
    """Summarise the cuts of one object by batch."""
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

"""Markers of the template that a panel lacks, out of a cohort object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from il2cyto._keys import Obs, Uns
from il2cyto._tidy import sample_columns
from il2cyto.template import keys_of, loss_without

if TYPE_CHECKING:
    from anndata import AnnData

    from il2cyto.template import GatingTemplate

SCHEMA = {
    **dict.fromkeys((Obs.PANEL, "marker"), pl.String),
    **dict.fromkeys(("absent", "samples"), pl.Int64),
    **dict.fromkeys(("passed", "lost"), pl.String),
}


def absent_of(adata: AnnData, template: GatingTemplate) -> pl.DataFrame:
    """List the absent markers of one object; where it does not say which channels its files have, none can be told."""
    channels = adata.uns[Uns.IL2CYTO].get(Uns.CHANNELS)
    samples = sample_columns(adata, Obs.PANEL)
    panel = next(iter(samples[Obs.PANEL].drop_nulls()), "")
    everyone = set(samples[Obs.SAMPLE])
    having: dict[str, set[str]] = {}
    for row in channels.itertuples() if channels is not None else ():
        having.setdefault(row.marker, set()).update(row.samples.split(";") if row.samples else everyone)
    rows = []
    for key in dict.fromkeys(key for p in template.populations for key in keys_of(template, p.name)):
        absent = everyone - having.get(key, set())
        # A dimension of an imported gate is made of channels, and is not a marker.
        if having and absent and key not in template.dimensions:
            loss = loss_without(template, key)
            rows.append((panel, key, len(absent), len(everyone), ";".join(loss.passed), ";".join(loss.lost)))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")

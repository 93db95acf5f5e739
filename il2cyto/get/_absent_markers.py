"""Markers of the template that a panel lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from il2cyto._keys import Obs, Uns
from il2cyto._tidy import sample_columns, stack
from il2cyto.get._template import template
from il2cyto.template import keys_of, loss_without

if TYPE_CHECKING:
    from anndata import AnnData

    from il2cyto._tidy import Panels
    from il2cyto.template import GatingTemplate

_SCHEMA = {
    **dict.fromkeys((Obs.PANEL, "marker"), pl.String),
    **dict.fromkeys(("absent", "samples"), pl.Int64),
    **dict.fromkeys(("passed", "lost"), pl.String),
}


def absent_markers(data: AnnData | Panels) -> pl.DataFrame:
    """List the markers and channels of the gating template that samples lack, and what that does.

    Parameters
    ----------
    data
        Cohort object.

    Returns
    -------
    One row per panel and marker: `panel marker absent samples passed lost`. `absent` of `samples` lack it; `passed` names the gates
    that are then passed through (flag MISSING_PASS), `lost` the populations that cannot be evaluated (CHANNEL_MISSING), joined by
    ";". No rows where every sample has every marker, or the object does not say which channels its files have.

    Examples
    --------
    >>> from il2cyto import datasets, get
    >>> get.absent_markers(datasets.toy_trial(subjects=2)).row(0)
    ('tnk', 'lineage', 6, 6, 'NK_lineage', '')
    """
    return stack(data, lambda adata: _absent_markers(adata, template(adata)))


def _absent_markers(adata: AnnData, template: GatingTemplate) -> pl.DataFrame:
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
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")

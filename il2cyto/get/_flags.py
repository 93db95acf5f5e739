"""Flags, one a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from il2cyto._keys import Layers, Obs, Var
from il2cyto._tidy import LegendRow, flag_legend, flag_names, sample_columns, stack

if TYPE_CHECKING:
    from anndata import AnnData

    from il2cyto._tidy import Panels


def flags(data: AnnData | Panels) -> pl.DataFrame:
    """List every flag of every population: `sample population flag severity meaning`, one row per flag that is set.

    Examples
    --------
    >>> from il2cyto import datasets, get
    >>> adata = datasets.toy_trial(subjects=2)
    >>> get.flags(adata).columns
    ['sample', 'population', 'flag', 'severity', 'meaning']
    """
    return stack(data, _flags)


def _flags(adata: AnnData) -> pl.DataFrame:
    legend = flag_legend(adata)
    masks = np.asarray(adata.layers[Layers.FLAG])
    flag_names(masks, legend)
    samples, names = sample_columns(adata)[Obs.SAMPLE], list(adata.var_names)
    rows = [
        (samples[int(i)], names[j], *legend[bit])
        for i, j in np.argwhere(masks)
        for bit in sorted(legend)
        if masks[i, j] >> bit & 1
    ]
    columns = (Obs.SAMPLE, Var.POPULATION, *LegendRow._fields)
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")

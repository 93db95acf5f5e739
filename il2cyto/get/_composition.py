"""A population split into its children and the rest."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from il2cyto._composition import split
from il2cyto._populations import require_populations
from il2cyto._share import share
from il2cyto._tidy import stack
from il2cyto.get._rows import all_populations, population_rows

if TYPE_CHECKING:
    from anndata import AnnData

    from il2cyto._tidy import Panels

_log = logging.getLogger("il2cyto")


def composition(data: AnnData | Panels, parent: str) -> pl.DataFrame:
    """Split a population: its children and the rest, which add up to it in every sample.

    Samples in which the parent or a child is not evaluable are left out and named in the log.

    Parameters
    ----------
    data
        Cohort object.
    parent
        A population with children in the object.

    Returns
    -------
    `sample subject visit week arm panel population parent count parent_count frequency`; the rest, parent - sum of
    children, is the population `other` (`{parent}_other` if a child has that name). `frequency` is 0-1, NaN where the
    parent is empty.

    Raises
    ------
    PopulationError
        The parent has no children here, or they overlap: their sum exceeds it in some sample.

    Examples
    --------
    >>> from il2cyto import datasets, get
    >>> adata = datasets.toy_trial(subjects=2)
    >>> parts = get.composition(adata, "NK")
    >>> parts["population"].unique().sort().to_list()
    ['CD16pos', 'CD56bright', 'other']
    """
    require_populations(all_populations(data), [parent], caller="get.composition")
    return stack(data, lambda adata: _composition(adata, parent))


def _composition(adata: AnnData, parent: str) -> pl.DataFrame:
    names, count, total = split(adata, parent, caller="get.composition")
    whole = np.isfinite(count).all(axis=1)
    if not whole.all():
        _log.warning("composition of %s: not evaluable, left out: %s", parent, ", ".join(adata.obs_names[~whole]))
    count, total = count[whole], np.broadcast_to(total, count.shape)[whole]
    return population_rows(adata[whole], names, [parent] * len(names)).with_columns(
        pl.Series("count", count.ravel()),
        pl.Series("parent_count", total.ravel()),
        pl.Series("frequency", share(count, total).ravel()),
    )

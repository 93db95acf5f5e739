"""Frequencies of populations, sample by sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from il2cyto._intervals import wilson
from il2cyto._keys import Layers, Var
from il2cyto._populations import ancestors, require_populations
from il2cyto._share import share
from il2cyto._tidy import flag_legend, flag_names, stack
from il2cyto.errors import PopulationError
from il2cyto.get._rows import all_populations, layer, population_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

    from il2cyto._tidy import Panels


def frequencies(
    data: AnnData | Panels, *, populations: Sequence[str] | None = None, denominator: str | None = None
) -> pl.DataFrame:
    """Frequency of each population in each sample, with its counts, interval and flags.

    Parameters
    ----------
    data
        Cohort object.
    populations
        Which ones; all if None, or with a denominator all below it.
    denominator
        Divide by the events of this population in place of the parent's; it has to be an ancestor.

    Returns
    -------
    One row per sample and population, samples in the order of the object: `sample subject visit week arm panel
    population parent count parent_count frequency ci_low ci_high flags`. `parent` is what `frequency` (0-1) is a
    fraction of. The interval is Wilson's at 95 %: it covers the counting of events, not the placing of gates. Where the
    object calls a population not evaluable, or the denominator is missing or empty, `frequency` and its limits are NaN.
    `flags` are names joined by ";". `visit` and `arm` are ordered (Enum); a column the object lacks is null.

    Raises
    ------
    PopulationError
        A population is not in the object, or not below the denominator.
    SchemaError
        A flag bit has no row in the object's legend.

    Examples
    --------
    >>> from il2cyto import datasets, get
    >>> adata = datasets.toy_trial(subjects=2)
    >>> get.frequencies(adata, populations=["Treg"], denominator="T").columns[-4:]
    ['frequency', 'ci_low', 'ci_high', 'flags']
    """
    for named in (populations or (), (denominator,) if denominator else ()):
        require_populations(all_populations(data), named, caller="get.frequencies")
    return stack(data, lambda adata: _frequencies(adata, populations, denominator))


def _frequencies(adata: AnnData, populations: Sequence[str] | None, denominator: str | None) -> pl.DataFrame:
    names = _selected(adata, populations, denominator)
    part = adata[:, names]
    count = layer(part, Layers.COUNTS)
    if denominator is None:
        parent, total = [str(name) for name in part.var[Var.PARENT]], layer(part, Layers.PARENT_COUNTS)
        frequency = np.asarray(part.X, np.float64)
    else:
        parent = [denominator] * len(names)
        total = np.broadcast_to(layer(adata[:, [denominator]], Layers.COUNTS), count.shape)
        frequency = share(count, total)
    # parent_counts stand where a fraction is not evaluable; its interval must not.
    low, high = wilson(np.where(np.isnan(frequency), np.nan, count), total)
    return population_rows(adata, names, parent).with_columns(
        pl.Series("count", count.ravel()),
        pl.Series("parent_count", total.ravel()),
        pl.Series("frequency", frequency.ravel()),
        pl.Series("ci_low", low.ravel()),
        pl.Series("ci_high", high.ravel()),
        flag_names(np.asarray(part.layers[Layers.FLAG]), flag_legend(adata)),
    )


def _selected(adata: AnnData, populations: Sequence[str] | None, denominator: str | None) -> list[str]:
    # With several panels each of them holds a part of the populations that were asked for.
    names = [name for name in (adata.var_names if populations is None else populations) if name in adata.var_names]
    if denominator is None:
        return names
    above = {name: ancestors(adata, name) for name in names}
    outside = [name for name in names if denominator not in above[name]]
    if populations is not None and outside:
        allowed = "; ".join(f"{name}: {', '.join(above[name]) or 'none'}" for name in outside)
        msg = f"get.frequencies: {denominator!r} does not contain all of the populations; allowed is {allowed}."
        raise PopulationError(msg)
    return [name for name in names if name not in outside]

"""The rows that tables of a cohort object have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from il2cyto._keys import Obs, Var
from il2cyto._tidy import each_sample, panels, sample_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from anndata import AnnData

    from il2cyto._tidy import Panels

    FloatArray = npt.NDArray[np.float64]

#: What every table says of a sample beside its name.
SAMPLE_COLUMNS: Final = (Obs.SUBJECT, Obs.VISIT, Obs.WEEK, Obs.ARM, Obs.PANEL)


def all_populations(data: AnnData | Panels) -> list[str]:
    """List the populations of all panels, each once."""
    return list(dict.fromkeys(name for adata in panels(data) for name in adata.var_names))


def population_rows(adata: AnnData, names: Sequence[str], parents: Sequence[str]) -> pl.DataFrame:
    """Make one row per sample and population, in the order of a raveled layer."""
    populations = pl.DataFrame(
        {Var.POPULATION: names, Var.PARENT: parents}, schema=dict.fromkeys((Var.POPULATION, Var.PARENT), pl.String)
    )
    return each_sample(sample_columns(adata, *SAMPLE_COLUMNS), populations)


def layer(adata: AnnData, key: str) -> FloatArray:
    """Take a layer as floats, samples × populations."""
    return np.asarray(adata.layers[key], np.float64)

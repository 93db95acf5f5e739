"""The samples in which nothing is missing."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from il2cyto._keys import Obs
from il2cyto._populations import require_populations
from il2cyto._tidy import panels
from il2cyto.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

_log = logging.getLogger("il2cyto")


def complete_cases(adata: AnnData, *, populations: Sequence[str] | None = None, visit: str | None = None) -> AnnData:
    """Take the samples in which every population is evaluable: what scanpy's methods need, which cannot take NaN.

    Samples that are left out are named in the log.

    Parameters
    ----------
    adata
        Cohort object.
    populations
        Which ones; all if None.
    visit
        Samples of this visit only; of all visits if None.

    Returns
    -------
    A copy: its X and layers are those of the object.

    Raises
    ------
    PopulationError
        A population is not in the object.
    SchemaError
        There is no such visit, or no sample is complete.

    Examples
    --------
    >>> from il2cyto import datasets, get
    >>> adata = datasets.toy_trial(subjects=2)
    >>> get.complete_cases(adata, populations=["CD4", "CD8"], visit="W12").shape
    (2, 2)
    """
    panels(adata)
    names = list(adata.var_names if populations is None else populations)
    require_populations(adata.var_names, names, caller="get.complete_cases")
    visits = adata.obs[Obs.VISIT].astype(str)
    if visit is not None and not (visits == visit).any():
        msg = f"get.complete_cases: no sample of visit {visit!r}; visits: {', '.join(sorted(set(visits)))}."
        raise SchemaError(msg)
    part = adata[(visits == (visits if visit is None else visit)).to_numpy(), names]
    whole = np.isfinite(np.asarray(part.X)).all(axis=1)
    if not whole.any():
        never = part.var_names[~np.isfinite(np.asarray(part.X)).any(axis=0)]
        without = f"; none has {', '.join(never)}" if part.n_obs and len(never) else ""
        msg = f"get.complete_cases: none of {part.n_obs} samples has all of {', '.join(names)}{without}; name fewer populations."
        raise SchemaError(msg)
    if not whole.all():
        _log.warning("complete cases: not evaluable, left out: %s", ", ".join(part.obs_names[~whole]))
    return part[whole].copy()

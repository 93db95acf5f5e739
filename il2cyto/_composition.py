"""A population split into its children and the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from il2cyto._keys import Layers, Var
from il2cyto.errors import PopulationError

if TYPE_CHECKING:
    import numpy.typing as npt
    from anndata import AnnData

    FloatArray = npt.NDArray[np.float64]


def split(adata: AnnData, parent: str, *, caller: str) -> tuple[list[str], FloatArray, FloatArray]:
    """Count the children of a population and the rest, sample by sample.

    Returns
    -------
    Names, the last of them the rest (`other`, or `{parent}_other` if a child has that name); counts, samples × names; the
    parent's counts, samples × 1. NaN where a count is not evaluable.

    Raises
    ------
    PopulationError
        The parent has no children here, or they overlap.
    """
    children = list(adata.var_names[adata.var[Var.PARENT].astype(str) == parent])
    if not children:
        msg = f"{caller}: {parent!r} has no children in the object; choose a population that is a parent."
        raise PopulationError(msg)
    total, parts = (np.asarray(adata[:, names].layers[Layers.COUNTS], np.float64) for names in ([parent], children))
    count = np.hstack([parts, total - parts.sum(axis=1, keepdims=True)])
    overlapping = adata.obs_names[count[:, -1] < 0]
    if len(overlapping):
        msg = (
            f"{caller}: the children of {parent!r} ({', '.join(children)}) overlap: their sum exceeds it in "
            f"{len(overlapping)} samples, first {overlapping[0]}. Take children that exclude each other."
        )
        raise PopulationError(msg)
    return [*children, f"{parent}_other" if "other" in children else "other"], count, total

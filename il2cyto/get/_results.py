"""Results that statistics left in a cohort object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import polars as pl

from il2cyto._keys import Var
from il2cyto._tidy import plain
from il2cyto.errors import SchemaError

if TYPE_CHECKING:
    from anndata import AnnData


def results(adata: AnnData, key: str) -> pl.DataFrame:
    """Results that a function of `tl` left in the object.

    Parameters
    ----------
    adata
        Cohort object.
    key
        The `key_added` of that function: all of its contrasts, stacked, with a column `contrast`. Or one
        `varm` key, `{key_added}_{contrast}`.

    Returns
    -------
    `population` and the columns of the result, or the frame in `uns[key]["results"]`.

    Raises
    ------
    SchemaError
        Nothing is stored under the key; the message names what is.
    """
    if key in adata.varm:
        return plain(adata.varm[key], index=Var.POPULATION)
    contrasts = [name for name in adata.varm if _owner(adata, name) == key]
    if contrasts:
        frames = [plain(adata.varm[name], index=Var.POPULATION) for name in contrasts]
        return pl.concat(
            frame.insert_column(1, pl.Series("contrast", [name.removeprefix(f"{key}_")] * frame.height))
            for name, frame in zip(contrasts, frames, strict=True)
        )
    stored = adata.uns.get(key)
    if isinstance(stored, Mapping) and "results" in stored:
        return plain(stored["results"], index=stored["results"].index.name)
    there = sorted({*adata.varm, *(k for k, v in adata.uns.items() if isinstance(v, Mapping) and "results" in v)})
    msg = f"get.results: nothing stored under {key!r}; stored: {', '.join(there) or 'no results'}. Run its tl function."
    raise SchemaError(msg)


def _owner(adata: AnnData, varm_key: str) -> str:
    """Find the `key_added` in `{key_added}_{contrast}`: both may hold underscores, so ask which keys have parameters."""
    owners = [key for key, value in adata.uns.items() if isinstance(value, Mapping) and varm_key.startswith(f"{key}_")]
    return max(owners, key=len, default="")

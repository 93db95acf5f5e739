"""In which order samples stand in a picture."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from il2cyto.errors import SchemaError

if TYPE_CHECKING:
    from anndata import AnnData


def natural(text: str) -> tuple[tuple[int, str], ...]:
    """Sort key that puts B2 before B10.

    Examples
    --------
    >>> sorted(["B10", "B2"], key=natural)
    ['B2', 'B10']
    """
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]+)", text) if part)


def ordered(adata: AnnData, samples: list[str], by: tuple[str, ...], *, caller: str) -> list[str]:
    """Sort samples by columns of obs, categories in their order where they have one, numbers in names as numbers."""
    absent = [name for name in by if name not in adata.obs]
    if absent:
        msg = f"{caller}: no column {', '.join(map(repr, absent))} in obs; it has {', '.join(adata.obs.columns)}."
        raise SchemaError(msg)
    ranks = [_rank(adata, name) for name in by]
    return sorted(samples, key=lambda sample: (*(rank[sample] for rank in ranks), natural(sample)))


def _rank(adata: AnnData, column: str) -> dict[str, int]:
    values = adata.obs[column]
    levels = list(values.cat.categories) if getattr(values.dtype, "ordered", False) else []
    levels = [str(level) for level in levels] or sorted({str(value) for value in values}, key=natural)
    place = {level: i for i, level in enumerate(levels)}
    return {str(sample): place.get(str(value), len(place)) for sample, value in values.items()}

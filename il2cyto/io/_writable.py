"""What h5ad and zarr cannot hold the same way everywhere, refused before a byte is written."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from il2cyto.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData

_INSTEAD = {
    datetime.date: "a study day",
    datetime.timedelta: "a number of days",
    np.datetime64: "a study day",
    np.timedelta64: "a number of days",
    pd.Period: "a study day",
    PurePath: "text",
    tuple: "a list",
    set: "a list",
    frozenset: "a list",
}


def refuse_unwritable(adata: AnnData, *, name: str) -> None:
    """Raise one SchemaError with every key and value that the formats would change, drop or fail on."""
    problems = list(_problems(adata))
    if problems:
        lines = "".join(f"\n- {problem}" for problem in problems)
        msg = f"{name} cannot be written:{lines}"
        raise SchemaError(msg)


def in_order(adata: AnnData) -> AnnData:
    """Give the same object with the keys of uns, layers, obsm and varm sorted: the bytes follow their order."""
    from anndata import AnnData

    slots = {name: getattr(adata, name) for name in ("layers", "obsm", "varm", "obsp", "varp")}
    return AnnData(
        X=adata.X,
        obs=adata.obs,
        var=adata.var,
        uns=_sorted(adata.uns),
        # anndata 0.13 lists X among the layers, under None.
        **{name: {key: slot[key] for key in sorted(k for k in slot if k is not None)} for name, slot in slots.items()},
    )


def _sorted(value: Any) -> Any:
    return {key: _sorted(value[key]) for key in sorted(value)} if isinstance(value, Mapping) else value


def _problems(adata: AnnData) -> Iterator[str]:
    for slot in ("layers", "obsm", "varm", "obsp", "varp"):
        content = getattr(adata, slot)
        for key in (key for key in content if key is not None):
            yield from _key(slot, key)
            yield from _value(f"{slot}[{key!r}]", content[key])
            if slot == "layers" and content[key].ndim != 2:
                yield f"layers[{key!r}]: found {content[key].ndim} dimensions; allowed: 2; use io.to_ehrdata for visits"
    for slot in ("obs", "var"):
        yield from _frame(slot, getattr(adata, slot))
    yield from _mapping("uns", adata.uns)


def _key(place: str, key: object) -> Iterator[str]:
    if not isinstance(key, str):
        yield f"{place}[{key!r}]: found a key of type {type(key).__name__}; allowed: text; rename it"
    elif "/" in key:
        yield f"{place}[{key!r}]: found '/' in a key, which the formats turn into structure; allowed: no '/'; rename it"


def _mapping(place: str, content: Mapping[Any, Any]) -> Iterator[str]:
    for key, value in content.items():
        yield from _key(place, key)
        yield from _value(f"{place}[{key!r}]", value)


def _value(place: str, value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from _mapping(place, value)
    elif isinstance(value, pd.DataFrame):
        yield from _frame(place, value)
    elif type(value).__module__.partition(".")[0] == "polars":
        yield f"{place}: found a polars {type(value).__name__}; allowed: pandas; call .to_pandas()"
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        yield f"{place}: found a list of mappings; allowed: JSON text; use json.dumps"
    else:
        for kind, instead in _INSTEAD.items():
            if isinstance(value, kind):
                yield f"{place}: found {type(value).__name__}; allowed: {instead}; convert it"
                return


def _frame(place: str, frame: pd.DataFrame) -> Iterator[str]:
    if isinstance(frame.index, pd.MultiIndex):
        yield f"{place}: found an index of several levels; allowed: one; make columns of them"
    for name, column in frame.items():
        yield from _key(place, name)
        kind = column.dtype
        if kind.kind in "mM" or isinstance(kind, pd.PeriodDtype):
            yield f"{place}[{name!r}]: found dates; allowed: study days; convert them"
        elif isinstance(kind, pd.Float64Dtype) and column.isna().any():
            yield f"{place}[{name!r}]: found Float64 with NA; allowed: float64 with NaN; use .to_numpy(float, na_value=nan)"
        elif kind.kind == "O" and not isinstance(kind, pd.CategoricalDtype | pd.StringDtype):
            # An index made of text may be an object column too: only what mixes types is refused.
            found = sorted({type(value).__name__ for value in column.dropna()} - {"str"})
            if found:
                allowed = "category, boolean or Int64"
                yield f"{place}[{name!r}]: found text mixed with {', '.join(found)}; allowed: {allowed}; convert it"

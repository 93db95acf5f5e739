"""From the pandas and numpy slots of a cohort object to tidy polars columns."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
import polars as pl

from il2cyto._keys import Obs, Uns, Var
from il2cyto.errors import SchemaError, StudyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

ORDERED = (Obs.VISIT, Obs.ARM)


class Panels(Protocol):
    """Several cohort objects under one roof: what a MuData is to this package, which does not depend on it."""

    @property
    def mod(self) -> Mapping[str, AnnData]:
        """Panel -> cohort object."""


class LegendRow(NamedTuple):
    """What one bit of a flag mask stands for."""

    flag: str
    severity: str
    meaning: str


def panels(data: AnnData | Panels) -> list[AnnData]:
    """List the cohort objects in a MuData, or the one that was given.

    Raises a SchemaError for anything else, such as what anndata.concat leaves of two when it is not told to keep `uns`.
    """
    mod = getattr(data, "mod", None)
    found = list(mod.values()) if isinstance(mod, Mapping) else [data]  # a pandas frame has a method of that name
    for each in found:
        if Uns.IL2CYTO not in getattr(each, "uns", ()) or Var.PARENT not in getattr(each, "var", ()):
            msg = (
                f"{type(each).__name__} without uns['{Uns.IL2CYTO}'] and var['{Var.PARENT}']: no cohort object; read one with "
                "io.read_anndata, and give anndata.concat merge='same' and uns_merge='same'."
            )
            raise SchemaError(msg)
    return found


def require_frame(frame: object, *, caller: str) -> None:
    """Refuse a table that is not of polars, and say how to make one."""
    if not isinstance(frame, pl.DataFrame):
        msg = f"{caller}: the table is a {type(frame).__name__} that is not of polars; polars.from_pandas makes one of pandas'."
        raise StudyError(msg)


def stack(data: AnnData | Panels, make: Callable[[AnnData], pl.DataFrame]) -> pl.DataFrame:
    """Stack what `make` says of every panel."""
    frames = [make(adata) for adata in panels(data)]
    if len(frames) == 1:
        return frames[0]
    # Panels may lack a visit of each other's; polars stacks only columns with the same levels.
    for name in ORDERED:
        levels = [dtype.categories for frame in frames if isinstance(dtype := frame.schema.get(name), pl.Enum)]
        if levels:
            union = pl.Enum(list(dict.fromkeys(chain.from_iterable(levels))))
            frames = [frame.with_columns(pl.col(name).cast(pl.String).cast(union)) for frame in frames]
    return pl.concat(frames)


def sample_columns(adata: AnnData, *names: str) -> pl.DataFrame:
    """Take `sample` and the named obs columns, one row per sample; a column that the object lacks is null."""
    # In a MuData the index is the specimen; the tube's own name stands in a column.
    sample = adata.obs.get(Obs.SAMPLE, adata.obs_names)
    columns = [pl.Series(Obs.SAMPLE, [str(name) for name in sample], dtype=pl.String)]
    return pl.DataFrame([*columns, *(_obs_column(adata.obs, name) for name in names)])


def each_sample(samples: pl.DataFrame, by: pl.DataFrame) -> pl.DataFrame:
    """Cross every row of `samples` with every row of `by`, samples outermost: the order of a raveled layer."""
    left = samples[np.repeat(np.arange(samples.height), by.height)]
    return pl.concat([left, by[np.tile(np.arange(by.height), samples.height)]], how="horizontal")


def plain(frame: pd.DataFrame, *, index: str | None = None) -> pl.DataFrame:
    """Turn a pandas frame into polars, categories into text; the index becomes the column `index` if that is given."""
    columns = {} if index is None else {index: frame.index.to_series()}
    columns |= {str(name): frame[name] for name in frame.columns}
    return pl.DataFrame([_plain_column(name, values) for name, values in columns.items()])


def flag_legend(adata: AnnData) -> dict[int, LegendRow]:
    """Read the object's own legend: bit number -> flag, severity and meaning."""
    frame = adata.uns[Uns.IL2CYTO][Uns.FLAGS]
    rows = zip(frame.index, frame["bit"], frame["severity"], frame["meaning"], strict=True)
    return {int(bit): LegendRow(str(flag), str(severity), str(meaning)) for flag, bit, severity, meaning in rows}


def flag_names(masks: np.ndarray[Any, Any], legend: dict[int, LegendRow]) -> pl.Series:
    """Name the flags of every mask, in row order, joined by ``;``."""
    used, inverse = np.unique(masks, return_inverse=True)
    names = [";".join(_bits(int(mask), legend)) for mask in used]
    return pl.Series("flags", np.array(names, dtype=object)[inverse.ravel()].tolist(), dtype=pl.String)


def _bits(mask: int, legend: dict[int, LegendRow]) -> list[str]:
    bits = [bit for bit in range(mask.bit_length()) if mask >> bit & 1]
    unknown = [bit for bit in bits if bit not in legend]
    if unknown:
        msg = (
            f"flag bits {', '.join(map(str, unknown))} are set but have no row in uns['il2cyto']['flags'], which has bits "
            f"{', '.join(map(str, sorted(legend)))}. Restore the legend of the program that wrote the object."
        )
        raise SchemaError(msg)
    return [legend[bit].flag for bit in bits]


def _obs_column(obs: pd.DataFrame, name: str) -> pl.Series:
    if name not in obs:
        return pl.Series(name, [None] * len(obs), dtype=pl.Float64 if name == Obs.WEEK else pl.String)
    if name == Obs.WEEK:
        return pl.Series(name, obs[name].to_numpy(np.float64))
    column = _plain_column(name, obs[name])
    if name not in ORDERED:
        return column
    levels = (
        obs[name].cat.categories if isinstance(obs[name].dtype, pd.CategoricalDtype) else obs[name].dropna().unique()
    )
    return column.cast(pl.Enum([str(level) for level in levels]))


def _plain_column(name: str, values: pd.Series[Any]) -> pl.Series:
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "biuf":
        return pl.Series(name, values.to_numpy())
    items = [None if missing else value for value, missing in zip(values, values.isna(), strict=True)]
    if pd.api.types.is_numeric_dtype(values.dtype):
        return pl.Series(name, items)
    return pl.Series(name, [None if item is None else str(item) for item in items], dtype=pl.String)

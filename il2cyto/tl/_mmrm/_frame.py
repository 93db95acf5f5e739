"""From a tidy frame to the rows of the model: roles of columns, order of levels, what is dropped and why."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl

from il2cyto.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Roles:
    """Which column of the frame is what."""

    response: str
    subject: str
    visit: str
    arm: str
    covariates: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that the model needs; the rest of the frame is not looked at."""
        return self.subject, self.visit, self.arm, self.response, *self.covariates


def complete_rows(frame: pl.DataFrame | pd.DataFrame, roles: Roles) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Take the columns of the model and split the rows into complete ones, in order, and dropped ones with their reason.

    Raises
    ------
    ModelError
        Columns are missing, share a role or hold no numbers; a subject has two rows at a visit, or two arms.
    """
    _check_columns(frame, roles)
    rows = _polars(frame, roles.columns)
    _check_numeric(rows, roles.response)
    reasons = pl.concat_list(
        [pl.when(pl.col(name).is_null()).then(pl.lit(f"{name} missing")) for name in roles.columns]
    ).list.drop_nulls()
    rows = rows.with_columns(reasons.list.join("; ").alias("reason"))
    dropped = rows.filter(pl.col("reason") != "").select(roles.subject, roles.visit, "reason")
    kept = rows.filter(pl.col("reason") == "").drop("reason").sort(roles.subject, roles.visit)
    _check_subjects(kept, roles)
    return kept, dropped


def levels(column: pl.Series) -> list[Any]:
    """List the values of a column in order: as declared by an Enum, else sorted, numbers within text as numbers."""
    present = column.drop_nulls().unique()
    if isinstance(column.dtype, pl.Enum):
        found = set(present.to_list())
        return [level for level in column.dtype.categories.to_list() if level in found]
    if column.dtype in (pl.String, pl.Categorical):
        return sorted(present.cast(pl.String).to_list(), key=_natural)
    return list(present.sort().to_list())


def label(value: object) -> str:
    """Name a level as R does: `TRUE` for True, `4` for 4.0."""
    if isinstance(value, bool):
        return str(value).upper()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _natural(text: str) -> tuple[tuple[float, str], ...]:
    """Order "week 2" before "week 10", and "-1" before "0.5"."""
    try:
        return ((float(text), ""),)
    except ValueError:
        return tuple((float(part), "") if part.isdigit() else (np.inf, part) for part in re.split(r"(\d+)", text))


def _check_columns(frame: pl.DataFrame | pd.DataFrame, roles: Roles) -> None:
    missing = [name for name in roles.columns if name not in frame.columns]
    if missing:
        msg = f"mmrm: no column {', '.join(map(repr, missing))}; the frame has {', '.join(map(str, frame.columns))}."
        raise ModelError(msg)
    repeated = sorted({name for name in roles.columns if roles.columns.count(name) > 1})
    if repeated:
        msg = f"mmrm: {', '.join(map(repr, repeated))} is named twice; a column has one role in the model."
        raise ModelError(msg)


def _check_numeric(rows: pl.DataFrame, response: str) -> None:
    if not rows[response].dtype.is_numeric():
        msg = f"mmrm: the response {response!r} holds {rows[response].dtype}, not numbers."
        raise ModelError(msg)
    if rows[response].null_count() == rows.height:
        msg = f"mmrm: the response {response!r} has no value in any of {rows.height} rows."
        raise ModelError(msg)


def _check_subjects(kept: pl.DataFrame, roles: Roles) -> None:
    if kept.is_empty():
        msg = f"mmrm: no row has all of {', '.join(roles.columns)}."
        raise ModelError(msg)
    twice = kept.group_by(roles.subject, roles.visit).len().filter(pl.col("len") > 1)
    if twice.height:
        first = twice.sort(roles.subject, roles.visit).row(0)
        msg = (
            f"mmrm: {twice.height} subjects and visits have more than one row, the first is subject {label(first[0])} at "
            f"{roles.visit} {label(first[1])}; average replicates beforehand."
        )
        raise ModelError(msg)
    arms = kept.group_by(roles.subject).agg(pl.col(roles.arm).n_unique()).filter(pl.col(roles.arm) > 1)
    if arms.height:
        names = ", ".join(label(value) for value in arms[roles.subject].sort().to_list())
        msg = f"mmrm: {roles.arm!r} changes within subject {names}; a subject is analysed in one arm."
        raise ModelError(msg)


def _polars(frame: pl.DataFrame | pd.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Take columns; whatever is not a number where one is expected (NaN, infinity) becomes null."""
    rows = frame.select(names) if isinstance(frame, pl.DataFrame) else pl.DataFrame([_series(frame, n) for n in names])
    numbers = pl.selectors.float()
    return rows.with_columns(pl.when(numbers.is_finite()).then(numbers))


def _series(frame: pd.DataFrame, name: str) -> pl.Series:
    column = frame[name]
    values = [None if missing else value for value, missing in zip(column.tolist(), column.isna(), strict=True)]
    if isinstance(column.dtype, pd.CategoricalDtype):
        order = [label(value) for value in column.cat.categories]
        return pl.Series(name, [None if value is None else label(value) for value in values], dtype=pl.Enum(order))
    return pl.Series(name, values)

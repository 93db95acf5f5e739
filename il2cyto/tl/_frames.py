"""What the tables of statistics share: tidy frames checked, subjects put into arms, frequencies on the logit scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from il2cyto._tidy import require_frame
from il2cyto.errors import StudyError
from il2cyto.tl._mmrm._model import empirical_logit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


SUBJECT, VISIT, WEEK, ARM = "subject", "visit", "week", "arm"
LOGIT = "logit"


def require_columns(frame: pl.DataFrame, names: Iterable[str], *, caller: str) -> None:
    """Raise a StudyError that names every column the frame lacks, or says that it is no polars frame."""
    require_frame(frame, caller=caller)
    lacking = [name for name in names if name not in frame.columns]
    if lacking:
        msg = f"{caller}: no column {', '.join(map(repr, lacking))}; the table has {', '.join(frame.columns)}."
        raise StudyError(msg)


def subject_arms(sets: pl.DataFrame, *, control: str, caller: str) -> tuple[pl.DataFrame, list[str]]:
    """Subjects with their arm as text, and the treatment arms in the order of the table's categories.

    Raises a StudyError where a subject stands twice, as its arms would then not be independent, or nobody is in `control`.
    """
    require_columns(sets, [SUBJECT, ARM], caller=caller)
    kind = sets.schema[ARM]
    levels = kind.categories.to_list() if isinstance(kind, pl.Enum) else []
    arms = sets.with_columns(pl.col(SUBJECT, ARM).cast(pl.String)).drop_nulls(ARM)
    order = levels or arms[ARM].unique().sort().to_list()
    twice = arms[SUBJECT].filter(arms[SUBJECT].is_duplicated()).unique().sort()
    if len(twice):
        msg = f"{caller}: {len(twice)} subjects stand in more than one row, first {twice[0]}; one row and arm each."
        raise StudyError(msg)
    present = set(arms[ARM])
    if control not in present:
        msg = f"{caller}: nobody is in the control arm {control!r}; arms are {', '.join(sorted(present)) or 'none'}."
        raise StudyError(msg)
    return arms, [arm for arm in order if arm in present and arm != control]


def require_unique(frame: pl.DataFrame, keys: Sequence[str], *, caller: str) -> None:
    """Raise a StudyError where a row's keys occur twice."""
    twice = frame.filter(frame.select(keys).is_duplicated())
    if twice.height:
        first = ", ".join(f"{key} {twice[key][0]}" for key in keys)
        msg = f"{caller}: {twice.height} rows are not the only one of their {', '.join(keys)}, first {first}."
        raise StudyError(msg)


def visit_order(frame: pl.DataFrame) -> list[str]:
    """Visits in the order of the column's categories, else of the weeks, else of the rows."""
    kind = frame.schema[VISIT]
    if isinstance(kind, pl.Enum):
        present = set(frame[VISIT].cast(pl.String))
        return [visit for visit in kind.categories.to_list() if visit in present]
    if WEEK in frame.columns and frame[WEEK].null_count() < frame.height:
        frame = frame.sort(WEEK, nulls_last=True, maintain_order=True)
    return frame[VISIT].cast(pl.String).unique(maintain_order=True).to_list()


def visit_weeks(frame: pl.DataFrame, weeks: Mapping[str, float] | None = None) -> dict[str, float | None]:
    """Planned week of every visit: as given, else the frame's, else None."""
    known: dict[str, float | None] = dict.fromkeys(visit_order(frame))
    if weeks is not None:
        known |= {visit: week for visit, week in weeks.items() if visit in known}
    elif WEEK in frame.columns:
        pairs = frame.select(pl.col(VISIT).cast(pl.String), pl.col(WEEK).cast(pl.Float64)).drop_nulls().unique()
        known |= dict(pairs.iter_rows())
    return known


def require_visits(known: Iterable[str], names: Iterable[str], *, caller: str) -> None:
    """Raise a StudyError that names every visit that is not there."""
    known = list(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        msg = f"{caller}: no visit {', '.join(map(repr, unknown))}; the table has {', '.join(known)}."
        raise StudyError(msg)


def subject_frequencies(frequencies: pl.DataFrame, *, caller: str) -> pl.DataFrame:
    """One row per population, denominator, arm, subject and visit of those that are evaluable: frequency and logit.

    Takes what `get.frequencies` gives. Replicates are averaged, on each scale by itself. Samples without an arm, such as
    bridging controls, are left out.
    """
    columns = ["population", "parent", ARM, SUBJECT, VISIT, "count", "parent_count", "frequency"]
    require_columns(frequencies, columns, caller=caller)
    logit = empirical_logit(frequencies["count"].to_numpy(), frequencies["parent_count"].to_numpy())
    keys = ["population", "denominator", ARM, SUBJECT, VISIT]
    return (
        frequencies.with_columns(pl.Series(LOGIT, logit), denominator=pl.col("parent"))
        .filter(pl.col("frequency").is_finite() & pl.col(ARM).is_not_null() & pl.col(SUBJECT).is_not_null())
        .with_columns(pl.col(*keys).cast(pl.String))
        .group_by(keys, maintain_order=True)
        .agg(pl.col("frequency", LOGIT).mean())
    )


def table(rows: Sequence[Sequence[object]], schema: Mapping[str, type[pl.DataType]]) -> pl.DataFrame:
    """Make a table out of rows, missing numbers as NaN; weeks may be null."""
    frame = pl.DataFrame(rows, schema=dict(schema), orient="row")
    floats = [name for name, kind in schema.items() if kind == pl.Float64 and name != WEEK]
    return frame.with_columns(pl.col(floats).fill_null(np.nan))

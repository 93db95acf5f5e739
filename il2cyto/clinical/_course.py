"""Every subject at every planned visit, the frame of all endpoints, and how a status follows from components.

A component is a Boolean expression of that frame: True is met, False is not, null is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from il2cyto._tidy import require_frame
from il2cyto.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Differences are compared after rounding to so many digits: 1.0 - 0.7 is 0.30000000000000004.
DIGITS = 6


class MissingColumnsError(StudyError):
    """A table lacks columns that an endpoint cannot do without."""


def need(frame: pl.DataFrame, columns: Iterable[str], *, table: str, purpose: str) -> None:
    """Refuse a table that lacks columns, or is not of polars."""
    require_frame(frame, caller=table)
    absent = [column for column in columns if column not in frame.columns]
    if absent:
        msg = f"{table}: no column {', '.join(absent)}, which {purpose} needs; add it, or leave that endpoint out"
        raise MissingColumnsError(msg)


def levels(values: pl.Series) -> list[str]:
    """Levels in order: of an Enum its categories, else as they first appear."""
    if isinstance(values.dtype, pl.Enum):
        return values.dtype.categories.to_list()
    return values.drop_nulls().cast(pl.String).unique(maintain_order=True).to_list()


def baseline_visit(visits: pl.DataFrame) -> str:
    """Name the visit that is marked as `baseline`; without such a column the first."""
    if "baseline" in visits.columns:
        marked = visits.filter("baseline")["visit"].cast(pl.String).unique().to_list()
    else:
        marked = levels(visits["visit"])[:1]
    if len(marked) != 1:
        msg = f"visits: found {len(marked)} baseline visits; allowed is one: mark it in the column baseline"
        raise StudyError(msg)
    return str(marked[0])


def course(visits: pl.DataFrame, subjects: pl.DataFrame | None = None, *, from_baseline: bool = False) -> pl.DataFrame:
    """Make one row per randomised subject and visit after baseline, whether or not the visit took place.

    Parameters
    ----------
    visits, subjects
        As :func:`il2cyto.io.read_clinical` gives them. Without `subjects` those of `visits` stand.
    from_baseline
        Also make rows of the baseline visit.

    Returns
    -------
    subject, visit, week, attended; the columns of `visits`, null where the visit did not take place; the same at
    baseline, with ``_0`` behind their names; the other columns of `subjects`.
    """
    need(visits, ("subject", "visit"), table="visits", purpose="every endpoint")
    _refuse_repeats(visits)
    start, order = baseline_visit(visits), levels(visits["visit"])
    later = order[order.index(start) + (not from_baseline) :]
    if subjects is None:
        people = visits.select("subject").unique(maintain_order=True)
    else:
        people = subjects.filter(is_randomised(subjects))
    if "week" not in visits.columns:
        visits = visits.with_columns(week=pl.lit(None, pl.Float64))
    weeks = visits.select("visit", "week").unique("visit", keep="first")
    planned = pl.DataFrame({"visit": later}, schema={"visit": visits["visit"].dtype})
    planned = planned.join(weeks, "visit", "left", maintain_order="left")
    seen = visits.drop("week", "baseline", strict=False).with_columns(attended=pl.lit(value=True))
    first = seen.filter(pl.col("visit").cast(pl.String) == start).drop("visit", "attended")
    first = first.rename(lambda name: name if name == "subject" else f"{name}_0")
    keys = ["subject", "visit"]
    return (
        people.join(planned, how="cross", maintain_order="left_right")
        .join(seen, on=keys, how="left", maintain_order="left")
        .join(first, on="subject", how="left", maintain_order="left")
        .with_columns(pl.col("attended").fill_null(value=False))
        .select(*keys, "week", "attended", pl.exclude(*keys, "week", "attended"))
    )


def is_randomised(subjects: pl.DataFrame) -> pl.Expr:
    """Randomised by its column; where that is blank or missing, whoever has an arm; all where there are no arms."""
    has_arm = pl.col("arm").is_not_null() if "arm" in subjects.columns else pl.lit(value=True)
    return pl.coalesce("randomised", has_arm) if "randomised" in subjects.columns else has_arm


def _refuse_repeats(visits: pl.DataFrame) -> None:
    twice = (
        visits.filter(pl.struct("subject", "visit").is_duplicated())
        .select("subject", "visit")
        .unique()
        .sort("subject", "visit")
    )
    if twice.height:
        shown = ", ".join(f"{subject} {visit}" for subject, visit in twice.head(3).iter_rows())
        msg = f"visits: {twice.height} visits have several rows ({shown}{' ...' if twice.height > 3 else ''}); keep one row each"
        raise StudyError(msg)


def judge(
    frame: pl.DataFrame,
    name: str,
    components: Mapping[str, pl.Expr],
    *,
    outside: pl.Expr | None = None,
    success: str = "met",
    keep: Iterable[str] = (),
) -> pl.DataFrame:
    """Tell who meets an endpoint.

    Parameters
    ----------
    frame
        From :func:`course`.
    name
        Of the endpoint.
    components
        Name -> Boolean expression; all of them have to be True.
    outside
        Text expression: why a row is not in the endpoint's population; null where it is.
    success
        The reason that is given where the endpoint is met.
    keep
        Further columns of `frame` to hand on.

    Returns
    -------
    subject, visit, week; `name`: True where all components are met, else False, missing ones included (non-responder
    imputation), null outside the population; ``{name}_obs``: False where any observed component fails, null where one
    is missing otherwise; evaluable; reason: `success`, the first component that fails, ``missing:`` with ``visit`` or
    the first component that is missing, or why the row is outside; ``{component}_met``.
    """
    met = {component: f"{component}_met" for component in components}
    frame = frame.with_columns(
        *(expression.alias(met[component]) for component, expression in components.items()),
        outside=(outside if outside is not None else pl.lit(None)).cast(pl.String),
    )
    inside, every = pl.col("outside").is_null(), pl.all_horizontal(*met.values())
    reason = pl.coalesce(
        "outside",
        *(pl.when(~pl.col(column)).then(pl.lit(component)) for component, column in met.items()),
        pl.when(~pl.col("attended")).then(pl.lit("missing:visit")),
        *(pl.when(pl.col(column).is_null()).then(pl.lit(f"missing:{component}")) for component, column in met.items()),
        pl.lit(success),
    )
    return frame.select(
        "subject",
        "visit",
        "week",
        pl.when(inside).then(every.fill_null(value=False)).alias(name),
        pl.when(inside).then(every).alias(f"{name}_obs"),
        inside.alias("evaluable"),
        reason.alias("reason"),
        *met.values(),
        *keep,
    )


def not_evaluable(frame: pl.DataFrame, name: str, reason: str) -> pl.DataFrame:
    """Say of every row that the endpoint cannot be told, and why."""
    return frame.select(
        "subject",
        "visit",
        "week",
        pl.lit(None, pl.Boolean).alias(name),
        pl.lit(None, pl.Boolean).alias(f"{name}_obs"),
        pl.lit(value=False).alias("evaluable"),
        pl.lit(reason).alias("reason"),
    )

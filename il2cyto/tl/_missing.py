"""What was expected, what is there, what is missing and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from il2cyto.tl._frames import ARM, SUBJECT, VISIT, require_columns, require_visits, subject_arms, visit_order

if TYPE_CHECKING:
    from collections.abc import Sequence

NO_RECORD = "no record"
NO_REASON = "no reason recorded"


def missing_table(
    frame: pl.DataFrame,
    sets: pl.DataFrame,
    *,
    control: str,
    visits: Sequence[str] | None = None,
    item: str = "population",
    value: str = "frequency",
    reason: str | None = "flags",
) -> pl.DataFrame:
    """Count expected, observed and missing values per population or endpoint, arm and visit.

    Every subject of `sets` is expected at every visit, those who left the trial too.

    Parameters
    ----------
    frame
        One row per subject, visit and item, with replicates more: frequencies as :func:`il2cyto.get.frequencies` gives them,
        or clinical endpoints. A subject is observed where one of its rows has a `value` that is neither null nor NaN.
    sets
        One row per subject: `subject arm`.
    control
        The control arm; it comes first.
    visits
        Visits at which everybody is expected; those of `frame` if None.
    item
        Column of the items: `population` or `endpoint`.
    value
        Column of the values: `frequency`, `observed` of binary endpoints, `value` of continuous ones.
    reason
        Column that says why a value is missing, such as flags; None if there is none.

    Returns
    -------
    The item, `arm visit expected observed missing reason`. Where nothing is missing, one row with 0 and an empty reason; else
    one row per reason, and `missing` adds up to `expected` - `observed`. A subject without any row has the reason
    ``no record``; one whose rows name none ``no reason recorded``.

    Raises
    ------
    StudyError
        A column or visit is missing, or a subject stands twice in `sets`.

    Examples
    --------
    >>> rows = {"subject": ["a", "b"], "visit": ["W0", "W0"], "population": ["NK", "NK"]}
    >>> frame = pl.DataFrame(rows | {"frequency": [0.1, float("nan")], "flags": ["", "NO_PARENT"]})
    >>> sets = pl.DataFrame({"subject": ["a", "b", "c"], "arm": ["placebo"] * 3})
    >>> missing_table(frame, sets, control="placebo").select("missing", "reason").rows()
    [(1, 'NO_PARENT'), (1, 'no record')]
    """
    caller = "missing_table"
    require_columns(frame, [SUBJECT, VISIT, item, value, *([reason] if reason else [])], caller=caller)
    arms, treatments = subject_arms(sets, control=control, caller=caller)
    order = visit_order(frame)
    if visits is not None:
        require_visits([*order, *visits], visits, caller=caller)
        order = list(visits)
    items = frame[item].cast(pl.String).unique(maintain_order=True).to_list()
    keys = [item, ARM, VISIT]
    grid = (
        pl.DataFrame({item: items}, schema={item: pl.Enum(items)})
        .join(arms.select(SUBJECT, pl.col(ARM).cast(pl.Enum([control, *treatments]))), how="cross")
        .join(pl.DataFrame({VISIT: order}, schema={VISIT: pl.Enum(order)}), how="cross")
    )
    found = grid.join(
        _found(frame, item, value, reason, items, order), on=[SUBJECT, VISIT, item], maintain_order="left", how="left"
    )
    found = found.with_columns(pl.col("why").fill_null(NO_RECORD), pl.col("there").fill_null(value=False))
    totals = found.group_by(keys).agg(expected=pl.len(), observed=pl.col("there").sum())
    reasons = found.filter(~pl.col("there")).group_by(*keys, reason="why").agg(missing=pl.len())
    return (
        totals.join(reasons, on=keys, maintain_order="left", how="left")
        .with_columns(pl.col("missing").fill_null(0), pl.col("reason").fill_null(""))
        .sort(*keys, pl.col("reason") == NO_RECORD, "reason")
        .select(pl.col(*keys).cast(pl.String), pl.col("expected", "observed", "missing").cast(pl.Int64), "reason")
    )


def _found(
    frame: pl.DataFrame, item: str, value: str, reason: str | None, items: list[str], order: list[str]
) -> pl.DataFrame:
    """One row per item, subject and visit: is there a value, and why not."""
    there = pl.col(value).is_not_null()
    if frame.schema[value].is_float():
        there &= pl.col(value).is_not_nan()
    why = pl.col(reason).cast(pl.String).fill_null("") if reason else pl.lit("")
    return (
        frame.with_columns(pl.col(SUBJECT, VISIT, item).cast(pl.String))
        .filter(pl.col(VISIT).is_in(order))
        .select(
            SUBJECT,
            pl.col(VISIT).cast(pl.Enum(order)),
            pl.col(item).cast(pl.Enum(items)),
            there.alias("there"),
            pl.when(why == "").then(pl.lit(NO_REASON)).otherwise(why).alias("why"),
        )
        .group_by(SUBJECT, VISIT, item)
        .agg(pl.col("there").any(), pl.col("why").filter(~pl.col("there")).unique().sort().str.join(" / "))
    )

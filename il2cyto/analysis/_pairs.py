"""Change of a population on treatment beside the later change of disease activity, subject by subject."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from il2cyto import tl

if TYPE_CHECKING:
    from il2cyto.analysis._inputs import Inputs
    from il2cyto.clinical import Endpoints


def response_pairs(inputs: Inputs, endpoints: Endpoints | None) -> pl.DataFrame:
    """Pair the change of each population before the primary visit with the change of SLEDAI up to it.

    Returns
    -------
    `population denominator subject arm visit outcome_visit change_logit change_sledai`: the empirical logit at `visit`, the
    last one before the primary, minus that at baseline, and SLEDAI at the primary visit minus that at baseline. Only subjects
    with both; no rows where a visit or SLEDAI is missing.
    """
    order = list(inputs.after)
    if endpoints is None or inputs.baseline is None or inputs.primary not in order[1:]:
        return pl.DataFrame()
    early = order[order.index(inputs.primary) - 1]
    rows = inputs.of_parent.filter(~pl.col("control"), pl.col("arm").is_not_null(), pl.col("frequency").is_finite())
    logit = pl.Series("value", tl.empirical_logit(rows["count"].to_numpy(), rows["parent_count"].to_numpy()))
    keys = ["population", "parent", "subject", "arm"]
    x = _change(rows.with_columns(logit), keys, inputs.baseline, early, "change_logit")
    sledai = endpoints.continuous.filter(pl.col("endpoint") == "sledai")
    y = _change(sledai, ["subject"], inputs.baseline, inputs.primary, "change_sledai")
    visits = {"visit": pl.lit(early), "outcome_visit": pl.lit(inputs.primary)}
    pairs = x.join(y, on="subject", maintain_order="left").drop_nulls().rename({"parent": "denominator"})
    numbers = ("change_logit", "change_sledai")
    return pairs.with_columns(**visits).select("population", "denominator", "subject", "arm", *visits, *numbers)


def _change(rows: pl.DataFrame, keys: list[str], first: str, last: str, name: str) -> pl.DataFrame:
    """Mean value at one visit minus that at another."""
    visit = pl.col("visit").cast(pl.String)
    before, after = (pl.col("value").filter(visit == when).mean() for when in (first, last))
    text = rows.with_columns(pl.col(*keys).cast(pl.String), pl.col("value").cast(pl.Float64).fill_nan(None))
    return text.group_by(keys, maintain_order=True).agg((after - before).alias(name))

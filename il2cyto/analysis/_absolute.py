"""Cells per µL: frequencies of lymphocytes times the blood count of the same visit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from il2cyto import tl

if TYPE_CHECKING:
    from il2cyto.analysis._inputs import Inputs
    from il2cyto.io import ClinicalData

LYMPHOCYTES: Final = "lymphocytes"
_COUNT: Final = "lymphocytes_1e9_l"
#: 1e9 cells per litre are so many per µL.
_PER_UL: Final = 1000


def absolute_counts(inputs: Inputs, data: ClinicalData | None) -> pl.DataFrame:
    """Give the cells per µL of every population that is counted as a fraction of lymphocytes.

    One row per subject, visit and population with a blood count at that visit: `subject arm visit week endpoint unit value log_value`; the
    logarithm of 0 is that of half the smallest positive value of the population. Empty without blood counts.
    """
    if data is None or data.visits is None or _COUNT not in data.visits.columns:
        return pl.DataFrame()
    blood = data.visits.select("subject", pl.col("visit").cast(pl.String), blood=_COUNT).drop_nulls()
    rows = inputs.frequencies.filter(
        pl.col("parent") == LYMPHOCYTES, ~pl.col("control"), pl.col("frequency").is_finite()
    )
    keys = ["subject", "arm", "visit", "week", "population"]
    mean = rows.drop_nulls("arm").group_by(keys, maintain_order=True).agg(pl.col("frequency").mean())
    at = mean.with_columns(day=pl.col("visit").cast(pl.String))
    counted = at.join(
        blood, left_on=["subject", "day"], right_on=["subject", "visit"], how="inner", maintain_order="left"
    )
    value = (pl.col("frequency") * pl.col("blood") * _PER_UL).alias("value")
    table = counted.select(*keys[:-1], endpoint="population", unit=pl.lit("cells/µL"), value=value)
    positive = pl.col("value") > 0
    smallest = pl.col("value").filter(positive).min().over("endpoint")
    return table.with_columns(log_value=pl.when(positive).then("value").otherwise(smallest / 2).log())


def absolute_tables(inputs: Inputs, counts: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Summarise and compare the cells per µL, as logarithms: exploratory, each visit on its own."""
    if not counts.height or not inputs.arms:
        return {}
    people = counts.select("subject", "arm").unique(maintain_order=True)
    control, level = inputs.control or inputs.arms[0], inputs.settings.level
    tables = {"absolute_endpoints": tl.continuous_endpoints(counts, people, control=control, level=level)}
    if inputs.contrasts and inputs.baseline in set(counts["visit"].cast(pl.String)):
        names = counts["endpoint"].unique(maintain_order=True).to_list()
        tables["absolute_contrasts"] = tl.continuous_contrasts(
            counts, people, control=control, baseline=str(inputs.baseline), log=names, level=level
        ).with_columns(role=pl.lit("exploratory"))
    return tables

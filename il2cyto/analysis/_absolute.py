"""Cells per µL: those of the cohort objects, or for a sheet its frequencies of lymphocytes times the blood count of the visit."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import polars as pl

from il2cyto import get, tl
from il2cyto._keys import LYMPHOCYTES, Obs
from il2cyto.cohort._absolute import METHODS, blood_counts, by_blood_count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

    from il2cyto.analysis._inputs import Inputs


def commonest_method(cohorts: Sequence[AnnData]) -> tuple[str | None, list[str]]:
    """Find the method that counted most samples, since methods are never mixed, and say which others there are."""
    counted = Counter(
        str(name) for adata in cohorts if Obs.COUNT_METHOD in adata.obs for name in adata.obs[Obs.COUNT_METHOD].dropna()
    )
    if not counted:
        return None, []
    method, *others = sorted(counted, key=lambda name: (-counted[name], METHODS.index(name)))
    left_out = [
        f"cells per µL: {counted[name]} samples were counted by {name} and are left out, as most ({counted[method]}) were by {method}"
        for name in others
    ]
    return method, left_out


def cells_of_cohort(adata: AnnData, populations: Sequence[str], method: str | None) -> pl.DataFrame:
    """Take `sample population cells_per_ul`; NaN where a sample has no number by this method."""
    table = get.absolute_counts(adata, populations=populations, method=method)
    return table.select("sample", "population", "cells_per_ul")


def with_cells(frequencies: pl.DataFrame, visits: pl.DataFrame | None) -> pl.DataFrame:
    """Add `cells_per_ul` to a sheet; null but for frequencies of lymphocytes at a visit with a blood count."""
    if visits is None:
        return frequencies.with_columns(cells_per_ul=pl.lit(None, pl.Float64))
    keys = [Obs.SUBJECT, Obs.VISIT]
    blood = blood_counts(visits).rename({Obs.LYMPHOCYTES_1E9_L: "cells_per_ul"})
    cells = by_blood_count(pl.col("frequency"), pl.col("cells_per_ul"))
    return (
        frequencies.with_columns(pl.col(keys).cast(pl.String))
        .join(blood, on=keys, how="left", maintain_order="left")
        .with_columns(cells_per_ul=pl.when(pl.col("parent") == LYMPHOCYTES).then(cells))
    )


def absolute_counts(inputs: Inputs) -> pl.DataFrame:
    """Give the cells per µL of every population and subject, averaged over the tubes of a visit.

    One row per subject, visit and population with a number: `subject arm visit week endpoint unit value log_value`; the logarithm of 0
    is that of half the smallest positive value of the population.
    """
    rows = inputs.frequencies.filter(~pl.col("control"), pl.col("cells_per_ul").is_finite())
    # A sample has a row for each denominator.
    tubes = rows.drop_nulls("arm").unique(["sample", "population"], keep="first", maintain_order=True)
    keys = ["subject", "arm", "visit", "week", "population"]
    table = tubes.group_by(keys, maintain_order=True).agg(value=pl.col("cells_per_ul").mean())
    table = table.select(*keys[:-1], endpoint="population", unit=pl.lit("cells/µL"), value="value")
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

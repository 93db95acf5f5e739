"""From the results of several populations to two tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from il2cyto.tl._mmrm._frame import label

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from il2cyto.tl._mmrm._result import MMRMResult

KEYS = ["population", "denominator"]


def contrast_rows(result: MMRMResult, key: tuple[str, str | None]) -> pl.DataFrame:
    """Contrasts of one population with their odds ratios, numbers of subjects and flags."""
    arms = result.means["arm"].unique(maintain_order=True).to_list()
    n = result.means.select("arm", "visit", "n")
    treated = pl.DataFrame({"arm": pl.Series(arms[1:], dtype=n.schema["arm"])}).with_columns(
        contrast=pl.Series([f"{label(arm)} - {label(arms[0])}" for arm in arms[1:]], dtype=pl.String)
    )
    control = n.filter(pl.col("arm") == arms[0]).select("visit", n_control="n")
    d = result.diagnostics
    fell_back = pl.lit("covariance_fallback" if d.fallback else None, pl.String)
    not_estimable = pl.when(pl.col("estimate").is_nan()).then(pl.lit("not_estimable"))
    return (
        result.contrasts.join(
            n.join(treated, on="arm", maintain_order="left").rename({"n": "n_treatment"}),
            on=["visit", "contrast"],
            maintain_order="left",
        )
        .join(control, on="visit", maintain_order="left")
        .join(result.odds_ratios().drop("p"), on=["visit", "contrast"], maintain_order="left")
        .with_columns(
            population=pl.lit(key[0]),
            denominator=pl.lit(key[1], pl.String),
            model=pl.lit("MMRM" if d.converged else "ANCOVA"),
            covariance=pl.lit(d.covariance if d.converged else None, pl.String),
            ddf=pl.lit(d.ddf if d.converged else "residual"),
            flags=pl.concat_str(fell_back, not_estimable, separator=";", ignore_nulls=True),
        )
    )


def mean_rows(result: MMRMResult, key: tuple[str, str | None]) -> pl.DataFrame:
    """Adjusted medians of one population."""
    return result.medians().with_columns(
        pl.col("median").alias("mean"), population=pl.lit(key[0]), denominator=pl.lit(key[1], pl.String)
    )


def complete(
    table: pl.DataFrame, unfitted: list[tuple[str, str | None]], within: list[str], visits: pl.DataFrame
) -> pl.DataFrame:
    """Add NaN rows for populations without a model, and the planned week."""
    grid = table.select(within).unique(maintain_order=True)
    absent = pl.DataFrame(unfitted, schema=dict.fromkeys(KEYS, pl.String), orient="row").join(grid, how="cross")
    flagged = {"flags": pl.lit("not_fitted")} if "flags" in table.columns else {}
    table = pl.concat([table, absent.with_columns(**flagged)], how="diagonal")
    numbers = [name for name, dtype in table.schema.items() if dtype == pl.Float64]
    return table.with_columns(pl.col(numbers).fill_null(np.nan)).join(
        visits.select("visit", "week"), on="visit", how="left", maintain_order="left"
    )


def adjusted(
    table: pl.DataFrame, adjust: Callable[[Sequence[float]], Sequence[float]] | None, adjustment: str | None
) -> pl.DataFrame:
    """Adjust the primary p-values over populations, within denominator and contrast."""
    p_adjusted: list[float | None] = [None] * table.height
    primary = table.with_row_index().filter(pl.col("role") == "primary", pl.col("p").is_not_nan())
    if adjust is not None:
        for _, family in primary.group_by("denominator", "contrast", maintain_order=True):
            for row, p in zip(family["index"], adjust(family["p"].to_list()), strict=True):
                p_adjusted[row] = float(p)
    was_adjusted = pl.col("p_adjusted").is_not_null()
    return table.with_columns(pl.Series("p_adjusted", p_adjusted, dtype=pl.Float64)).with_columns(
        adjustment=pl.when(was_adjusted).then(pl.lit(adjustment, pl.String))
    )

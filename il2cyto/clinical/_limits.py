"""Limits of normal, put beside the values they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from il2cyto.errors import StudyError

if TYPE_CHECKING:
    from il2cyto._clinical_settings import Limits, SiteRange


def with_limits(frame: pl.DataFrame, subjects: pl.DataFrame | None, limits: Limits) -> pl.DataFrame:
    """Add ``{analyte}_lln`` and ``{analyte}_uln`` of the subject's site; null where a limit is not stated.

    Parameters
    ----------
    frame
        With a column subject.
    subjects
        Gives each subject's `site`; needed where limits differ by site.
    limits
        Limits of normal.

    Raises
    ------
    StudyError
        Limits differ by site, and no table says which subject belongs to which.
    """
    ranges = {name: getattr(limits, name) for name in type(limits).model_fields}
    by_site = [name for name, range_ in ranges.items() if range_ is not None and range_.sites]
    if subjects is not None and "site" in subjects.columns:
        sites = subjects.select("subject", _site=pl.col("site").cast(pl.String))
        frame = frame.join(sites, on="subject", how="left", maintain_order="left")
    elif by_site:
        msg = (
            f"limits: {', '.join(by_site)} differ by site, but there is no column site in the table of subjects; add it"
        )
        raise StudyError(msg)
    else:
        frame = frame.with_columns(_site=pl.lit(None, pl.String))
    added = {f"{name}_{side}": _limit(range_, side) for name, range_ in ranges.items() for side in ("lln", "uln")}
    return frame.with_columns(**added).drop("_site")


def _limit(range_: SiteRange | None, side: str) -> pl.Expr:
    if range_ is None:
        return pl.lit(None, pl.Float64)
    common = pl.lit(getattr(range_, side), pl.Float64)
    own = {site: getattr(limits, side) for site, limits in range_.sites.items() if getattr(limits, side) is not None}
    if not own:
        return common
    return pl.coalesce(pl.col("_site").replace_strict(own, default=None, return_dtype=pl.Float64), common)

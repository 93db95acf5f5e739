"""SLEDAI: total, clinical SLEDAI and band of each visit; items held against the total and the laboratory."""

from __future__ import annotations

from typing import Final

import polars as pl

from il2cyto._clinical_settings import Limits
from il2cyto._scores import SEROLOGY_ITEMS, SLEDAI_WEIGHTS as SLEDAI_WEIGHTS
from il2cyto._tidy import require_frame
from il2cyto.clinical._course import MissingColumnsError
from il2cyto.clinical._limits import with_limits

# Limits of the definition of the SLEDAI itself.
_PLATELETS, _LEUKOCYTES, _PROTEINURIA = 100, 3, 0.5
_QUERY_SCHEMA: Final = {
    "subject": pl.String,
    "visit": pl.String,
    "column": pl.String,
    "found": pl.String,
    "expected": pl.String,
    "because": pl.String,
}


def sledai(visits: pl.DataFrame) -> pl.DataFrame:
    """Give SLEDAI total, clinical SLEDAI and band of activity of every visit.

    Parameters
    ----------
    visits
        One row per subject and visit; columns `sledai_total`, ``sledai_<item>`` (24 Booleans), at least one of both
        kinds.

    Returns
    -------
    subject, visit
        The visit.
    sledai
        The recorded total; where it is blank the weighted items, if all 24 are there. Null otherwise.
    items
        Sum of the weighted items, null unless all 24 are there.
    clinical
        Sum without low complement and DNA binding, null unless the other 22 are there.
    agrees
        The recorded total equals the weighted items; null where either is missing. See :func:`sledai_queries`.
    band
        ``none`` (0), ``mild`` (1-4), ``moderate`` (5-10) or ``high`` (above 10).

    Raises
    ------
    StudyError
        The table has neither a total nor items.

    Notes
    -----
    Nothing is overwritten, and no version of the score is converted into another: SELENA-SLEDAI and SLEDAI-2K score
    features that persist differently. Weights: Bombardier et al. 1992; ard.bmj.com/highwire/markup/278401.

    Examples
    --------
    >>> import polars as pl
    >>> from il2cyto import clinical
    >>> visits = pl.DataFrame({"subject": ["S1"], "visit": ["W0"], "sledai_total": [12]})
    >>> clinical.sledai(visits).select("sledai", "items", "band").row(0)
    (12, None, 'high')
    """
    require_frame(visits, caller="sledai")
    if "sledai_total" not in visits.columns and not any(f"sledai_{item}" in visits.columns for item in SLEDAI_WEIGHTS):
        msg = "visits: no column sledai_total and no column sledai_<item>, one of which the SLEDAI needs; add it"
        raise MissingColumnsError(msg)
    items = _item_sum(visits)
    total = pl.col("sledai_total") if "sledai_total" in visits.columns else pl.lit(None, pl.Int64)
    score = pl.col("sledai")
    band = pl.when(score == 0).then(pl.lit("none")).when(score <= 4).then(pl.lit("mild"))
    return visits.select(
        "subject",
        "visit",
        sledai=pl.coalesce(total, items),
        items=items,
        clinical=_item_sum(visits, without=SEROLOGY_ITEMS),
        agrees=total == items,
    ).with_columns(band=band.when(score <= 10).then(pl.lit("moderate")).when(score > 10).then(pl.lit("high")))


def _item_sum(visits: pl.DataFrame, *, without: tuple[str, ...] = ()) -> pl.Expr:
    """Sum the weights of the items that are on; null where one of them is not known."""
    weights = {f"sledai_{item}": weight for item, weight in SLEDAI_WEIGHTS.items() if item not in without}
    if not set(weights) <= set(visits.columns):
        return pl.lit(None, pl.Int64)
    return pl.sum_horizontal(
        (pl.col(item).cast(pl.Int64) * weight for item, weight in weights.items()), ignore_nulls=False
    )


def sledai_queries(
    visits: pl.DataFrame, subjects: pl.DataFrame | None = None, *, limits: Limits | None = None
) -> pl.DataFrame:
    """List where SLEDAI items contradict the total or the laboratory, for somebody to ask the site.

    Parameters
    ----------
    visits
        One row per subject and visit.
    subjects
        Gives each subject's `site`, where limits differ by site.
    limits
        Limits of normal: complement and DNA binding are held against them; without them they are not.

    Returns
    -------
    subject, visit, column, found, expected, because; a row for each contradiction, none where a value is missing. The
    data stay as they are: an item may be scored on more than one value, so a row is a question, not a correction.

    Examples
    --------
    >>> import polars as pl
    >>> from il2cyto import clinical
    >>> visits = pl.DataFrame({"subject": ["S1"], "visit": ["W0"], "sledai_leukopenia": [True], "wbc_1e9_l": [4.2]})
    >>> clinical.sledai_queries(visits).row(0)
    ('S1', 'W0', 'sledai_leukopenia', 'true', 'false', 'wbc_1e9_l')
    """
    require_frame(visits, caller="sledai_queries")
    limits = limits or Limits()
    frame = with_limits(visits, subjects, limits)
    parts = [pl.DataFrame(schema=_QUERY_SCHEMA)]
    rules: dict[str, tuple[tuple[str, ...], pl.Expr]] = {
        "sledai_low_complement": (
            ("c3_g_l", "c4_g_l"),
            (pl.col("c3_g_l") < pl.col("c3_g_l_lln")) | (pl.col("c4_g_l") < pl.col("c4_g_l_lln")),
        ),
        "sledai_dna_binding": (("dsdna_iu_ml",), pl.col("dsdna_iu_ml") > pl.col("dsdna_iu_ml_uln")),
        "sledai_thrombocytopenia": (("platelets_1e9_l",), pl.col("platelets_1e9_l") < _PLATELETS),
        "sledai_leukopenia": (("wbc_1e9_l",), pl.col("wbc_1e9_l") < _LEUKOCYTES),
        "sledai_proteinuria": (("upe_g_24h",), pl.col("upe_g_24h") > _PROTEINURIA),
        "sledai_total": ((), _item_sum(visits)),
    }
    for column, (sources, expected) in rules.items():
        if {column, *sources} <= set(frame.columns):
            because = ", ".join(sources) or "weighted items"
            parts.append(_disagreements(frame, column, expected, because))
    return pl.concat(parts).sort("subject", "visit", maintain_order=True)


def _disagreements(frame: pl.DataFrame, column: str, expected: pl.Expr, because: str) -> pl.DataFrame:
    return (
        frame.with_columns(expected=expected)
        .filter(pl.col(column) != pl.col("expected"))
        .select(
            "subject",
            pl.col("visit").cast(pl.String),
            column=pl.lit(column),
            found=pl.col(column).cast(pl.String),
            expected=pl.col("expected").cast(pl.String),
            because=pl.lit(because),
        )
    )

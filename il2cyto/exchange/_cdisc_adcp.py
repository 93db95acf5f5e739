"""An analysis data set of CP, after ADaM's basic data structure: each percentage, and its logit as a parameter of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from il2cyto.exchange._cdisc_cp import schema
from il2cyto.io._cdisc import ADCP

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CRITERION = "No warning flag"


def adcp_records(cp: pl.DataFrame, sets: pl.DataFrame, actual: Mapping[str, str]) -> pl.DataFrame:
    """Make ADCP from the records of CP.

    Parameters
    ----------
    cp
        From ``cp_records``.
    sets
        subject, itt, mitt, safety; may be empty, and then the flags are null.
    actual
        Subject -> arm as treated.

    Returns
    -------
    `AVAL` is CPSTRESN, or the empirical logit ln((c+½)/(n-c+½)) that the mixed model uses. `BASE` is AVAL at the baseline
    visit; `CHG` and `PCHG` are null up to and with it. `ANL01FL` marks what can be analysed, `CRIT1FL` what no warning
    flag stands on.
    """
    codes = cp.sort("order")["CPTESTCD"].unique(maintain_order=True).to_list()
    fractions = cp.filter(pl.col("CPRESTYP") == "NUMBER FRACTION")
    c, n = pl.col("count"), pl.col("parent_count")
    logits = fractions.with_columns(
        CPTESTCD="L" + pl.col("CPTESTCD").str.slice(0, 7),
        param=pl.col("CPTEST") + " (logit)",
        CPSTRESN=((c + 0.5) / (n - c + 0.5)).log(),
        logit=pl.lit(value=True),
    )
    both = pl.concat([cp.with_columns(logit=pl.lit(value=False)), logits])
    both = _with_sets(both, sets).with_columns(
        TRTA=pl.col("subject").replace_strict(dict(actual), default=None, return_dtype=pl.String)
    )
    both = _with_baseline(both)
    number = {
        code: i
        for i, code in enumerate((*codes, *logits.sort("order")["CPTESTCD"].unique(maintain_order=True)), start=1)
    }
    value, base, after = pl.col("CPSTRESN"), pl.col("BASE"), pl.col("VISITNUM") > pl.col("_first")
    return (
        both.with_columns(
            TRTP=pl.col("arm"),
            AVISIT=pl.col("VISIT"),
            AVISITN=pl.col("VISITNUM"),
            ADT=pl.lit(None, pl.Float64),
            ADY=pl.col("CPDY"),
            PARAM=pl.col("param"),
            PARAMCD=pl.col("CPTESTCD"),
            PARAMN=pl.col("CPTESTCD").replace_strict(number, return_dtype=pl.Float64),
            PARCAT1=pl.when("logit").then(pl.lit("LOGIT")).otherwise("CPRESTYP"),
            AVAL=value,
            CHG=pl.when(after).then(value - base),
            PCHG=pl.when(after, ~pl.col("logit"), base != 0).then(100 * (value - base) / base),
            ABLFL=pl.when(pl.col("CPBLFL") == "Y", value.is_not_null()).then(pl.lit("Y")),
            ANL01FL=pl.when(value.is_not_null()).then(pl.lit("Y")),
            DTYPE=pl.lit(None, pl.String),
            CRIT1=pl.lit(_CRITERION),
            CRIT1FL=pl.when(value.is_not_null()).then(pl.when("warned").then(pl.lit("N")).otherwise(pl.lit("Y"))),
            SRCDOM=pl.when("logit").then(pl.lit("SUPPCP")).otherwise(pl.lit("CP")),
            SRCVAR=pl.when("logit").then(pl.lit("QVAL")).otherwise(pl.lit("CPSTRESN")),
            SRCSEQ=pl.col("CPSEQ"),
        )
        .sort("USUBJID", "PARAMN", "AVISITN", "SRCSEQ")
        .select(pl.col(name).cast(kind) for name, kind in schema(ADCP).items())
    )


def _with_sets(frame: pl.DataFrame, sets: pl.DataFrame) -> pl.DataFrame:
    flags = {"itt": "ITTFL", "mitt": "MITTFL", "safety": "SAFFL"}
    known: Sequence[str] = [name for name in flags if name in sets.columns]
    joined = frame.join(sets.select("subject", *known), on="subject", how="left") if known else frame
    return joined.with_columns(
        (
            pl.when(pl.col(name)).then(pl.lit("Y")).when(pl.col(name).not_()).then(pl.lit("N"))
            if name in known
            else pl.lit(None, pl.String)
        ).alias(flag)
        for name, flag in flags.items()
    )


def _with_baseline(frame: pl.DataFrame) -> pl.DataFrame:
    keys = ["USUBJID", "CPTESTCD"]
    first = (
        frame.filter(CPBLFL="Y").group_by(keys).agg(BASE=pl.col("CPSTRESN").first(), _first=pl.col("VISITNUM").first())
    )
    return frame.join(first, on=keys, how="left")

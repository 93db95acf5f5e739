"""Nephritis: complete and partial remission."""

from __future__ import annotations

import polars as pl

from il2cyto._clinical_settings import Limits, RenalRule
from il2cyto.clinical._course import DIGITS, MissingColumnsError, course, judge, need
from il2cyto.clinical._limits import with_limits


def renal_response(
    visits: pl.DataFrame, subjects: pl.DataFrame, *, rule: RenalRule | None = None, limits: Limits | None = None
) -> pl.DataFrame:
    """Tell whose lupus nephritis is in complete or partial remission at every visit after baseline.

    Complete: proteinuria below the limit, and creatinine or eGFR normal or within 15 % of baseline; the rule can add
    an inactive sediment and a lowest albumin. Partial: proteinuria down by half and below 3.5 g/24 h.

    Parameters
    ----------
    visits
        `upe_g_24h` or `upcr_g_g` (the ratio counts where the former is blank), `creatinine_umol_l` or `egfr`
        (likewise), and `sediment_active`, `albumin_g_l` if the rule asks for them.
    subjects
        `lupus_nephritis`: only they are evaluable.
    rule
        Thresholds; all are assumptions, as the published trial does not tell its rule.
    limits
        Upper limit of creatinine, lower limit of eGFR: a value within is normal whatever it was at baseline.

    Returns
    -------
    subject, visit, week
        The visit.
    nephritis_remission, nephritis_remission_obs
        Complete remission by non-responder imputation; as observed. Null outside the population.
    evaluable, reason
        Reason: ``met``, ``proteinuria``, ``renal_function``, ``sediment``, ``albumin``, ``missing:...``,
        ``no_nephritis``, ``missing:lupus_nephritis``.
    ``<component>_met``
        The components.
    renal_response
        ``complete``, ``partial``, ``none`` as observed; null where that is not known.

    Raises
    ------
    StudyError
        Columns are missing.

    Examples
    --------
    >>> import polars as pl
    >>> from il2cyto import clinical
    >>> visits = pl.DataFrame(
    ...     {
    ...         "subject": "S1",
    ...         "visit": ["W0", "W12"],
    ...         "upe_g_24h": [2.0, 0.4],
    ...         "creatinine_umol_l": [80.0, 92.0],
    ...     }
    ... )
    >>> subjects = pl.DataFrame({"subject": ["S1"], "lupus_nephritis": [True]})
    >>> clinical.renal_response(visits, subjects)["renal_response"].to_list()
    ['complete']
    """
    rule = rule or RenalRule()
    _check(visits, subjects, rule)
    frame = with_limits(course(visits, subjects), subjects, limits or Limits())
    protein = _each(
        frame, {"upe_g_24h": pl.col("upe_g_24h") < rule.upe_g_24h, "upcr_g_g": pl.col("upcr_g_g") < rule.upcr_g_g}
    )
    function = _each(
        frame,
        {
            "creatinine_umol_l": _known(pl.col("creatinine_umol_l") <= pl.col("creatinine_umol_l_uln"))
            | (_ratio("creatinine_umol_l") <= 1 + rule.function_change),
            "egfr": _known(pl.col("egfr") >= pl.col("egfr_lln")) | (_ratio("egfr") >= 1 - rule.function_change),
        },
    )
    components = {"proteinuria": protein, "renal_function": function}
    if rule.inactive_sediment:
        components["sediment"] = ~pl.col("sediment_active")
    if rule.albumin_g_l is not None:
        components["albumin"] = pl.col("albumin_g_l") >= rule.albumin_g_l
    nephritis = pl.col("lupus_nephritis")
    outside = pl.when(nephritis.is_null()).then(pl.lit("missing:lupus_nephritis"))
    judged = judge(
        frame.with_columns(_partial=_partial(frame, rule)),
        "nephritis_remission",
        components,
        outside=outside.when(~nephritis).then(pl.lit("no_nephritis")),
        keep=["_partial"],
    )
    complete, partial = pl.col("nephritis_remission_obs"), pl.col("_partial")
    level = pl.when(complete).then(pl.lit("complete")).when(~complete & partial).then(pl.lit("partial"))
    return judged.with_columns(
        renal_response=pl.when("evaluable").then(level.when(~complete & ~partial).then(pl.lit("none")))
    ).drop("_partial")


def _check(visits: pl.DataFrame, subjects: pl.DataFrame, rule: RenalRule) -> None:
    need(subjects, ["lupus_nephritis"], table="subjects", purpose="remission of nephritis")
    for pair in (("upe_g_24h", "upcr_g_g"), ("creatinine_umol_l", "egfr")):
        if not set(pair) & set(visits.columns):
            msg = f"visits: no column {' or '.join(pair)}, one of which remission of nephritis needs; add it"
            raise MissingColumnsError(msg)
    optional = {"sediment_active": rule.inactive_sediment, "albumin_g_l": rule.albumin_g_l is not None}
    asked = [column for column, needed in optional.items() if needed]
    need(visits, asked, table="visits", purpose="the rule of remission of nephritis")


def _each(frame: pl.DataFrame, tests: dict[str, pl.Expr]) -> pl.Expr:
    """Take the test of the first measurement that was made."""
    there = {column: test for column, test in tests.items() if column in frame.columns}
    return pl.coalesce(pl.when(pl.col(column).is_not_null()).then(test) for column, test in there.items())


def _known(normal: pl.Expr) -> pl.Expr:
    # Without a limit nothing is known to be normal, and the change from baseline decides alone.
    return normal.fill_null(value=False)


def _ratio(column: str) -> pl.Expr:
    return (pl.col(column) / pl.col(f"{column}_0")).round(DIGITS)


def _partial(frame: pl.DataFrame, rule: RenalRule) -> pl.Expr:
    tests = {
        "upe_g_24h": (_ratio("upe_g_24h") <= 1 - rule.partial_reduction)
        & (pl.col("upe_g_24h") < rule.partial_upe_g_24h),
        "upcr_g_g": (_ratio("upcr_g_g") <= 1 - rule.partial_reduction) & (pl.col("upcr_g_g") < rule.partial_upe_g_24h),
    }
    return _each(frame, tests)

"""Complement: normal, and normalised from below normal."""

from __future__ import annotations

import polars as pl

from il2cyto._clinical_settings import Limits
from il2cyto.clinical._course import course, judge, need
from il2cyto.clinical._limits import with_limits

ANALYTES = {"c3": "c3_g_l", "c4": "c4_g_l"}


def complement_normalisation(
    visits: pl.DataFrame, subjects: pl.DataFrame | None = None, *, limits: Limits | None = None, analyte: str = "c3"
) -> pl.DataFrame:
    """Tell whose complement is normal, from baseline on, and whose became normal.

    Parameters
    ----------
    visits
        `c3_g_l` or `c4_g_l`, g/L.
    subjects
        Gives each subject's `site`, where limits differ by site.
    limits
        The lower limit of normal of the analyte; without it nobody is evaluable.
    analyte
        ``c3`` or ``c4``.

    Returns
    -------
    One frame with two endpoints. subject, visit, week; ``{analyte}_normal``: the value is at or above the lower
    limit, of all subjects; ``{analyte}_normalised``: the same, of those below it at baseline, after baseline only
    (null there and for the others); each with ``_obs``, ``_evaluable`` and ``_reason`` (``met``, ``low``,
    ``missing:value``, ``missing:visit``, ``no_limit``, ``normal_at_baseline``, ``missing:baseline``, ``baseline``).
    The evaluable rows of the two are the two denominators.

    Raises
    ------
    StudyError
        No column of the analyte; limits differ by site and sites are not known.

    Examples
    --------
    >>> import polars as pl
    >>> from il2cyto import clinical
    >>> from il2cyto.study import Limits
    >>> visits = pl.DataFrame({"subject": "S1", "visit": ["W0", "W12"], "c3_g_l": [0.7, 0.9]})
    >>> limits = Limits.model_validate({"c3_g_l": {"lln": 0.9}})
    >>> clinical.complement_normalisation(visits, limits=limits)["c3_normalised"].to_list()
    [None, True]
    """
    column = ANALYTES[analyte]
    need(visits, [column], table="visits", purpose=f"normal {analyte.upper()}")
    frame = course(visits, subjects, from_baseline=True)
    frame = with_limits(frame, subjects, limits or Limits())
    lln, value, base = pl.col(f"{column}_lln"), pl.col(column), pl.col(f"{column}_0")
    first = pl.col("visit") == frame["visit"][0] if frame.height else pl.lit(value=False)
    no_limit = pl.when(lln.is_null()).then(pl.lit("no_limit"))
    others = (
        pl.when(first)
        .then(pl.lit("baseline"))
        .when(lln.is_null())
        .then(pl.lit("no_limit"))
        .when(base.is_null())
        .then(pl.lit("missing:baseline"))
    )
    outsides = {"normal": no_limit, "normalised": others.when(base >= lln).then(pl.lit("normal_at_baseline"))}
    parts = []
    for suffix, outside in outsides.items():
        name = f"{analyte}_{suffix}"
        judged = judge(frame, name, {"value": value >= lln}, outside=outside).drop("value_met")
        reason = pl.col("reason").replace("value", "low")
        parts.append(judged.with_columns(reason).rename({"evaluable": f"{name}_evaluable", "reason": f"{name}_reason"}))
    return parts[0].hstack(parts[1].drop("subject", "visit", "week"))

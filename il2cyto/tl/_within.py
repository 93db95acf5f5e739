"""Change of populations from baseline within arms."""

from __future__ import annotations

import polars as pl

from il2cyto.tl._frames import ARM, SUBJECT, VISIT, require_visits, subject_frequencies, table, visit_weeks
from il2cyto.tl._paired import signed_rank

_TABLE = {
    "population": pl.String, "denominator": pl.String, ARM: pl.String, VISIT: pl.String, "week": pl.Float64,
    "n": pl.Int64, "change": pl.Float64, "ci_low": pl.Float64, "ci_high": pl.Float64, "method": pl.String,
    "p": pl.Float64,
}  # fmt: skip


def population_within(frequencies: pl.DataFrame, *, baseline: str, level: float = 0.95) -> pl.DataFrame:
    """Change of every population from baseline within each arm: Wilcoxon's signed rank and Hodges-Lehmann.

    Parameters
    ----------
    frequencies
        As :func:`il2cyto.get.frequencies` gives them. Replicates are averaged; samples without an arm are left out.
    baseline
        The baseline visit.
    level
        Coverage of the intervals, 0-1.

    Returns
    -------
    `population denominator arm visit week n change ci_low ci_high method p`, one row per visit after baseline. `change` is the
    Hodges-Lehmann median in fractions (0.01 is one percentage point). `method` says how `p` was found and how many changes of
    zero were not ranked. NaN as in :func:`signed_rank`.

    Raises
    ------
    StudyError
        A column or the visit is missing.
    """
    caller = "population_within"
    values = subject_frequencies(frequencies, caller=caller)
    week = visit_weeks(frequencies)
    require_visits(week, [baseline], caller=caller)
    keys = ["population", "denominator", ARM]
    first = values.filter(pl.col(VISIT) == baseline).select(*keys, SUBJECT, base="frequency")
    changes = values.join(first, on=[*keys, SUBJECT], maintain_order="left").with_columns(
        change=pl.col("frequency") - pl.col("base")
    )
    rows = []
    for group in values.select(keys).unique(maintain_order=True).iter_rows():
        of_group = changes.filter(*(pl.col(key) == value for key, value in zip(keys, group, strict=True)))
        for visit in week:
            if visit == baseline:
                continue
            r = signed_rank(of_group.filter(pl.col(VISIT) == visit)["change"].to_numpy(), level=level)
            method = f"signed rank, {r.method}" + (f", {r.zeros} zeros not ranked" if r.zeros else "")
            rows.append((*group, visit, week[visit], r.n, r.shift, r.ci_low, r.ci_high, method, r.p))
    return table(rows, _TABLE)

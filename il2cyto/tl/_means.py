"""Means of populations over subjects, per arm and visit."""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.special import stdtrit

from il2cyto._intervals import require_level
from il2cyto.tl._frames import ARM, VISIT, subject_frequencies, table, visit_weeks

_TABLE = {
    "population": pl.String, "denominator": pl.String, ARM: pl.String, VISIT: pl.String, "week": pl.Float64,
    "kind": pl.String, "n": pl.Int64, "mean": pl.Float64, "ci_low": pl.Float64, "ci_high": pl.Float64,
}  # fmt: skip


def population_means(frequencies: pl.DataFrame, *, level: float = 0.95) -> pl.DataFrame:
    """Average every population over the subjects of each arm at each visit.

    Parameters
    ----------
    frequencies
        As :func:`il2cyto.get.frequencies` gives them. Replicates are averaged; samples without an arm are left out.
    level
        Coverage of the t interval, 0-1.

    Returns
    -------
    `population denominator arm visit week kind n mean ci_low ci_high`, fractions 0-1, `kind` is ``observed``. A visit without
    values has `n` 0 and NaN; one value gives no interval. The interval is symmetric, and may leave 0-1 for a rare population.

    Raises
    ------
    StudyError
        A column is missing, or the level is no fraction.

    Examples
    --------
    >>> row = {"population": "NK", "parent": "lymphocytes", "arm": "placebo", "visit": "W0", "parent_count": 100}
    >>> rows = [row | {"subject": s, "count": c, "frequency": c / 100} for s, c in (("a", 10), ("b", 20))]
    >>> means = population_means(pl.DataFrame(rows))
    >>> round(means["mean"][0], 3), means["n"][0]
    (0.15, 2)
    """
    require_level(level)
    values = subject_frequencies(frequencies, caller="population_means")
    week = visit_weeks(frequencies)
    rows = []
    for keys, own in values.group_by("population", "denominator", ARM, maintain_order=True):
        for visit in week:
            x = own.filter(pl.col(VISIT) == visit)["frequency"].to_numpy()
            mean = float(x.mean()) if len(x) else np.nan
            half = np.nan
            if len(x) > 1:
                half = float(stdtrit(len(x) - 1, (1 + level) / 2) * x.std(ddof=1) / np.sqrt(len(x)))
            rows.append((*keys, visit, week[visit], "observed", len(x), mean, mean - half, mean + half))
    return table(rows, _TABLE)

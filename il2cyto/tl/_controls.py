"""Bridging controls: how much one material differs from run to run."""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.stats import chi2

from il2cyto.tl._frames import SUBJECT, require_columns, require_unique, table

_TABLE = {
    "population": pl.String, "denominator": pl.String, "material": pl.String, "runs": pl.Int64, "tubes": pl.Int64,
    "mean": pl.Float64, "sd": pl.Float64, "cv": pl.Float64, "ci_low": pl.Float64, "ci_high": pl.Float64, "note": pl.String,
}  # fmt: skip
#: With fewer runs an interval says hardly more than that little is known.
ENOUGH_RUNS = 3


def control_cv(frequencies: pl.DataFrame, *, samples: pl.DataFrame, level: float = 0.95) -> pl.DataFrame:
    """Coefficient of variation between runs of each population in the bridging controls.

    Parameters
    ----------
    frequencies
        As :func:`il2cyto.get.frequencies` gives them.
    samples
        `sample`, `batch` (the run) and `control` (bool): rows of `frequencies` that are no controls are left out.
    level
        Coverage of the interval.

    Returns
    -------
    `population denominator material runs tubes mean sd cv ci_low ci_high note`, a row for each population and material; the material
    is the control's `subject`, "" where it has none. Tubes of a run are averaged, and `sd` is that of the runs' means
    (fractions). `cv` and its limits are fractions too: NaN with fewer than two runs or a mean of 0, and `note` says when there are fewer
    than three. An upper limit of infinity says that the runs do not bound it.

    Raises
    ------
    StudyError
        A column is missing, or a sample stands twice.

    Notes
    -----
    The interval is Vangel's modification of McKay's, for normal values: Vangel, Am Stat 1996;50:21-26.

    Examples
    --------
    >>> import polars as pl
    >>> from il2cyto import tl
    >>> rows = [(f"c{i}", "buffy", "Treg", "CD4", x) for i, x in enumerate((0.05, 0.06, 0.055, 0.05))]
    >>> counted = pl.DataFrame(rows, schema=["sample", "subject", "population", "parent", "frequency"], orient="row")
    >>> samples = pl.DataFrame({"sample": counted["sample"], "batch": ["1", "2", "3", "4"], "control": True})
    >>> round(tl.control_cv(counted, samples=samples)["cv"][0], 4)
    0.0891
    """
    caller = "control_cv"
    require_columns(frequencies, ["sample", "population", "parent", SUBJECT, "frequency"], caller=caller)
    require_columns(samples, ["sample", "batch", "control"], caller=caller)
    require_unique(samples, ["sample"], caller=caller)
    require_unique(frequencies, ["sample", "population", "parent"], caller=caller)
    known = samples.filter(pl.col("control").fill_null(value=False)).select(
        pl.col("sample", "batch").cast(pl.String).fill_null("")
    )
    keys = ["population", "parent", SUBJECT]
    runs = (
        frequencies.with_columns(pl.col("sample", *keys).cast(pl.String).fill_null(""))
        .join(known, on="sample", how="inner", maintain_order="left")
        .filter(pl.col("frequency").is_finite())
        .group_by(*keys, "batch", maintain_order=True)
        .agg(pl.col("frequency").mean(), tubes=pl.len())
    )
    rows = []
    for key, own in runs.group_by(keys, maintain_order=True):
        rows.append((*key, own.height, int(own["tubes"].sum()), *_of_runs(own["frequency"].to_numpy(), level)))
    return table(rows, _TABLE)


def _of_runs(values: np.ndarray, level: float) -> tuple[float, float, float, float, float, str]:
    n, mean = len(values), float(values.mean())
    if n < 2 or mean == 0:
        note = "one run" if n < 2 else "the mean is 0"
        return mean, np.nan, np.nan, np.nan, np.nan, f"not estimable: {note}"
    sd = float(values.std(ddof=1))
    note = f"fewer than {ENOUGH_RUNS} runs: the interval is hardly informative" if n < ENOUGH_RUNS else ""
    return (mean, sd, sd / mean, *_interval(sd / mean, n, level), note)


def _interval(cv: float, n: int, level: float) -> tuple[float, float]:
    limits = []
    for u in chi2.ppf(((1 + level) / 2, (1 - level) / 2), n - 1):
        square = ((u + 2) / n - 1) * cv**2 + u / (n - 1)
        limits.append(cv / float(np.sqrt(square)) if square > 0 else np.inf)
    return limits[0], limits[1]

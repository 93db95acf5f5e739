"""How much of a frequency's spread is between subjects, between visits, between batches, technical, and mere counting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from scipy.special import expit

from il2cyto.tl._frames import ARM, SUBJECT, VISIT, require_columns, require_unique, table
from il2cyto.tl._mmrm._model import empirical_logit
from il2cyto.tl._reml import separable, variances

if TYPE_CHECKING:
    from collections.abc import Mapping

COMPONENTS = ("subject", "visit", "batch", "technical", "counting")
_TABLE = {
    "population": pl.String, "component": pl.String, "sd": pl.Float64, "share": pl.Float64, "icc": pl.Float64,
    "cv": pl.Float64, "note": pl.String,
}  # fmt: skip


def variance_components(frequencies: pl.DataFrame, *, samples: pl.DataFrame | None = None) -> pl.DataFrame:
    """Split the variance of every population's logit by REML.

    The logit of a sample is the mean of its arm and visit + subject + subject's visit + batch + technical + counting. The variance
    of counting is the mean of 1/(c + 1/2) + 1/(n - c + 1/2), which is taken off the residual; the others are estimated. Bridging controls, one material measured
    again and again, have a mean of their own and inform batch and technical variance only.

    Parameters
    ----------
    frequencies
        As :func:`il2cyto.get.frequencies` gives them, replicates as rows of their own. Rows that are not evaluable are left out.
    samples
        `sample`, and as far as they are known `batch` and `control` (bool). Without `batch` there is no batch component.

    Returns
    -------
    `population component sd share icc cv note`, five rows per population: ``subject``, ``visit`` (within subjects), ``batch``,
    ``technical`` (between replicates, beyond counting), ``counting``. `sd` is on the logit scale, `share` the part of the total
    variance. `icc` on the row of ``subject`` is the correlation of two visits of a subject, on that of ``visit`` of two
    replicates, in different batches. `cv` is that of the frequency, sd·(1 - p) at the mean logit (delta method). NaN where the
    design cannot tell a component from the others, and `note` says so: without replicates and controls the row ``visit``
    holds the technical variance too.

    Raises
    ------
    StudyError
        A column is missing, or a sample stands twice, in `samples` or with two denominators of a population.

    Notes
    -----
    Arms differ in their means only, so what the drug does differently from subject to subject counts as ``visit``.
    """
    caller = "variance_components"
    columns = ["sample", "population", ARM, SUBJECT, VISIT, "count", "parent_count", "frequency"]
    require_columns(frequencies, columns, caller=caller)
    require_unique(frequencies, ["sample", "population"], caller=caller)
    frame = frequencies.with_columns(pl.col("sample", "population", ARM, SUBJECT, VISIT).cast(pl.String))
    if samples is not None:
        require_columns(samples, ["sample"], caller=caller)
        require_unique(samples, ["sample"], caller=caller)
        known = [name for name in ("batch", "control") if name in samples.columns]
        frame = frame.drop(known, strict=False).join(
            samples.select(pl.col("sample").cast(pl.String), *known), on="sample", how="left"
        )
    missing = [
        pl.lit(None, pl.String).alias("batch") if "batch" not in frame.columns else pl.col("batch").cast(pl.String),
        pl.lit(value=False).alias("control") if "control" not in frame.columns else pl.col("control").fill_null(value=False),
    ]  # fmt: skip
    frame = frame.with_columns(missing).filter(
        pl.col("frequency").is_finite(), pl.col(SUBJECT).is_not_null(), pl.col(ARM).is_not_null() | pl.col("control")
    )
    rows = []
    for population in frame["population"].unique(maintain_order=True):
        rows += [(population, *row) for row in _components(frame.filter(pl.col("population") == population))]
    return table(rows, _TABLE)


def _components(frame: pl.DataFrame) -> list[tuple[str, float, float, float, float, str]]:
    count, total = frame["count"].to_numpy().astype(float), frame["parent_count"].to_numpy().astype(float)
    y = empirical_logit(count, total)
    # Not as weights sample by sample: a count that is low by chance would then count for less, and bias the rest.
    counting = float((1 / (count + 0.5) + 1 / (total - count + 0.5)).mean())
    own = (~frame["control"]).to_numpy()
    effects = {
        "subject": _indicators(frame.select(SUBJECT), own),
        "batch": _indicators(frame.select("batch"), frame["batch"].is_not_null().to_numpy()),
        "visit": _indicators(frame.select(SUBJECT, VISIT), own),
    }
    x = _means(frame, own)
    told = separable(x, effects)
    found = variances(y, x, {name: effects[name] for name in told})
    notes = {name: _why_not(name, effects[name]) for name in effects if name not in told}
    variance = {"counting": counting}
    if not found:
        notes |= dict.fromkeys([*told, "technical"], "not estimable: too few samples, or REML did not converge")
    else:
        last = "technical" if "visit" in told else "visit"
        variance |= {last: max(found.pop("") - counting, 0.0)} | found
        if last == "visit":
            notes |= {"visit": "with technical: nothing was measured twice", "technical": "in the row visit"}
    return _rows(variance, notes, float(expit(y[own].mean())) if own.any() else np.nan)


def _rows(
    variance: Mapping[str, float], notes: Mapping[str, str], middle: float
) -> list[tuple[str, float, float, float, float, str]]:
    total = sum(variance.values())
    subject, visit = variance.get("subject", np.nan), variance.get("visit", np.nan)
    apart = "technical" in variance
    icc = {"subject": subject / total, "visit": (subject + visit) / total if apart else np.nan}
    # Shares need all of the total.
    whole = "visit" in variance
    rows = []
    for name in COMPONENTS:
        part = variance.get(name, np.nan)
        sd = float(np.sqrt(part))
        share, correlation = (part / total, icc.get(name, np.nan)) if whole else (np.nan, np.nan)
        rows.append((name, sd, share, correlation, sd * (1 - middle), notes.get(name, "")))
    return rows


def _means(frame: pl.DataFrame, own: np.ndarray) -> np.ndarray:
    """Indicators of arm and visit, and of each control material."""
    own_means = _indicators(frame.select(ARM, VISIT), own)
    return np.hstack([own_means, _indicators(frame.select(SUBJECT), ~own)])


def _indicators(labels: pl.DataFrame, rows: np.ndarray) -> np.ndarray:
    """(rows, levels) of a factor; all 0 where `rows` is False."""
    names = labels.select(pl.concat_str(pl.all().fill_null(""), separator="\t")).to_series().to_numpy()
    levels = np.unique(names[rows])
    return np.asarray((names[:, None] == levels) * rows[:, None].astype(float))


def _why_not(name: str, indicators: np.ndarray) -> str:
    if indicators.shape[1] < 2:
        return f"fewer than two {name} levels are known" if name == "batch" else f"fewer than two {name}s"
    return "this design cannot tell it from the other components"

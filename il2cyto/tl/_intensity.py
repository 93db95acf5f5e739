"""Whether what a locked cut divides has become brighter in one arm: its frequency may then have changed without a cell changing its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from scipy.stats import t

from il2cyto import get
from il2cyto._keys import Obsm, Uns
from il2cyto._tidy import plain, sample_columns, stack
from il2cyto.pp import transform
from il2cyto.tl._frames import ARM, SUBJECT, VISIT, require_visits, table, visit_weeks

if TYPE_CHECKING:
    from anndata import AnnData

    from il2cyto._tidy import Panels

_TABLE = {
    "population": pl.String, "marker": pl.String, "cuts": pl.String, ARM: pl.String, "control": pl.String, VISIT: pl.String,
    "week": pl.Float64, "n": pl.Int64, "n_control": pl.Int64, "shift": pl.Float64, "ci_low": pl.Float64,
    "ci_high": pl.Float64, "p": pl.Float64,
}  # fmt: skip
_LOCKED = ("subject", "batch", "study", "fixed")


def intensity_shifts(data: AnnData | Panels, *, baseline: str, level: float = 0.95) -> pl.DataFrame:
    """How far the median of a marker, in the population that a locked cut divides, has moved in one arm more than in control.

    A cut that is locked does not follow a drug that brightens its marker: cells step over it, and the frequency beyond changes
    although none has changed its kind. Frequencies cannot tell that from new cells; the median of the whole parent, which the cut
    does not choose, gives a hint.

    Parameters
    ----------
    data
        Cohort object.
    baseline
        The baseline visit.
    level
        Coverage of the intervals, 0-1.

    Returns
    -------
    `population marker cuts arm control visit week n n_control shift ci_low ci_high p`: a row for each marker of a gate that adapts
    by subject, batch or study, or is fixed; each treatment arm; and each visit after baseline. `population` is the gate's parent, `cuts` the
    gates. `shift` is the difference between arms of the mean change since baseline of the population's median, on the template's scale
    (on a logicle scale of 4.5 decades, 0.01 is 0.045 decades), by Welch's t; NaN with fewer than two subjects in an arm. Replicates are averaged; samples
    without subject or arm are left out. Without two arms or medians there are no rows.

    Raises
    ------
    StudyError
        The object does not have the visit.

    Examples
    --------
    >>> from il2cyto import datasets, tl
    >>> shifts = tl.intensity_shifts(datasets.toy_trial(subjects=4), baseline="W0")
    >>> shifts.filter(marker="CD25")["population", "cuts"].unique().rows()
    [('CD4', 'CD25pos;Treg')]
    """
    return stack(data, lambda adata: _shifts(adata, baseline, level))


def _shifts(adata: AnnData, baseline: str, level: float) -> pl.DataFrame:
    samples = sample_columns(adata, SUBJECT, VISIT, "week", ARM)
    weeks = visit_weeks(samples.drop_nulls(VISIT))
    require_visits(weeks, [baseline], caller="intensity_shifts")
    arms = [str(arm) for arm in adata.uns[Uns.IL2CYTO].get(Uns.ARMS, ())]
    if len(arms) < 2 or Obsm.MFI not in adata.obsm:
        return table([], _TABLE)
    rows = []
    for (population, marker), cuts in _divided(adata).items():
        change = _changes(samples.with_columns(median=pl.Series(_medians(adata, population, marker))), baseline)
        for visit in (name for name in weeks if name != baseline):
            at = {arm: change.filter(pl.col(VISIT) == visit, pl.col(ARM) == arm)["change"].to_numpy() for arm in arms}
            for arm in arms[1:]:
                numbers = _compare(at[arm], at[arms[0]], level)
                key = (population, marker, ";".join(cuts), arm, arms[0], visit, weeks[visit])
                rows.append((*key, len(at[arm]), len(at[arms[0]]), *numbers))
    return table(rows, _TABLE)


def _divided(adata: AnnData) -> dict[tuple[str, str], list[str]]:
    """Population and marker -> the locked gates that divide it by that marker."""
    template = get.template(adata)
    known = set(plain(adata.uns[Uns.IL2CYTO][Uns.MFI]).select("population", "marker").iter_rows())
    found: dict[tuple[str, str], list[str]] = {}
    for p in template.populations:
        if p.gate is not None and p.gate.fitted and template.adapt_of(p.name).level in _LOCKED:
            for key in p.gate.keys:
                if (p.parent, key) in known:
                    found.setdefault((p.parent, key), []).append(p.name)
    return found


def _medians(adata: AnnData, population: str, marker: str) -> np.ndarray:
    """The medians on the template's scale; where it takes its top from the files, from the largest range among them."""
    facts = adata.uns[Uns.IL2CYTO]
    about = plain(facts[Uns.MFI], index="mfi").row(
        by_predicate=(pl.col("population") == population) & (pl.col("marker") == marker)
    )
    channels = plain(facts[Uns.CHANNELS]).filter(marker=marker)
    spec = get.template(adata).scale_of(marker)
    if channels.height:
        spec = spec.at_range(float(channels["range"].max()))  # type: ignore[arg-type]
    return transform(adata.obsm[Obsm.MFI][about[0]].to_numpy(np.float64), spec)


def _changes(samples: pl.DataFrame, baseline: str) -> pl.DataFrame:
    """Change of each subject since baseline: `arm visit change`."""
    values = (
        samples.drop_nulls([SUBJECT, VISIT, ARM])
        .filter(pl.col("median").is_finite())
        .with_columns(pl.col(SUBJECT, VISIT, ARM).cast(pl.String))
        .group_by(SUBJECT, ARM, VISIT, maintain_order=True)
        .agg(pl.col("median").mean())
    )
    first = values.filter(pl.col(VISIT) == baseline).select(SUBJECT, base="median")
    joined = values.join(first, on=SUBJECT, how="inner", maintain_order="left")
    return joined.select(ARM, VISIT, change=pl.col("median") - pl.col("base"))


def _compare(treated: np.ndarray, control: np.ndarray, level: float) -> tuple[float, float, float, float]:
    """Welch: difference of means, its interval and P."""
    n = np.array([len(treated), len(control)])
    if n.min() < 2:
        return np.nan, np.nan, np.nan, np.nan
    shift = float(treated.mean() - control.mean())
    parts = np.array([treated.var(ddof=1), control.var(ddof=1)]) / n
    error = float(np.sqrt(parts.sum()))
    if error == 0:  # no change differs from another: nothing to tell chance by
        return shift, np.nan, np.nan, np.nan
    df = parts.sum() ** 2 / (parts**2 / (n - 1)).sum()
    reach = float(t.ppf((1 + level) / 2, df)) * error
    return shift, shift - reach, shift + reach, float(2 * t.sf(abs(shift) / error, df))

"""How frequencies move from visit to visit: per subject, and summarised per group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import polars as pl
from scipy.special import stdtrit

from il2cyto import get
from il2cyto._keys import Obs, Uns, Var
from il2cyto._populations import endpoint_populations
from il2cyto.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

LEVEL = 0.95
#: The one group of a study without arms.
ALL = "all"
FREQUENCY = "frequency"


def subject_dynamics(
    adata: AnnData,
    *,
    populations: Sequence[str] | None = None,
    denominator: str | None = None,
    group: str = Obs.ARM,
) -> pl.DataFrame:
    """Tabulate one value per population, subject and visit.

    Replicates of a subject at a visit are averaged, those that are not evaluable left out. Bridging controls are left
    out, and samples without a group, such as those of subjects who were never randomised.

    Parameters
    ----------
    adata
        Cohort object.
    populations
        Which ones; the endpoints in the object if None.
    denominator
        Divide by the events of this population in place of the parent's, see :func:`il2cyto.get.frequencies`.
    group
        Column of `obs`. Where the object has no `arm`, all samples are of the group `all`.

    Returns
    -------
    `population`, the group, `subject visit week frequency`, in the order of the populations asked for, of the group's
    categories and of the visits. `frequency` is 0-1, NaN where no replicate is evaluable. `week` is the planned week, null
    where neither the schedule nor `obs` has one.

    Raises
    ------
    PopulationError
        Unknown population or denominator, or no endpoint in the object.
    SchemaError
        `group` is not a column of `obs`.
    """
    names = list(dict.fromkeys(populations or endpoint_populations(adata, denominator=denominator)))
    frame = get.frequencies(adata, populations=names, denominator=denominator)
    return (
        frame.select(Obs.SAMPLE, Var.POPULATION, Obs.SUBJECT, Obs.VISIT, pl.col(FREQUENCY).fill_nan(None))
        .join(_samples_in_groups(adata, group), on=Obs.SAMPLE, maintain_order="left")
        .with_columns(pl.col(Var.POPULATION).cast(pl.Enum(names)))
        .group_by(Var.POPULATION, group, Obs.SUBJECT, Obs.VISIT)
        .agg(pl.col(FREQUENCY).mean().fill_null(np.nan))
        .join(_weeks(adata, frame.schema[Obs.VISIT]), on=Obs.VISIT, maintain_order="left", how="left")
        .sort(Var.POPULATION, group, Obs.SUBJECT, Obs.VISIT)
        .select(pl.col(Var.POPULATION).cast(pl.String), group, Obs.SUBJECT, Obs.VISIT, Obs.WEEK, FREQUENCY)
    )


def summarise_dynamics(
    adata: AnnData,
    *,
    populations: Sequence[str] | None = None,
    denominator: str | None = None,
    group: str = Obs.ARM,
) -> pl.DataFrame:
    """Summarise each population by group and visit, over subjects.

    Parameters
    ----------
    adata
        Cohort object.
    populations, denominator, group
        As in :func:`subject_dynamics`, which says how one value per subject and visit is made.

    Returns
    -------
    One row per population, group and scheduled visit, also where nobody has a value: `population`, the group, `visit week n
    n_missing mean sd sem median q25 q75 ci_low ci_high`. `n` counts the subjects with a value, `n_missing` those who have a
    sample but no value in it. Fractions 0-1; NaN where `n` is 0, and for `sd`, `sem` and the interval where it is 1.
    Quartiles are interpolated linearly. The interval is the 95 % t interval of the mean: it is symmetric, and may leave
    0-1 for a rare population in few subjects.

    Raises
    ------
    PopulationError, SchemaError
        As :func:`subject_dynamics`.
    """
    values = subject_dynamics(adata, populations=populations, denominator=denominator, group=group)
    value = pl.col(FREQUENCY).fill_nan(None)
    summary = values.group_by(Var.POPULATION, group, Obs.VISIT).agg(
        n=value.count(),
        n_missing=value.null_count(),
        mean=value.mean(),
        sd=value.std(),
        median=value.median(),
        q25=value.quantile(0.25, interpolation="linear"),
        q75=value.quantile(0.75, interpolation="linear"),
    )
    keys = [Var.POPULATION, group, Obs.VISIT]
    table = _grid(adata, values, group).join(summary, on=keys, how="left", maintain_order="left")
    n = table["n"].fill_null(0)
    # Student's t has no quantile at 0 degrees of freedom: NaN, which is what one subject deserves.
    t = stdtrit(np.where(n > 1, n - 1.0, np.nan), (1 + LEVEL) / 2)
    table = table.with_columns(n, pl.col("n_missing").fill_null(0), sem=pl.col("sd") / n.sqrt(), t=pl.Series(t))
    return table.with_columns(
        ci_low=pl.col("mean") - pl.col("t") * pl.col("sem"), ci_high=pl.col("mean") + pl.col("t") * pl.col("sem")
    ).select(
        *keys,
        Obs.WEEK,
        "n",
        "n_missing",
        pl.col("mean", "sd", "sem", "median", "q25", "q75", "ci_low", "ci_high").fill_null(np.nan),
    )


def _samples_in_groups(adata: AnnData, group: str) -> pl.DataFrame:
    if group in adata.obs:
        column = pd.Categorical(adata.obs[group]).remove_unused_categories()
    elif group == Obs.ARM:
        column = pd.Categorical([ALL] * adata.n_obs)
    else:
        msg = f"summarise_dynamics: no obs column {group!r} to group by; the object has {', '.join(adata.obs.columns)}."
        raise SchemaError(msg)
    levels = [str(level) for level in column.categories]
    values = pl.Series(group, [levels[code] if code >= 0 else None for code in column.codes], dtype=pl.Enum(levels))
    names = adata.obs.get(Obs.SAMPLE, adata.obs_names)
    samples = pl.DataFrame([pl.Series(Obs.SAMPLE, [str(name) for name in names], dtype=pl.String), values])
    if Obs.CONTROL in adata.obs:
        samples = samples.filter(~adata.obs[Obs.CONTROL].to_numpy(bool))
    return samples.drop_nulls(group)


def _weeks(adata: AnnData, visits: pl.DataType) -> pl.DataFrame:
    """Tabulate the planned week of every visit: the schedule's, else that of the samples."""
    schedule = adata.uns[Uns.IL2CYTO].get(Uns.SCHEDULE)
    source = adata.obs.set_index(Obs.VISIT) if schedule is None else schedule
    weeks = source[Obs.WEEK].dropna() if Obs.WEEK in source else pd.Series(dtype=float)
    known = {str(visit): float(week) for visit, week in weeks.items()}
    levels = visits.categories.to_list() if isinstance(visits, pl.Enum) else []
    return pl.DataFrame({Obs.VISIT: levels, Obs.WEEK: [known.get(level) for level in levels]}).with_columns(
        pl.col(Obs.VISIT).cast(visits), pl.col(Obs.WEEK).cast(pl.Float64)
    )


def _grid(adata: AnnData, values: pl.DataFrame, group: str) -> pl.DataFrame:
    """Cross populations and groups with the visits that are scheduled or took place, so that a gap is a row."""
    schedule = adata.uns[Uns.IL2CYTO].get(Uns.SCHEDULE)
    scheduled = set() if schedule is None else {str(visit) for visit in schedule.index}
    visits = _weeks(adata, values.schema[Obs.VISIT]).filter(
        pl.col(Obs.VISIT).cast(pl.String).is_in([*scheduled, *values[Obs.VISIT].cast(pl.String).unique()])
    )
    populations = values.select(pl.col(Var.POPULATION).unique(maintain_order=True))
    groups = values.select(pl.col(group).unique().sort())
    return populations.join(groups, how="cross").join(visits, how="cross")

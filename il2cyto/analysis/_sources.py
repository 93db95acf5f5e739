"""Where the frequencies of an analysis come from: cohort objects, or a sheet of somebody else's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import polars as pl

from il2cyto import get
from il2cyto._keys import ENDPOINT_POPULATIONS, Obs, Uns, Var
from il2cyto._populations import ancestors, endpoint_populations
from il2cyto._tidy import panels, sample_columns
from il2cyto.analysis._absolute import cells_of_cohort, commonest_method, with_cells
from il2cyto.analysis._inputs import ALL, Inputs
from il2cyto.cohort import add_blood_counts
from il2cyto.cohort._absolute import DUAL_PLATFORM
from il2cyto.errors import PopulationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from anndata import AnnData

    from il2cyto._analysis_settings import AnalysisSettings
    from il2cyto._tidy import Panels
    from il2cyto.study import TrialFile

#: A frequency without counts stands as that of this many events, less one: its empirical logit is then its logit, exactly.
_WHOLE: Final = 1e9
_COLUMNS: Final = (
    *("sample", "subject", "visit", "week", "arm", "panel", "population", "parent"),
    *("count", "parent_count", "frequency"),
    *("flags", "batch", "control", "cells_per_ul"),
)


def cohorts_of(data: AnnData | Panels | Mapping[str, AnnData]) -> list[AnnData]:
    """List the cohort objects, one a panel."""
    return list(data.values()) if isinstance(data, Mapping) else panels(data)


def inputs_of_cohorts(
    cohorts: Sequence[AnnData], trial: TrialFile, subjects: pl.DataFrame | None, visits: pl.DataFrame | None
) -> Inputs:
    """Collect the frequencies of cohort objects, each population with all of its denominators, and its cells per µL.

    `subjects` says who is in which arm where the objects do not; `visits` may have blood counts that the objects do not.
    """
    if visits is not None:
        cohorts = [add_blood_counts(adata, visits) for adata in cohorts]
    method, notices = commonest_method(cohorts)
    frames = [frame for adata in cohorts for frame in _with_denominators(adata, trial.analysis, method)]
    if not frames:
        msg = (
            f"analysis: no population to analyse; the objects have {', '.join(n for a in cohorts for n in a.var_names)}"
        )
        raise PopulationError(msg)
    text = [frame.with_columns(pl.col("visit", "arm").cast(pl.String)) for frame in frames]
    frame = pl.concat(text, how="vertical_relaxed")
    shared = frame.group_by("population").agg(pl.col("panel").n_unique()).filter(pl.col("panel") > 1)["population"]
    in_two = pl.col("population").is_in(shared.to_list())
    named = pl.when(in_two).then(pl.format("{} ({})", "population", "panel")).otherwise("population")
    levels = [str(visit) for adata in cohorts for visit in adata.obs[Obs.VISIT].cat.categories]
    frame = _with_arms(frame.with_columns(population=named), subjects)
    made = _inputs(frame, trial, levels, tuple(_templates(cohorts)), notices)
    return replace(made, count_method=method)


def inputs_of_frame(
    frequencies: pl.DataFrame, trial: TrialFile, subjects: pl.DataFrame | None, visits: pl.DataFrame | None
) -> Inputs:
    """Take frequencies as a sheet has them; those without counts get counts of the same logit.

    `subjects` says who is in which arm where the sheet does not; `visits` may have blood counts.
    """
    there = set(frequencies["population"])
    names = trial.analysis.populations or [n for n in ENDPOINT_POPULATIONS if n in there] or sorted(there)
    unknown = [name for name in names if name not in there]
    if unknown:
        msg = f"analysis: no population {', '.join(map(repr, unknown))}; the table has {', '.join(sorted(there))}"
        raise PopulationError(msg)
    frame = frequencies.filter(pl.col("population").is_in(list(names)))
    frame = frame.sort(pl.col("population").cast(pl.Enum(list(names))), maintain_order=True)
    absent = {name: pl.lit(None, pl.String) for name in ("panel", "batch") if name not in frame.columns}
    frame = frame.with_columns(control=pl.lit(value=False), **absent)
    bare = pl.any_horizontal(pl.col("count", "parent_count").is_null()) & pl.col("frequency").is_not_null()
    notices: list[str] = []
    n_bare = frame.filter(bare).height
    if n_bare:
        notices.append(
            f"{n_bare} of {frame.height} frequencies have no counts: their logit is taken as it is, with 0 replaced by half the "
            "smallest positive frequency of the population (1 likewise); what counting adds to the variance is not known"
        )
        frame = _with_counts(frame, bare)
    levels = frame.schema["visit"].categories.to_list() if isinstance(frame.schema["visit"], pl.Enum) else []
    given = with_cells(frame.with_columns(pl.col("visit", "arm").cast(pl.String)), visits).select(_COLUMNS)
    made = _inputs(_with_arms(given, subjects), trial, levels, (), notices)
    blood = DUAL_PLATFORM if given["cells_per_ul"].count() else None
    return replace(made, counted=not n_bare, count_method=blood)


def _with_arms(frame: pl.DataFrame, subjects: pl.DataFrame | None) -> pl.DataFrame:
    if frame["arm"].count() or subjects is None or "arm" not in subjects.columns:
        return frame
    arms = subjects.select("subject", pl.col("arm").cast(pl.String))
    return frame.drop("arm").join(arms, on="subject", how="left", maintain_order="left").select(frame.columns)


def _with_counts(frame: pl.DataFrame, bare: pl.Expr) -> pl.DataFrame:
    keys, f = ("population", "parent"), pl.col("frequency")
    lowest = f.filter(f > 0).min().over(*keys) / 2
    highest = (1 - f).filter(f < 1).min().over(*keys) / 2
    inside = pl.when(f == 0).then(lowest).when(f == 1).then(1 - highest).otherwise(f)
    count = (inside * (_WHOLE + 1) - 0.5).clip(lower_bound=0)
    return frame.with_columns(
        pl.when(bare).then(count).otherwise(pl.col("count").cast(pl.Float64)).alias("count"),
        pl.when(bare).then(_WHOLE).otherwise(pl.col("parent_count").cast(pl.Float64)).alias("parent_count"),
    )


def _with_denominators(adata: AnnData, settings: AnalysisSettings, method: str | None) -> Iterable[pl.DataFrame]:
    """Frequencies of each population, of its parent first, then of its other denominators, beside its cells per µL."""
    has_endpoints = Var.ROLE in adata.var and (adata.var[Var.ROLE].astype(str) == "endpoint").any()
    names = [name for name in settings.populations if name in adata.var_names]
    if not settings.populations and (has_endpoints or set(ENDPOINT_POPULATIONS) & set(adata.var_names)):
        names = endpoint_populations(adata)
    extra = sample_columns(adata, Obs.BATCH).with_columns(
        control=pl.Series(adata.obs[Obs.CONTROL].to_numpy(bool)) if Obs.CONTROL in adata.obs else pl.lit(value=False)
    )
    cells = cells_of_cohort(adata, names, method)
    for name in names:
        parent = str(adata.var.at[name, Var.PARENT])
        listed = str(adata.var.at[name, Var.DENOMINATORS]).split(";") if Var.DENOMINATORS in adata.var else []
        above = set(ancestors(adata, name)) & set(adata.var_names)
        others = listed if settings.denominators is None else settings.denominators
        for denominator in (None, *dict.fromkeys(d for d in others if d != parent and d in above)):
            rows = get.frequencies(adata, populations=[name], denominator=denominator)
            rows = rows.join(extra, on=Obs.SAMPLE, how="left", maintain_order="left")
            yield rows.join(cells, on=["sample", "population"], how="left", maintain_order="left").select(_COLUMNS)


def _inputs(
    frame: pl.DataFrame,
    trial: TrialFile,
    levels: Sequence[str],
    templates: tuple[str, ...],
    notices: Sequence[str] = (),
) -> Inputs:
    planned = {visit.visit: visit.week for visit in trial.schedule}
    there = set(frame.filter(~pl.col("control"))["visit"].drop_nulls())
    order = [visit for visit in dict.fromkeys([*planned, *levels, *frame["visit"].drop_nulls()]) if visit in there]
    weeks = dict(frame.drop_nulls("week").group_by("visit").agg(pl.col("week").min()).iter_rows()) | planned
    found = set(frame["arm"].drop_nulls())
    arms = [arm for arm in trial.arms if arm in found] or frame["arm"].drop_nulls().unique(
        maintain_order=True
    ).to_list()
    if not arms:
        frame = frame.with_columns(arm=pl.when(~pl.col("control")).then(pl.lit(ALL)))
    week = pl.col("visit").replace_strict(weeks, default=None, return_dtype=pl.Float64)
    # Enums keep the order of visits and arms; controls' visits are none of the trial's.
    frame = frame.with_columns(
        pl.col("visit").cast(pl.Enum(list(dict.fromkeys([*order, *frame["visit"].drop_nulls()])))),
        pl.col("arm").cast(pl.Enum(arms or [ALL])),
        week=week,
    )
    parents = dict(reversed(frame.select("population", "parent").unique(maintain_order=True).rows()))
    ordered = {name: parents[name] for name in frame["population"].unique(maintain_order=True)}
    control = trial.arms[0] if trial.arms and trial.arms[0] in arms else None
    made = Inputs(
        trial,
        frame,
        ordered,
        tuple(arms),
        control,
        {v: weeks.get(v) for v in order},
        templates,
        counted=True,
        notices=(),
    )
    return replace(made, notices=(*notices, *_gaps(made)))


def _gaps(inputs: Inputs) -> Iterable[str]:
    """What the study does not say, and what is left out for it."""
    if not inputs.arms:
        yield "no arms: subjects are one group, and nothing is compared between arms"
    elif inputs.control is None:
        yield f"no control among the arms {', '.join(inputs.arms)}: they are described, and not compared"
    elif len(inputs.arms) < 2:
        yield f"only arm {inputs.arms[0]} has samples: nothing is compared between arms"
    if inputs.baseline is None:
        yield "no baseline visit with samples: no change from baseline and no mixed model"
    elif not inputs.after:
        yield "no visit after baseline: no change from baseline and no mixed model"
    elif inputs.primary is None:
        yield "no primary visit with samples (primary: {visit: ...}): no contrast is primary, all are exploratory"
    missing = [visit for visit in inputs.settings.on_drug or () if visit not in inputs.after]
    if missing:
        yield f"on_drug: {', '.join(missing)} is no visit after baseline with samples, and is left out"


def _templates(cohorts: Iterable[AnnData]) -> Iterable[str]:
    for adata in cohorts:
        about = adata.uns[Uns.IL2CYTO].get(Uns.TEMPLATE, {})
        if about:
            yield f"{about.get('name')} {about.get('version')} (SHA-256 {about.get('sha256')})"

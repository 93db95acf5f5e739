"""`analysis.analyse`: all tables of a trial."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from il2cyto import tl
from il2cyto.analysis import _populations as populations
from il2cyto.analysis._absolute import absolute_counts, absolute_tables
from il2cyto.analysis._clinical import Clinical, clinical_tables
from il2cyto.analysis._collect import Collected
from il2cyto.analysis._methods import methods_text
from il2cyto.analysis._pairs import response_pairs
from il2cyto.analysis._sources import cohorts_of, inputs_of_cohorts, inputs_of_frame
from il2cyto.analysis._trials import trial_of_cohort, trial_of_frequencies
from il2cyto.analysis._unseen import population_delta

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData

    from il2cyto._tidy import Panels
    from il2cyto.analysis._inputs import Inputs
    from il2cyto.clinical import Endpoints
    from il2cyto.io import ClinicalData
    from il2cyto.study import TrialFile


@dataclass(frozen=True)
class Analysis:
    """The tables of a trial, and how they came about.

    Attributes
    ----------
    tables
        Name -> table, those without rows left out; docs/analysis.md lists them.
    methods
        The methods of this analysis in words, Markdown.
    endpoints
        The clinical endpoints of each subject and visit; None without clinical tables.
    sets
        subject, arm and analysis sets; None without a table of subjects.
    notices
        What was left out and why, what was replaced, what has to be asked about.
    inputs
        The frequencies and facts that it was made of.
    """

    tables: Mapping[str, pl.DataFrame] = field(repr=False)
    methods: str = field(repr=False)
    endpoints: Endpoints | None = field(repr=False)
    sets: pl.DataFrame | None = field(repr=False)
    notices: tuple[str, ...]
    inputs: Inputs = field(repr=False)


def analyse(
    data: AnnData | Panels | Mapping[str, AnnData] | pl.DataFrame,
    *,
    trial: TrialFile | None = None,
    clinical: ClinicalData | None = None,
    workers: int | None = None,
) -> Analysis:
    """Analyse a trial: populations by arm and visit, clinical endpoints, safety, and how they go together.

    Parameters
    ----------
    data
        A cohort object, several by panel, or a frame from :func:`il2cyto.io.read_frequencies`.
    trial
        The study (:func:`il2cyto.io.read_study` or `read_trial`), with the settings of the analysis; what the object knows of it if
        None.
    clinical
        From :func:`il2cyto.io.read_clinical`; without it there are no clinical tables.
    workers
        Threads for the models of several populations; as many as there are cores if None. Their number changes no result.

    Returns
    -------
    All tables that the data allow. What they do not allow (no arms, one visit, no clinical tables) is left out with a notice;
    what could not be estimated is a row of NaN, with a flag.

    Raises
    ------
    PopulationError
        No population to analyse.
    StudyError
        A covariate is not in the table of subjects.

    Examples
    --------
    >>> from il2cyto import analysis, datasets, io
    >>> study = io.read_study(datasets.sample_data_path())
    >>> rows = [
    ...     {
    ...         "subject": s,
    ...         "visit": v,
    ...         "population": "NK",
    ...         "parent": "lymphocytes",
    ...         "count": 200 + 9 * i,
    ...         "parent_count": 4000,
    ...     }
    ...     for i, (s, v) in enumerate((s, v) for s in study.subject_sheet["subject"][:8] for v in study.visits)
    ... ]
    >>> frame = pl.DataFrame(rows).with_columns(frequency=pl.col("count") / 4000, flags=pl.lit(""))
    >>> done = analysis.analyse(frame, trial=study, clinical=io.read_clinical(study))
    >>> done.tables["binary_endpoints"].filter(endpoint="sri4", set="mitt", rule="nri", visit="W12").select(
    ...     "arm", "x", "n"
    ... ).rows()
    [('placebo', 1, 4), ('IL-2', 2, 4)]
    """
    inputs = _inputs(data, trial, clinical)
    fits = populations.fit_models(inputs, workers=workers or os.cpu_count() or 1)
    found = clinical_tables(inputs, clinical)
    made = Collected(notices=[*inputs.notices, *populations.notes(inputs, fits), *found.notices])
    tables, notices, add = made.tables, made.notices, made.add
    level = inputs.settings.level
    add("population_means", lambda: _means(inputs, fits))
    if inputs.baseline is not None and inputs.after:
        if inputs.contrasts:
            add("population_contrasts", lambda: populations.contrasts(inputs, fits))
            add("population_omnibus", lambda: populations.omnibus(fits))
        add(
            "population_within", lambda: tl.population_within(_ours(inputs), baseline=str(inputs.baseline), level=level)
        )
        add("population_change", lambda: populations.model_changes(inputs, fits))
    unseen, why = population_delta(inputs)
    add("population_delta", lambda: unseen)
    notices += why
    add("variance", lambda: _variance(inputs))
    add("flags", lambda: populations.flagged(inputs))
    add("response", lambda: _response(inputs, found))
    add("response_pairs", lambda: response_pairs(inputs, found.endpoints))
    add("missing", lambda: _missing(inputs, found))
    tables.update(found.tables | absolute_tables(inputs, absolute_counts(inputs)))
    kept = {name: _plain(table) for name, table in tables.items() if table.height}
    methods = methods_text(inputs, fits, found, kept, notices)
    return Analysis(kept, methods, found.endpoints, found.sets, tuple(notices), inputs)


def _inputs(
    data: AnnData | Panels | Mapping[str, AnnData] | pl.DataFrame,
    trial: TrialFile | None,
    clinical: ClinicalData | None,
) -> Inputs:
    sheet = getattr(trial, "subject_sheet", None) if clinical is None else clinical.subjects
    visits = None if clinical is None else clinical.visits
    if not isinstance(data, pl.DataFrame):
        cohorts = cohorts_of(data)
        return inputs_of_cohorts(cohorts, trial or trial_of_cohort(cohorts[0]), sheet, visits)
    absent = {"week": pl.Float64, "arm": pl.String, "sample": pl.String}
    frame = data.with_columns(
        pl.lit(None, kind).alias(name) for name, kind in absent.items() if name not in data.columns
    )
    if frame["sample"].null_count():
        frame = frame.with_columns(sample=pl.coalesce("sample", pl.concat_str(["subject", "visit"], separator="_")))
    return inputs_of_frame(frame, trial or trial_of_frequencies(frame, name="frequencies"), sheet, visits)


def _ours(inputs: Inputs) -> pl.DataFrame:
    """Rows of the trial's subjects, without bridging controls."""
    return inputs.frequencies.filter(~pl.col("control"))


def _variance(inputs: Inputs) -> pl.DataFrame:
    samples = inputs.frequencies.select("sample", "batch", "control").unique(maintain_order=True)
    table = tl.variance_components(inputs.of_parent, samples=samples)
    if inputs.counted:
        return table
    unknown = pl.col("component") == "counting"
    numbers = [pl.when(~unknown).then(name).otherwise(np.nan).alias(name) for name in ("sd", "share", "icc", "cv")]
    note = (
        pl.when(unknown).then(pl.lit("not known: there are frequencies without counts")).otherwise("note").alias("note")
    )
    return table.with_columns(*numbers, note)


def _means(inputs: Inputs, fits: populations.Fits) -> pl.DataFrame:
    observed = tl.population_means(_ours(inputs), level=inputs.settings.level)
    return pl.concat([observed, *populations.model_means(fits)], how="vertical_relaxed")


def _response(inputs: Inputs, found: Clinical) -> pl.DataFrame:
    if found.endpoints is None or inputs.primary is None or inputs.baseline is None or not inputs.arms:
        return pl.DataFrame()
    continuous = found.endpoints.continuous
    with_activity = set(continuous.filter(endpoint="sledai").drop_nulls("value")["visit"].cast(pl.String))
    return tl.response_association(
        inputs.of_parent.filter(~pl.col("control")),
        found.endpoints.binary,
        outcome_visit=inputs.primary,
        baseline=inputs.baseline,
        endpoint=inputs.settings.response,
        continuous=continuous if {inputs.baseline, inputs.primary} <= with_activity else None,
        level=inputs.settings.level,
    )


def _missing(inputs: Inputs, found: Clinical) -> pl.DataFrame:
    rows = inputs.of_parent.filter(~pl.col("control"))
    everyone = rows.select("subject", pl.col("arm").cast(pl.String)).drop_nulls().unique(maintain_order=True)
    arms = list(inputs.arms or everyone["arm"].unique(maintain_order=True))
    sets = everyone if found.sets is None or not inputs.arms else found.sets.filter("itt").select("subject", "arm")
    control = inputs.control or arms[0]
    seen = tl.missing_table(rows, sets, control=control, visits=list(inputs.visits))
    if found.endpoints is None or not inputs.arms:
        return seen
    expected = found.endpoints.binary.filter("evaluable")
    parts = [seen]
    for (name,), own in expected.group_by("endpoint", maintain_order=True):
        people = sets.filter(pl.col("subject").is_in(own["subject"].unique().to_list()))
        if name and set(people["arm"].cast(pl.String)) >= {control}:
            parts.append(
                tl.missing_table(own, people, control=control, item="endpoint", value="observed", reason="reason")
            )
    return pl.concat(parts, how="diagonal_relaxed").select("population", pl.exclude("population"))


def _plain(table: pl.DataFrame) -> pl.DataFrame:
    """Levels of visit and arm as text, and a blank where there is no flag."""
    enums = [name for name, kind in table.schema.items() if isinstance(kind, pl.Enum)]
    return table.with_columns(pl.col(enums).cast(pl.String))

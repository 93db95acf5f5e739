"""Gate a study: panel by panel, with its overrides, into cohort objects."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from il2cyto.batch import Job, gate_files, open_backend, rehearse_files
from il2cyto.cohort._build import build_cohort
from il2cyto.errors import GatingError, StudyError
from il2cyto.gt._controls import left_out_markers
from il2cyto.io import find_template, read_overrides, read_template
from il2cyto.io._study import study_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from anndata import AnnData

    from il2cyto.batch import Cache, Failure, GatedBatch, Progress
    from il2cyto.gt import Density
    from il2cyto.study import Study
    from il2cyto.template import GatingTemplate, Override
    from il2cyto.template._template import GroupLevel


#: Files that are named where all have failed.
MOST_NAMED: Final = 10


@dataclass(frozen=True)
class Gates:
    """What a study gates with: for each panel its template and the text of its file, and the overrides of all."""

    templates: Mapping[str, GatingTemplate]
    sources: Mapping[str, str]
    overrides: tuple[Override, ...]

    def overrides_of(self, jobs: Iterable[Job]) -> list[Override]:
        """The overrides of some samples."""
        samples = {job.sample for job in jobs}
        return [override for override in self.overrides if override.sample in samples]


@dataclass(frozen=True)
class GatedStudy:
    """A gated study: for each panel the cohort object and the table of cuts behind it.

    Attributes
    ----------
    inputs
        Sample -> SHA-256 of its file, None where that could not be opened.
    densities
        Panel -> sample -> population -> what its gate looks at, binned for review; empty if not asked for.
    """

    cohorts: Mapping[str, AnnData]
    cuts: Mapping[str, pl.DataFrame]
    failures: tuple[Failure, ...]
    inputs: Mapping[str, str | None]
    densities: Mapping[str, Mapping[str, Mapping[str, Density]]] = field(default_factory=dict)

    @property
    def mod(self) -> Mapping[str, AnnData]:
        """The cohorts by the name that MuData gives them, so that `get` takes a whole study."""
        return self.cohorts

    @property
    def adata(self) -> AnnData:
        """The cohort object of a study with one panel."""
        (adata,) = self.cohorts.values()
        return adata


def read_gates(study: Study | str | Path) -> Gates:
    """Read the templates and overrides of a study, given or named by its path.

    Raises
    ------
    TemplateError, StudyError
        With every problem of a template, or of the overrides.
    """
    study = study_of(study, "read_gates")
    paths = {panel: find_template(about.template, relative_to=study.folder) for panel, about in study.panels.items()}
    templates = {panel: read_template(path) for panel, path in paths.items()}
    overrides: tuple[Override, ...] = ()
    if study.overrides is not None:
        of_sample = {sample: templates[panel] for sample, panel in study.sheet.select("sample", "panel").iter_rows()}
        overrides = read_overrides(study.path(study.overrides), of_sample)
    return Gates(templates, {panel: path.read_text(encoding="utf-8") for panel, path in paths.items()}, overrides)


def gate_study(
    study: Study | str | Path,
    *,
    gates: Gates | None = None,
    workers: int | None = None,
    dask: str | None = None,
    cache: Cache | None = None,
    progress: Progress | None = None,
    events_dir: Path | None = None,
    densities: bool = False,
    level: GroupLevel | None = None,
) -> GatedStudy:
    """Gate every file of a study.

    Parameters
    ----------
    study
        From :func:`il2cyto.io.read_study`, or the path of ``study.yaml``.
    gates
        Its templates and overrides, from :func:`read_gates`, which is called if None.
    workers
        Threads, or processes with ``dask="local"``; as many as there are cores if None.
    dask
        Address of a Dask scheduler, or ``local`` for processes on this machine; threads if None.
    cache
        From :func:`il2cyto.batch.open_cache`: keeps what was found in each file, so that a later call does not do it again.
        Memory if None, which a cluster cannot use.
    progress
        Called with stage, files done and files in all.
    events_dir
        Where to write each file's events with their gates, ``<sample>.h5ad``; not written if None.
    densities
        Keep what each gate looks at, binned for review.
    level
        Adapt every cut at this level in place of the template's: ``sample``, ``batch``, ``study``.

    Returns
    -------
    Cohort objects and tables of cuts by panel. A file that cannot be read is a row in ``failures``; a panel none of whose files
    can be read has no cohort.

    Raises
    ------
    TemplateError
        If a panel's template is not valid.
    StudyError
        There is no sample to gate: all files are controls.
    GatingError
        None of the files could be gated; each is named.

    Examples
    --------
    >>> from il2cyto import cohort, datasets, io
    >>> study = io.read_study(datasets.sample_data_path() / "study.yaml")
    >>> cohort.gate_study(study).adata.layers["counts"].shape[0] == study.sheet.height
    True
    """
    study = study_of(study, "gate_study")
    gates = gates or read_gates(study)
    batches: dict[str, GatedBatch] = {}
    with open_backend(workers, dask) as backend:
        for panel, template in gates.templates.items():
            jobs = _all_jobs(study, panel, template)
            if jobs:
                batches[panel] = gate_files(
                    jobs,
                    template,
                    aliases=study.marker_aliases,
                    backend=backend,
                    cache=cache,
                    progress=progress,
                    overrides=gates.overrides_of(jobs),
                    events=events_dir,
                    densities=densities,
                    level=level,
                )
    _require_results(study, batches)
    cohorts = {
        panel: build_cohort(batch, study, _rows(study, panel), panel=panel, source=gates.sources[panel])
        for panel, batch in batches.items()
        if batch.results
    }
    inputs: dict[str, str | None] = {}
    for panel, batch in batches.items():
        inputs |= dict.fromkeys(_rows(study, panel)["sample"]) | {
            fact.sample: fact.sha256 for fact in batch.facts.values()
        }
    failures = tuple(failure for batch in batches.values() for failure in batch.failures)
    cuts = {panel: batches[panel].cuts for panel in cohorts}
    binned = {panel: {result.sample: result.densities for result in batches[panel].results} for panel in cohorts}
    return GatedStudy(cohorts, cuts, failures, inputs, binned if densities else {})


def _require_results(study: Study, batches: Mapping[str, GatedBatch]) -> None:
    """Refuse what would be a table without a row."""
    if not batches:
        msg = (
            f"{study.samples.name}: no sample to gate: all {study.sheet.height} files are controls (column role); add the stained "
            "tubes, or leave their role blank"
        )
        raise StudyError(msg)
    failures = [failure for batch in batches.values() for failure in batch.failures]
    if not any(batch.results for batch in batches.values()):
        more = [f"and {len(failures) - MOST_NAMED} more; il2cyto check lists all"] if len(failures) > MOST_NAMED else []
        said = [failure.message for failure in failures[:MOST_NAMED]]
        msg = "\n".join([f"none of the {len(failures)} files could be gated:", *said, *more])
        raise GatingError(msg)


def rehearse_study(
    study: Study, gates: Gates, cache: Cache, *, events_dir: Path | None = None, densities: bool = False
) -> dict[str, tuple[str, tuple[Job, ...]]]:
    """Find out what :func:`gate_study` would have to do: for each panel the first step that is not done, and its files.

    Parameters
    ----------
    study, gates, cache, events_dir, densities
        As for :func:`gate_study`.

    Returns
    -------
    Panel -> step and its jobs; no jobs where all is done.
    """
    return {
        panel: rehearse_files(
            jobs,
            template,
            cache=cache,
            aliases=study.marker_aliases,
            overrides=gates.overrides_of(jobs),
            events=events_dir,
            densities=densities,
        )
        for panel, template in gates.templates.items()
        if (jobs := _all_jobs(study, panel, template))
    }


def _rows(study: Study, panel: str) -> pl.DataFrame:
    """The panel's rows of the sample sheet; FMO and compensation tubes have no frequencies of their own."""
    return study.sheet.filter((pl.col("panel") == panel) & (pl.col("role") == "sample"))


def _all_jobs(study: Study, panel: str, template: GatingTemplate) -> list[Job]:
    """Samples of a panel, and the FMO controls that its template asks for; nothing where the panel has no sample."""
    samples = _jobs(_rows(study, panel), study, template)
    return [*samples, *_control_jobs(study.sheet.filter(pl.col("panel") == panel), study, template)] if samples else []


def _jobs(rows: pl.DataFrame, study: Study, template: GatingTemplate) -> list[Job]:
    """One job a file; batch and subject are the sheet's columns that the template's grouping names."""
    batch, subject = template.grouping.batch, template.grouping.subject
    return [
        Job(row["sample"], study.source(row["file"]), row.get(batch), row.get(subject), control=row["control"])
        for row in rows.iter_rows(named=True)
    ]


def _control_jobs(tubes: pl.DataFrame, study: Study, template: GatingTemplate) -> list[Job]:
    """The FMO controls of markers for which the template asks; the role of such a tube is ``fmo:<marker>``."""
    wanted = left_out_markers(template)
    markers = {role: role.removeprefix("fmo:").strip() for role in tubes["role"].unique() if role.startswith("fmo:")}
    markers = {role: _alias(marker, study) for role, marker in markers.items()}
    return [
        replace(job, fmo=markers[role])
        for role in sorted(markers)
        if markers[role].casefold() in wanted
        for job in _jobs(tubes.filter(pl.col("role") == role), study, template)
    ]


def _alias(marker: str, study: Study) -> str:
    folded = {label.casefold(): name for label, name in study.marker_aliases.items()}
    return folded.get(marker.casefold(), marker)

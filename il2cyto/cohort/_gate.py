"""Gate a study: panel by panel, with its overrides, into cohort objects."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import polars as pl

from il2cyto.batch import Job, gate_files
from il2cyto.cohort._build import build_cohort
from il2cyto.gt._controls import left_out_markers
from il2cyto.io import find_template, read_overrides, read_template, write_events

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from anndata import AnnData

    from il2cyto.batch import Failure, Progress
    from il2cyto.gt import Density, GateResult
    from il2cyto.study import Study
    from il2cyto.template import GatingTemplate, Override


@dataclass(frozen=True)
class GatedStudy:
    """A gated study: for each panel the cohort object and the table of cuts behind it.

    `densities` is panel -> sample -> population -> what its gate looks at, binned for review; empty if not asked for.
    """

    cohorts: Mapping[str, AnnData]
    cuts: Mapping[str, pl.DataFrame]
    failures: tuple[Failure, ...]
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


def gate_study(
    study: Study,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    events_dir: Path | None = None,
    densities: bool = False,
) -> GatedStudy:
    """Gate every file of a study.

    Parameters
    ----------
    study
        From :func:`il2cyto.io.read_study`.
    workers
        Threads; as many as there are cores if None.
    progress
        Called with stage, files done and files in all.
    events_dir
        Where to write each file's events with their gates, ``<sample>.h5ad``; not written if None.
    densities
        Keep what each gate looks at, binned for review.

    Returns
    -------
    Cohort objects and tables of cuts by panel. A file that cannot be read is a row in ``failures``.

    Raises
    ------
    TemplateError
        If a panel's template is not valid.

    Examples
    --------
    >>> from il2cyto import cohort, datasets, io
    >>> study = io.read_study(datasets.sample_data_path() / "study.yaml")
    >>> cohort.gate_study(study).adata.layers["counts"].shape[0] == study.sheet.height
    True
    """
    cohorts: dict[str, AnnData] = {}
    cuts: dict[str, pl.DataFrame] = {}
    binned: dict[str, dict[str, Mapping[str, Density]]] = {}
    failures: list[Failure] = []
    overrides = _overrides(study)
    for panel in study.panels:
        # FMO and compensation tubes have no frequencies of their own.
        tubes = study.sheet.filter(pl.col("panel") == panel)
        rows = tubes.filter(pl.col("role") == "sample")
        if not rows.height:
            continue
        path = find_template(study.panels[panel].template, relative_to=study.folder)
        template, source = read_template(path), path.read_text(encoding="utf-8")

        def keep_events(job: Job, result: GateResult, template: GatingTemplate = template) -> None:
            if events_dir is not None:
                target = events_dir / f"{job.sample}.h5ad"
                write_events(
                    job.path, target, sample=job.sample, batch=job.batch, template=template, masks=result.masks
                )

        batch = gate_files(
            [*_jobs(rows, study, template), *_control_jobs(tubes, study, template)],
            template,
            aliases=study.marker_aliases,
            workers=workers,
            progress=progress,
            overrides=[override for override in overrides if override.sample in set(rows["sample"])],
            on_gated=None if events_dir is None else keep_events,
            densities=densities,
        )
        cohorts[panel] = build_cohort(batch, study, rows, panel=panel, source=source)
        cuts[panel] = batch.cuts
        if densities:
            binned[panel] = {result.sample: result.densities for result in batch.results}
        failures.extend(batch.failures)
    return GatedStudy(cohorts, cuts, tuple(failures), binned)


def _overrides(study: Study) -> tuple[Override, ...]:
    if study.overrides is None:
        return ()
    templates = {
        panel: read_template(about.template, relative_to=study.folder) for panel, about in study.panels.items()
    }
    of_sample = {sample: templates[panel] for sample, panel in study.sheet.select("sample", "panel").iter_rows()}
    return read_overrides(study.path(study.overrides), of_sample)


def _jobs(rows: pl.DataFrame, study: Study, template: GatingTemplate) -> list[Job]:
    """One job a file; batch and subject are the sheet's columns that the template's grouping names."""
    batch, subject = template.grouping.batch, template.grouping.subject
    return [
        Job(row["sample"], study.path(row["file"]), batch=row.get(batch), subject=row.get(subject))
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

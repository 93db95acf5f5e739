"""A study in, a folder of results out: what the command line does, for programmers too."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from il2cyto import get
from il2cyto.batch import failures_frame, open_cache
from il2cyto.cohort import add_blood_counts, gate_study, read_gates, rehearse_study
from il2cyto.io import read_clinical, read_run_record, read_study, write_anndata, write_csv, write_densities
from il2cyto.provenance import record_gating, record_outputs, record_run, why
from il2cyto.sensitivity import TEMPLATE, gate_at_levels, gating_sensitivity, require_arms
from il2cyto.tl import control_cv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from anndata import AnnData

    from il2cyto.batch import Failure, Progress
    from il2cyto.cohort import GatedStudy

FREQUENCY_COLUMNS = (
    *("sample", "subject", "visit", "arm", "panel", "population", "parent", "count", "parent_count"),
    *("frequency", "ci_low", "ci_high", "flags"),
)


@dataclass(frozen=True)
class Output:
    """What a run left in its folder.

    Attributes
    ----------
    cohorts
        Cohort object by panel.
    failures
        Files without results.
    files
        Every file that was written, in the order of writing.
    """

    folder: Path
    cohorts: Mapping[str, AnnData]
    failures: tuple[Failure, ...]
    files: tuple[Path, ...]


def gate(
    study: str | Path,
    out: str | Path,
    *,
    events: bool = False,
    densities: bool = True,
    workers: int | None = None,
    dask: str | None = None,
    shards: str | None = None,
    progress: Progress | None = None,
) -> Output:
    """Gate a study's files and write the results.

    What was found in each file is kept in ``shards/``: after a run that was killed the same call goes on where it stopped, and
    only what changed is gated again. See docs/runs.md.

    Parameters
    ----------
    study
        Path of ``study.yaml``.
    out
        Folder for the results; made if missing, files of the same name are replaced.
    events
        Also write each file's events with their gates, ``events/<sample>.h5ad``.
    densities
        Also write what each gate looks at, binned for review, ``densities.npz`` (with several panels ``densities-<panel>.npz``).
    workers
        Threads, or processes with ``dask="local"``; as many as there are cores if None. Their number changes no result.
    dask
        Address of a Dask scheduler, its scheduler file, or ``local`` for processes on this machine; threads if None.
    shards
        URL for what was found in each file, such as ``s3://bucket/trial``; ``<out>/shards`` if None. The workers of a cluster must
        see it.
    progress
        Called with stage, files done and files in all.

    Returns
    -------
    What was written: ``results.h5ad`` and ``densities.npz`` (with several panels ``results-<panel>.h5ad`` and
    ``densities-<panel>.npz``), ``tables/frequencies.csv``, ``tables/cuts.csv`` and ``tables/failures.csv``. ``run.jsonl``
    records the run.

    Raises
    ------
    StudyError, TemplateError
        With every problem of the study or template. Nothing has been written then.
    RunError
        If another run is writing to the folder.
    """
    settings = {"events": events, "densities": densities}
    return _run(study, out, settings, workers=workers, dask=dask, shards=shards, progress=progress)


def run(
    study: str | Path,
    out: str | Path,
    *,
    events: bool = False,
    densities: bool = True,
    sensitivity: bool = False,
    workers: int | None = None,
    dask: str | None = None,
    shards: str | None = None,
    progress: Progress | None = None,
) -> Output:
    """Gate a study, analyse it, and write tables, figures and the report.

    Parameters, result and errors are those of :func:`gate`. What is added is listed in :func:`il2cyto.conclude.conclude`. The clinical
    tables are read first: a study with a fault in them is refused before any file is gated. With `sensitivity` the study is
    also gated with every cut at the levels sample, batch and study, and ``tables/gating_sensitivity.csv`` contrasts the arms
    under each, see :func:`il2cyto.sensitivity.gating_sensitivity`.
    """
    from il2cyto.conclude import conclude

    about = read_study(study)
    data = None if about.subjects is None and about.clinical is None else read_clinical(about)
    settings = {"events": events, "densities": densities, "sensitivity": sensitivity}

    def more(output: Output) -> Iterator[Path]:
        return conclude(output.folder, output.cohorts, about, data, workers=workers)

    return _run(study, out, settings, workers=workers, dask=dask, shards=shards, progress=progress, more=more)


def rehearse(
    study: str | Path, out: str | Path, *, events: bool = False, densities: bool = True, shards: str | None = None
) -> pl.DataFrame:
    """Say what :func:`gate` would have to do, and why, without reading events or writing anything.

    Parameters
    ----------
    study, out, events, densities, shards
        As for :func:`gate`.

    Returns
    -------
    One row per file of the first step that is not done: panel, step, sample, file, why. Later steps are not listed: which files
    they concern depends on the cuts. No rows if all is done.
    """
    out, about = Path(out), read_study(study)
    gates, cache, last = read_gates(about), open_cache(out / "shards", shards), read_run_record(out)
    events_dir = out / "events" if events else None
    planned = rehearse_study(about, gates, cache, events_dir=events_dir, densities=densities)
    rows = [
        (panel, step, job.sample, job.file, why(last, gates, panel, step, job.sample, known=cache.knows(job)))
        for panel, (step, jobs) in planned.items()
        for job in jobs
    ]
    columns = ("panel", "step", "sample", "file", "why")
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")


def _run(
    study: str | Path,
    out: str | Path,
    settings: Mapping[str, bool],
    *,
    workers: int | None,
    dask: str | None,
    shards: str | None,
    progress: Progress | None,
    more: Callable[[Output], Iterable[Path]] | None = None,
) -> Output:
    """Gate, write, and write what `more` makes of it, all of it on record."""
    study, out = Path(study), Path(out)
    about = read_study(study)
    gates = read_gates(about)
    visits = read_clinical(about).visits if about.clinical is not None else None
    if settings.get("sensitivity"):
        require_arms(about)
    file = study / "study.yaml" if study.is_dir() else study
    command = "gate" if more is None else "run"
    with record_run(about, gates, out, file=file, command=command, settings=settings) as record:
        cache = open_cache(out / "shards", shards)
        gated = gate_study(
            about,
            gates=gates,
            workers=workers,
            dask=dask,
            cache=cache,
            progress=progress,
            events_dir=out / "events" if settings["events"] else None,
            densities=settings["densities"],
        )
        if visits is not None:
            counted = {panel: add_blood_counts(adata, visits) for panel, adata in gated.cohorts.items()}
            gated = replace(gated, cohorts=counted)
        record_gating(record, about, gated)
        _remove_events(out / "events", about.sheet["sample"])
        output = Output(out, gated.cohorts, gated.failures, tuple(_write(gated, out)))
        files = output.files
        if settings.get("sensitivity"):
            others = gate_at_levels(about, gates, cache=cache, workers=workers, dask=dask, progress=progress)
            levels = {TEMPLATE: gated, **others}
            table = gating_sensitivity(levels, baseline=str(about.baseline_visit), control=about.arms[0])
            files = (*files, write_csv(table, out / "tables" / "gating_sensitivity.csv"))
        # The cohort object is written again where clinical columns join it; the report comes last and shows every table.
        files = tuple(dict.fromkeys((*files, *(more(output) if more is not None else ()))))
        record_outputs(record, out, files)
    return replace(output, files=(*files, out / "events") if settings["events"] else files)


def _write(gated: GatedStudy, out: Path) -> Iterator[Path]:
    suffix = {panel: "" if len(gated.cohorts) == 1 else f"-{panel}" for panel in gated.cohorts}
    with ThreadPoolExecutor(1) as aside:  # compressing takes as long as all else, and needs no lock
        archives = [
            aside.submit(write_densities, out / f"densities{suffix[panel]}.npz", densities)
            for panel, densities in gated.densities.items()
        ]
        for panel, adata in gated.cohorts.items():
            yield write_anndata(adata, out / f"results{suffix[panel]}.h5ad")
        frequencies = get.frequencies(gated).select(FREQUENCY_COLUMNS)
        cuts = pl.concat([table.insert_column(0, pl.lit(panel).alias("panel")) for panel, table in gated.cuts.items()])
        tables = out / "tables"
        yield write_csv(frequencies, tables / "frequencies.csv", whole=["count", "parent_count"])
        yield write_csv(_with_flag_names(cuts), tables / "cuts.csv")
        yield write_csv(failures_frame(gated.failures), tables / "failures.csv")
        yield write_csv(get.cut_drift(gated), tables / "cut_drift.csv")
        controls = pl.concat([_controls(adata) for adata in gated.cohorts.values()])
        if controls["control"].any():
            yield write_csv(control_cv(get.frequencies(gated), samples=controls), tables / "control_cv.csv")
        yield from (archive.result() for archive in archives)


def _controls(adata: AnnData) -> pl.DataFrame:
    """Which samples are bridging controls, and in which batch they ran."""
    facts = {"sample": list(adata.obs_names), "batch": adata.obs["batch"].astype(str), "control": adata.obs["control"]}
    return pl.DataFrame(
        {name: list(values) for name, values in facts.items()},
        {"sample": pl.String, "batch": pl.String, "control": pl.Boolean},
    )


def _remove_events(folder: Path, samples: pl.Series) -> None:
    """Remove the events of samples that are no longer in the study."""
    kept = set(samples)
    for path in folder.glob("*.h5ad"):
        if path.stem not in kept:
            path.unlink()


def summary(output: Output) -> pl.DataFrame:
    """One row per endpoint population: samples evaluated, median, lowest and highest fraction of the parent.

    `warned` counts the samples in which a flag of severity warn or fail stands on it; notices do not count.
    """
    frames = [_summary(adata) for adata in output.cohorts.values()]
    return pl.concat(frames, how="vertical_relaxed") if frames else pl.DataFrame()


def _summary(adata: AnnData) -> pl.DataFrame:
    rows = get.frequencies(adata, populations=list(adata.var_names[adata.var["role"] == "endpoint"]))
    serious = get.flags(adata).filter(pl.col("severity") != "info").select("sample", "population").unique()
    fraction = pl.col("frequency").fill_nan(None)
    return (
        rows.join(serious.with_columns(warned=True), on=["sample", "population"], maintain_order="left", how="left")
        .group_by("panel", "population", "parent", maintain_order=True)
        .agg(
            samples=pl.len(),
            evaluated=fraction.count(),
            median=fraction.median(),
            lowest=fraction.min(),
            highest=fraction.max(),
            warned=pl.col("warned").fill_null(value=False).sum(),
        )
    )


def _with_flag_names(cuts: pl.DataFrame) -> pl.DataFrame:
    from il2cyto.gt import flag_names

    names = {flags: flag_names(flags) for flags in cuts["flags"].unique()}
    return cuts.with_columns(pl.col("flags").replace_strict(names, return_dtype=pl.String))

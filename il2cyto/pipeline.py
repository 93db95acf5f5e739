"""A study in, a folder of results out: what the command line does, for programmers too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from il2cyto import get
from il2cyto.batch import failures_frame
from il2cyto.cohort import gate_study
from il2cyto.io import read_study, write_anndata, write_csv, write_densities
from il2cyto.tl import summarise_dynamics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData

    from il2cyto.batch import Failure, Progress

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
    progress: Progress | None = None,
) -> Output:
    """Gate a study's files and write the results.

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
        Threads; as many as there are cores if None.
    progress
        Called with stage, files done and files in all.

    Returns
    -------
    What was written: ``results.h5ad`` and ``densities.npz`` (with several panels ``results-<panel>.h5ad`` and
    ``densities-<panel>.npz``), ``tables/frequencies.csv``, ``tables/cuts.csv`` and ``tables/failures.csv``.

    Raises
    ------
    StudyError, TemplateError
        With every problem of the study or template. Nothing has been written then.
    """
    out = Path(out)
    gated = gate_study(
        read_study(study),
        workers=workers,
        progress=progress,
        events_dir=out / "events" if events else None,
        densities=densities,
    )
    suffix = {panel: "" if len(gated.cohorts) == 1 else f"-{panel}" for panel in gated.cohorts}
    files = [write_anndata(adata, out / f"results{suffix[panel]}.h5ad") for panel, adata in gated.cohorts.items()]
    files += [write_densities(out / f"densities{suffix[panel]}.npz", own) for panel, own in gated.densities.items()]
    frequencies = get.frequencies(gated).select(FREQUENCY_COLUMNS)
    cuts = pl.concat([table.insert_column(0, pl.lit(panel).alias("panel")) for panel, table in gated.cuts.items()])
    tables = out / "tables"
    files += [
        write_csv(frequencies, tables / "frequencies.csv", whole=["count", "parent_count"]),
        write_csv(_with_flag_names(cuts), tables / "cuts.csv"),
        write_csv(failures_frame(gated.failures), tables / "failures.csv"),
    ]
    if events:
        files.append(out / "events")
    return Output(out, gated.cohorts, gated.failures, tuple(files))


def run(
    study: str | Path,
    out: str | Path,
    *,
    events: bool = False,
    densities: bool = True,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Output:
    """Gate a study and add the summary tables and pictures.

    Parameters, result and errors are those of :func:`gate`. Beside its files there are ``tables/dynamics.csv`` and
    ``figures/dynamics.{svg,pdf,png}``: the populations by arm over the visits, for each panel that has endpoints.
    """
    from il2cyto.pl import dynamics, save_figure

    output = gate(study, out, events=events, densities=densities, workers=workers, progress=progress)
    files, figures = list(output.files), output.folder / "figures"
    for panel, adata in output.cohorts.items():
        if not adata.n_obs or not (adata.var["role"] == "endpoint").any():
            continue
        suffix = "" if len(output.cohorts) == 1 else f"-{panel}"
        files.append(write_csv(summarise_dynamics(adata), output.folder / "tables" / f"dynamics{suffix}.csv"))
        figure = dynamics(adata)
        files += [save_figure(figure, figures / f"dynamics{suffix}.{kind}") for kind in ("svg", "pdf", "png")]
    return Output(output.folder, output.cohorts, output.failures, tuple(files))


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
        rows.join(serious.with_columns(warned=True), on=["sample", "population"], how="left")
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

    return cuts.with_columns(pl.col("flags").map_elements(flag_names, return_dtype=pl.String))

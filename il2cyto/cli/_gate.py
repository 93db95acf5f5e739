"""Commands that gate a study."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from il2cyto.cli._options import (
    DaskOption,
    DryRunOption,
    EventsOption,
    OutOption,
    ShardsOption,
    StudyArgument,
    WorkersOption,
)
from il2cyto.cli._terminal import close, print_rehearsal, progress_bar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from il2cyto.pipeline import Output


def gate(
    study: StudyArgument,
    out: OutOption,
    events: EventsOption = False,
    workers: WorkersOption = None,
    dask: DaskOption = None,
    shards: ShardsOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Gate the files of a study: results.h5ad and tables of frequencies and cuts.

    Example: il2cyto gate trial/study.yaml --out results
    """
    from il2cyto import pipeline

    command = partial(pipeline.gate, workers=workers, dask=dask)
    _carry_out(command, study, out, events=events, shards=shards, dry_run=dry_run)


def run(
    study: StudyArgument,
    out: OutOption,
    events: EventsOption = False,
    sensitivity: Annotated[
        bool, typer.Option("--sensitivity", help="Also contrast the arms with cuts at other levels.")
    ] = False,
    workers: WorkersOption = None,
    dask: DaskOption = None,
    shards: ShardsOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Gate a study and analyse it: tables, figures, methods and report.html.

    Example: il2cyto run trial/study.yaml --out results
    """
    from il2cyto import pipeline

    command = partial(pipeline.run, sensitivity=sensitivity, workers=workers, dask=dask)
    _carry_out(command, study, out, events=events, shards=shards, dry_run=dry_run)


def _carry_out(
    command: Callable[..., Output], study: Path, out: Path, *, events: bool, shards: str | None, dry_run: bool
) -> None:
    from il2cyto import pipeline

    if dry_run:
        print_rehearsal(pipeline.rehearse(study, out, events=events, shards=shards))
        return
    with progress_bar() as progress:
        output = command(study, out, events=events, shards=shards, progress=progress)
    close(output)

"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

StudyArgument = Annotated[Path, typer.Argument(help="The study file, study.yaml.", show_default=False)]
OutOption = Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.", show_default=False)]
EventsOption = Annotated[bool, typer.Option("--events", help="Also write each file's events with their gates.")]
WorkersOption = Annotated[int | None, typer.Option("--workers", "-j", min=1, help="Threads; default: one per core.")]
DaskOption = Annotated[
    str | None,
    typer.Option("--dask", help="A Dask scheduler's address or file, or 'local' for processes on this machine."),
]
ShardsOption = Annotated[
    str | None, typer.Option("--shards", help="URL for the shards, such as s3://bucket/trial; default: OUT/shards.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", "-n", help="Only list what would be gated, and why.")]

"""Commands that need no data of one's own: the published trial, and simulated ones."""

from __future__ import annotations

from typing import Annotated

import typer

from il2cyto.cli._options import OutOption, WorkersOption
from il2cyto.cli._terminal import close, progress_bar


def published() -> None:
    """Recompute what He et al. 2020 print, by every method, as CSV: statement, printed value, method, computed value, match.

    Example: il2cyto published > published.csv
    """
    from il2cyto.tl import published

    typer.echo(published().write_csv(), nl=False)


def simulate(
    out: OutOption,
    subjects: Annotated[int, typer.Option(min=2, help="Randomised subjects, half in each arm.")] = 60,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")] = 2020,
    events: Annotated[int, typer.Option(min=100, help="Events in each file.")] = 10_000,
    labels: Annotated[bool, typer.Option("--labels", help="Also keep the true population of every event.")] = False,
) -> None:
    """Simulate a trial: FCS files, sample sheet, clinical tables, and the truth beside them. No patient is in it.

    Example: il2cyto simulate --out trial --subjects 20 --seed 7
    """
    from il2cyto import datasets

    with progress_bar() as progress:
        study = datasets.simulate_trial(
            out,
            subjects=subjects,
            seed=seed,
            events=events,
            labels=labels,
            progress=lambda done, total: progress("simulate", done, total),
        )
    typer.echo(study)


def demo(
    out: OutOption,
    subjects: Annotated[int, typer.Option(min=2, help="Randomised subjects.")] = 60,
    workers: WorkersOption = None,
) -> None:
    """Simulate a trial of 60 subjects and run il2cyto on it.

    Example: il2cyto demo --out demo
    """
    from il2cyto import datasets, pipeline
    from il2cyto.conclude import headlines

    with progress_bar() as progress:
        study = datasets.simulate_trial(
            out / "trial", subjects=subjects, progress=lambda done, total: progress("simulate", done, total)
        )
        output = pipeline.run(study, out, workers=workers, progress=progress)
    typer.echo(f"Simulated trial (no patient is in it): {study}", err=True)
    for line in headlines(out):
        typer.echo(f"simulated: {line}", err=True)
    close(output)

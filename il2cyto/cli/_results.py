"""Commands for what a run has left: analyse it, verify it, report it, export it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from il2cyto.cli._options import WorkersOption
from il2cyto.cli._terminal import SOME_FAILED


def analyse(
    folder: Annotated[
        Path | None, typer.Argument(help="A folder that run or gate has written.", show_default=False)
    ] = None,
    frequencies: Annotated[
        Path | None,
        typer.Option(help="Instead: a sheet with subject, visit, population, count, parent_count or frequency."),
    ] = None,
    study: Annotated[
        Path | None, typer.Option(help="The study file; default: what run has kept in the folder.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the results of --frequencies.")] = None,
    control: Annotated[str | None, typer.Option(help="The control arm, for --frequencies without --study.")] = None,
    primary: Annotated[str | None, typer.Option(help="The primary visit, for --frequencies without --study.")] = None,
    workers: WorkersOption = None,
) -> None:
    """Analyse a trial: models, endpoints, safety, as tables, figures and methods.

    Examples: il2cyto analyse results; il2cyto analyse --frequencies trial.csv --study study.yaml --out results
    """
    from il2cyto.conclude import analyse_folder, analyse_frequencies

    if (folder is None) == (frequencies is None):
        msg = "give one of a folder of results, or --frequencies with --out"
        raise typer.BadParameter(msg)
    if frequencies is not None:
        if out is None:
            msg = "--frequencies needs --out, the folder for the results"
            raise typer.BadParameter(msg)
        files = analyse_frequencies(frequencies, out, study=study, control=control, primary=primary, workers=workers)
    elif folder is not None:
        if out is not None or control is not None or primary is not None:
            msg = "--out, --control and --primary belong to --frequencies; a folder's results stay in it"
            raise typer.BadParameter(msg)
        files = analyse_folder(folder, study=study, workers=workers)
    for path in files:
        typer.echo(path)


def verify(
    folder: Annotated[Path, typer.Argument(help="A folder that gate or run has written.", show_default=False)],
) -> None:
    """Check a folder of results against its run record: that the record is whole, and the results are as it says.

    Prints the head of the record; note it elsewhere, and you can tell later that no line was cut off.

    Example: il2cyto verify results
    """
    from il2cyto.io import verify_run

    found = verify_run(folder)
    typer.echo(f"head {found.head}")
    typer.echo(f"{found.lines} lines, {found.outputs} results, {len(found.problems)} problems", err=True)
    for problem in found.problems:
        typer.echo(problem, err=True)
    if found.problems:
        raise typer.Exit(SOME_FAILED)


def report(
    folder: Annotated[Path, typer.Argument(help="A folder of results.", show_default=False)],
) -> None:
    """Write report.html into a folder of results: everything on one page that opens without a network.

    Example: il2cyto report results
    """
    from il2cyto.report import write_report

    typer.echo(write_report(folder))


def export(
    results: Annotated[Path, typer.Argument(help="The folder that gate or run wrote.", show_default=False)],
    to: Annotated[
        list[str],
        typer.Option("--to", help="cdisc, flowjo, gatingml, immport, manifest, miflowcyt or prism; may be repeated."),
    ],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder; default: RESULTS/export/TARGET.")] = None,
    study: Annotated[Path | None, typer.Option(help="study.yaml, for study days, analysis sets and labels.")] = None,
    terms: Annotated[Path | None, typer.Option(help="For cdisc: CSV with names of further populations.")] = None,
) -> None:
    """Write results in another form, from the results alone; exit code 1 if CDISC's rules are broken.

    Example: il2cyto export results --to cdisc --to prism --study trial/study.yaml
    """
    from il2cyto import exchange

    broken = False
    for target in to:
        folder = out / target if out is not None and len(to) > 1 else out
        written = exchange.export(results, target, folder, study=study, terms=terms)  # type: ignore[arg-type]
        for path in written.files:
            typer.echo(path)
        for notice in written.notices:
            typer.echo(notice, err=True)
        broken = broken or (target == "cdisc" and bool(written.notices))
    if broken:
        raise typer.Exit(SOME_FAILED)

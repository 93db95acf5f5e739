"""Commands before a study is gated: draft it, check it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from il2cyto.cli._options import StudyArgument
from il2cyto.cli._terminal import SOME_FAILED, print_problems, progress_bar


def init(
    folder: Annotated[Path, typer.Argument(help="The folder with the FCS files.", show_default=False)],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the draft; default: FOLDER.")] = None,
    names: Annotated[
        str | None, typer.Option("--names", help="How file names are built, such as '{subject}_{visit}_{replicate}'.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a study.yaml and sheets that are there.")] = False,
) -> None:
    """Draft study.yaml, samples.csv and aliases.csv from the names and headers of the FCS files in a folder.

    Example: il2cyto init fcs
    """
    import shlex

    from il2cyto.drafting import draft_study, explain, write_draft

    draft = draft_study(folder, out=out, names=names)
    files = write_draft(draft, out or folder, force=force)
    for line in explain(draft):
        typer.echo(line, err=True)
    for path in files:
        typer.echo(path)
    study, results = (shlex.quote(str((out or folder) / name)) for name in ("study.yaml", "results"))
    typer.echo(f"\nNext:\n  il2cyto check {study}\n  il2cyto run {study} --out {results}", err=True)


def check(
    study: StudyArgument,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for check.csv, check_files.csv and check.html.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    no_hash: Annotated[bool, typer.Option("--no-hash", help="Do not read files through to find copies.")] = False,
    events: Annotated[
        bool, typer.Option("--events", help="Look at some thousand events of each file as well.")
    ] = False,
    labels: Annotated[
        bool, typer.Option("--labels", help="Quote labels that name no marker; they may name a person.")
    ] = False,
) -> None:
    """Look for problems in a study before it is gated: files, panels, sheet, compensation, batches.

    Headers are read first, all problems are reported at once. Exit code 1 where there are errors.

    Example: il2cyto check trial/study.yaml --events --out check
    """
    from il2cyto import checks
    from il2cyto.io import read_study

    described = read_study(study)
    with progress_bar() as progress:
        inventory = checks.check_study(described, hashes=not no_hash, events=events, labels=labels, progress=progress)
    if as_json:
        typer.echo(checks.to_json(inventory, described))
    else:
        print_problems(inventory.problems)
    for path in checks.write_check(inventory, described, out) if out is not None else ():
        typer.echo(path, err=True)
    typer.echo(f"{inventory.files.height} files, {inventory.problems.height} findings", err=True)
    if inventory.n_errors:
        raise typer.Exit(SOME_FAILED)

"""The commands in the order of the help."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from il2cyto import __version__
from il2cyto.cli._examples import demo, published, simulate
from il2cyto.cli._gate import gate, run
from il2cyto.cli._results import analyse, export, report, verify
from il2cyto.cli._study import check, init
from il2cyto.cli._templates import (
    check_template,
    explain_cuts,
    export_template,
    import_template,
    list_templates,
    show_template,
)
from il2cyto.cli._terminal import INTERRUPTED, USAGE
from il2cyto.errors import Il2cytoError

#: What the system says of a path -> what a person can do about it.
_REMEDIES: Final = {
    FileExistsError: ". Name a folder.",
    NotADirectoryError: ". Name a folder.",
    FileNotFoundError: ". Check the path, and that its folder is there.",
    PermissionError: ". Ask who owns it, or name another folder with --out.",
}

app = typer.Typer(
    name="il2cyto",
    help="From a trial's FCS files to immune-cell frequencies compared across visits and arms.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (init, check, gate, run, analyse, verify, report, published, simulate, demo, export):
    app.command()(command)

templates = typer.Typer(help="List, show and check gating templates.", no_args_is_help=True, rich_markup_mode=None)
templates.command("list")(list_templates)
templates.command("show")(show_template)
templates.command("check")(check_template)
templates.command("explain")(explain_cuts)
templates.command("import")(import_template)
templates.command("export")(export_template)
app.add_typer(templates, name="templates")


def main() -> None:
    """Run the command line; a problem of the study, a template or the output folder is one message and exit code 2."""
    try:
        app()
    except Il2cytoError as error:
        typer.echo(f"il2cyto: {error}", err=True)
    except OSError as error:
        named = Path(str(error.filename or "")).name
        what = error.strerror or "cannot be read or written"
        what += _REMEDIES.get(type(error), "")
        typer.echo(f"il2cyto: {named + ': ' if named else ''}{what}", err=True)
    except SystemExit as stop:
        if stop.code == INTERRUPTED:
            typer.echo("il2cyto: stopped. Give the same command again: gate and run go on where they were.", err=True)
        raise
    else:
        return
    sys.exit(USAGE)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"il2cyto {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version

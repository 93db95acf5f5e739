"""What commands say on a terminal, and what they exit with."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import polars as pl

    from il2cyto.batch import Progress
    from il2cyto.pipeline import Output

SOME_FAILED, USAGE, INTERRUPTED = 1, 2, 130
#: Findings of one code that are listed one by one on the terminal.
MOST_OF_A_CODE = 5


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A progress bar on stderr where that is a terminal; silence elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description:>14}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        tasks: dict[str, int] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done, total=total)  # type: ignore[arg-type]

        yield report


def print_problems(problems: pl.DataFrame) -> None:
    """A line for each kind of finding, with the files that have it; on a terminal as a table.

    Of a code whose findings all differ, such as by a number, the first few are enough here.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    table = Table("", "code", "found", "where", "remedy", box=None, pad_edge=False)
    kinds = problems.group_by("severity", "code", "message", "remedy", maintain_order=True).agg("file")
    total, shown = kinds["code"].value_counts(), dict.fromkeys(kinds["code"], 0)
    of_code = dict(total.iter_rows())
    for severity, code, message, remedy, files in kinds.iter_rows():
        shown[code] += 1
        left = of_code[code] - MOST_OF_A_CODE
        if shown[code] > MOST_OF_A_CODE + 1 and left > 1:
            continue
        named = [file for file in files if file]
        where = ", ".join(named[:3]) + (f" and {len(named) - 3} more" if len(named) > 3 else "")
        if shown[code] == MOST_OF_A_CODE + 1 and left > 1:
            message, where, remedy = f"{left} more findings of this kind", "", "See them all with --json or --out."
        table.add_row(*map(escape, (severity, code, message, where, remedy)))
        if not console.is_terminal:
            sentence = f"{message}{'' if message.endswith('.') else '.'} {remedy}"
            typer.echo(f"{severity:<8}{code} {where + ': ' if where else ''}{sentence}")
    if console.is_terminal and table.row_count:
        console.print(table)


def print_rehearsal(rows: pl.DataFrame) -> None:
    """A line for each file of the first step that is not done."""
    for _, step, sample, file, why in rows.iter_rows():
        typer.echo(f"{step:<14} {sample}  {file}: {why}")
    typer.echo(f"{rows.height} files to gate" if rows.height else "nothing to gate", err=True)


def list_files(files: Sequence[Path]) -> None:
    """A line for each file, for programs; where a person reads, one for each folder below the first."""
    from rich.console import Console

    folders = Counter(path.parent for path in files)
    top = min(folders, key=lambda folder: len(folder.parts), default=None)
    short = Console().is_terminal
    for folder, n in folders.items():
        if short and folder != top:
            typer.echo(f"{folder}/  {n} files")
    for path in files:
        if not short or path.parent == top:
            typer.echo(path)


def close(output: Output) -> None:
    """Say what was written, what the populations look like, and, last, which files failed."""
    from rich.console import Console
    from rich.table import Table

    from il2cyto.pipeline import summary

    table = Table("population", "parent", "evaluated", "median %", "range %", "with warnings", box=None)
    for row in summary(output).iter_rows(named=True):
        found = row["evaluated"] > 0
        middle = f"{row['median']:.1%}".rstrip("%") if found else "-"
        spread = f"{row['lowest'] * 100:.1f}-{row['highest'] * 100:.1f}" if found else "-"
        evaluated = f"{row['evaluated']}/{row['samples']}"
        table.add_row(row["population"], row["parent"], evaluated, middle, spread, str(row["warned"]))
    list_files(output.files)
    Console(stderr=True).print(table)
    for failure in output.failures:
        typer.echo(f"failed: {failure.message}", err=True)
    if output.failures:
        raise typer.Exit(SOME_FAILED)

"""The command line: thin, and light until a command runs."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from il2cyto import __version__
from il2cyto.errors import Il2cytoError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import polars as pl

    from il2cyto.batch import Progress
    from il2cyto.pipeline import Output

SOME_FAILED, USAGE, INTERRUPTED = 1, 2, 130
#: Findings of one code that are listed one by one on the terminal.
MOST_OF_A_CODE = 5

app = typer.Typer(
    name="il2cyto",
    help="From a trial's FCS files to immune-cell frequencies compared across visits and arms.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
templates_app = typer.Typer(help="List, show and check gating templates.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(templates_app, name="templates")

StudyArgument = Annotated[Path, typer.Argument(help="The study file, study.yaml.", show_default=False)]
OutOption = Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.", show_default=False)]
WorkersOption = Annotated[int | None, typer.Option("--workers", "-j", min=1, help="Threads; default: one per core.")]
DaskOption = Annotated[
    str | None,
    typer.Option("--dask", help="A Dask scheduler's address or file, or 'local' for processes on this machine."),
]
ShardsOption = Annotated[
    str | None, typer.Option("--shards", help="URL for the shards, such as s3://bucket/trial; default: OUT/shards.")
]


def main() -> None:
    """Run the command line; a problem of the study, a template or the output folder is one message and exit code 2."""
    try:
        app()
    except Il2cytoError as error:
        typer.echo(f"il2cyto: {error}", err=True)
    except OSError as error:
        named = Path(str(error.filename or "")).name
        what = error.strerror or "cannot be read or written"
        what = f"{what}. Name a folder." if isinstance(error, FileExistsError | NotADirectoryError) else what
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


@app.command()
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


@app.command()
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
    with _progress() as progress:
        inventory = checks.check_study(described, hashes=not no_hash, events=events, labels=labels, progress=progress)
    if as_json:
        typer.echo(checks.to_json(inventory, described))
    else:
        _print_problems(inventory.problems)
    for path in checks.write_check(inventory, described, out) if out is not None else ():
        typer.echo(path, err=True)
    typer.echo(f"{inventory.files.height} files, {inventory.problems.height} findings", err=True)
    if inventory.n_errors:
        raise typer.Exit(SOME_FAILED)


@app.command()
def gate(
    study: StudyArgument,
    out: OutOption,
    events: Annotated[bool, typer.Option("--events", help="Also write each file's events with their gates.")] = False,
    workers: WorkersOption = None,
    dask: DaskOption = None,
    shards: ShardsOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only list what would be gated, and why.")] = False,
) -> None:
    """Gate the files of a study: results.h5ad and tables of frequencies and cuts.

    Example: il2cyto gate trial/study.yaml --out results
    """
    from il2cyto import pipeline

    if dry_run:
        _print_rehearsal(pipeline.rehearse(study, out, events=events, shards=shards))
        return
    with _progress() as progress:
        output = pipeline.gate(study, out, events=events, workers=workers, dask=dask, shards=shards, progress=progress)
    _close(output)


@app.command()
def run(
    study: StudyArgument,
    out: OutOption,
    events: Annotated[bool, typer.Option("--events", help="Also write each file's events with their gates.")] = False,
    sensitivity: Annotated[
        bool, typer.Option("--sensitivity", help="Also contrast the arms with cuts at other levels.")
    ] = False,
    workers: WorkersOption = None,
    dask: DaskOption = None,
    shards: ShardsOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only list what would be gated, and why.")] = False,
) -> None:
    """Gate a study and analyse it: tables, figures, methods and report.html.

    Example: il2cyto run trial/study.yaml --out results
    """
    from il2cyto import pipeline

    if dry_run:
        _print_rehearsal(pipeline.rehearse(study, out, events=events, shards=shards))
        return
    with _progress() as progress:
        output = pipeline.run(
            study,
            out,
            events=events,
            sensitivity=sensitivity,
            workers=workers,
            dask=dask,
            shards=shards,
            progress=progress,
        )
    _close(output)


@app.command()
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


@app.command()
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


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="A folder of results.", show_default=False)],
) -> None:
    """Write report.html into a folder of results: everything on one page that opens without a network.

    Example: il2cyto report results
    """
    from il2cyto.report import write_report

    typer.echo(write_report(folder))


@app.command()
def published() -> None:
    """Recompute what He et al. 2020 print, by every method, as CSV: statement, printed value, method, computed value, match.

    Example: il2cyto published > published.csv
    """
    from il2cyto.tl import published

    typer.echo(published().write_csv(), nl=False)


@app.command()
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

    with _progress() as progress:
        study = datasets.simulate_trial(
            out,
            subjects=subjects,
            seed=seed,
            events=events,
            labels=labels,
            progress=lambda done, total: progress("simulate", done, total),
        )
    typer.echo(study)


@app.command()
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

    with _progress() as progress:
        study = datasets.simulate_trial(
            out / "trial", subjects=subjects, progress=lambda done, total: progress("simulate", done, total)
        )
        output = pipeline.run(study, out, workers=workers, progress=progress)
    typer.echo(f"Simulated trial (no patient is in it): {study}", err=True)
    for line in headlines(out):
        typer.echo(f"simulated: {line}", err=True)
    _close(output)


@app.command()
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


@templates_app.command("list")
def list_templates() -> None:
    """List the templates that can be named in a study, a line each: name, version, description."""
    from il2cyto.io import read_template, template_folders

    for name in sorted(template_folders()):
        template = read_template(name)
        typer.echo(f"{name:<16} {template.version:<6} {template.description}")


@templates_app.command("show")
def show_template(name: Annotated[str, typer.Argument(help="A template's name, or the path of a YAML file.")]) -> None:
    """Draw a template's populations as a tree, each with its gate."""
    from il2cyto.io import read_template
    from il2cyto.template import GatingTemplate, Population

    template: GatingTemplate = read_template(name)
    typer.echo(f"{template.name} {template.version}: {template.description}")
    typer.echo(
        f"requires {', '.join(template.requires)}"
        + (f"; uses if present {', '.join(template.optional)}" if template.optional else "")
    )

    def describe(population: Population) -> str:
        gate = population.gate
        rule = population.where if gate is None else f"{gate.method} on {', '.join(gate.keys or gate.referred)}"
        return f"{population.name}{'' if population.report else ' (not reported)'}: {rule}"

    def draw(parent: str, indent: str) -> None:
        children = [p for p in template.populations if p.parent == parent]
        for child in children:
            last = child is children[-1]
            typer.echo(f"{indent}{'└─ ' if last else '├─ '}{describe(child)}")
            draw(child.name, indent + ("   " if last else "│  "))

    draw("root", "")


@templates_app.command("check")
def check_template(path: Annotated[str, typer.Argument(help="A template's name, or the path of a YAML file.")]) -> None:
    """Check a template: every problem with its line, exit code 2; or its digest."""
    from il2cyto.io import read_template

    template = read_template(path)
    typer.echo(
        f"{template.name} {template.version}: {len(template.populations)} populations, no problems, SHA-256 {template.digest}"
    )


@templates_app.command("explain")
def explain_cuts(
    source: Annotated[Path, typer.Argument(help="A folder of results, or a study.yaml, which is gated first.")],
    population: Annotated[str, typer.Option("--population", "-p", help="Whose cut.", show_default=False)],
    sample: Annotated[str | None, typer.Option("--sample", "-s", help="One sample; default: a line for each.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Draw it: a .svg, .pdf or .png.", show_default=False)] = None,
) -> None:
    """Say why a cut lies where it does: own cut and spread, group, the calculation, flags.

    Without a sample there is a line for each, and the one whose cut was moved farthest is told in full.

    Example: il2cyto templates explain results --population CD25pos --sample P01_W12 --picture why.svg
    """
    from il2cyto import explaining

    found = explaining.explain(source, population=population, sample=sample)
    if sample is None:
        for cut in found.cuts:
            typer.echo(cut.line)
    told = [found.most_moved] if sample is None else found.cuts
    typer.echo("\n\n".join(cut.text for cut in told))
    if picture is not None:
        from il2cyto.pl import explain_cut, save_figure

        typer.echo(save_figure(explain_cut(found.most_moved, simulated=found.simulated), picture), err=True)


@templates_app.command("import")
def import_template(
    file: Annotated[
        Path,
        typer.Argument(
            help="A Gating-ML 2.0 document, a FlowJo 10 workspace (.wsp) or an openCyto CSV.", show_default=False
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the templates.", show_default=False)],
    fcs: Annotated[Path | None, typer.Option(help="Folder with the FCS files, to compare counts.")] = None,
    compare: Annotated[Path | None, typer.Option(help="Table of stored counts beside il2cyto's, CSV.")] = None,
) -> None:
    """Turn the gates of another program into templates, and compare the counts it stored with il2cyto's.

    Example: il2cyto templates import trial.wsp --out gating --fcs fcs --compare counts.csv
    """
    from il2cyto import exchange

    if (fcs is None) != (compare is None):
        msg = "--fcs and --compare belong together: the folder to read, and the table to write"
        raise typer.BadParameter(msg)
    imported = exchange.import_templates(file, out)
    for path in imported.files:
        typer.echo(path)
    if imported.rows is not None:
        for line, alias, *_, converted, _, notes in imported.rows.iter_rows():
            typer.echo(
                f"line {line} {alias}: {'converted' if converted else 'NOT CONVERTED'}. {notes}".rstrip(), err=True
            )
        if not imported.templates:
            typer.echo("Write numbers and gates where the template says FILL_IN; it does not load before.", err=True)
    if fcs is not None and compare is not None:
        table = exchange.compare_counts(imported, fcs)
        typer.echo(exchange.write_comparison(table, compare))
        typer.echo(exchange.summarise_comparison(table), err=True)


@templates_app.command("export")
def export_template(
    source: Annotated[Path, typer.Argument(help="A folder of results, or a study.yaml, which is gated first.")],
    gatingml: Annotated[Path, typer.Option(help="Folder for the Gating-ML 2.0 documents.", show_default=False)],
) -> None:
    """Write the gates of a run, the final cuts of each sample in them, as Gating-ML 2.0: a document a sample.

    Example: il2cyto templates export results --gatingml gates
    """
    from il2cyto import exchange

    exported = exchange.export_gates(source, gatingml)
    for path in exported.files:
        typer.echo(path)
    for sample, names in exported.omitted.items():
        typer.echo(f"{sample}: without {', '.join(names)}", err=True)


@contextmanager
def _progress() -> Iterator[Progress]:
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


def _print_problems(problems: pl.DataFrame) -> None:
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


def _print_rehearsal(rows: pl.DataFrame) -> None:
    """A line for each file of the first step that is not done."""
    for _, step, sample, file, why in rows.iter_rows():
        typer.echo(f"{step:<14} {sample}  {file}: {why}")
    typer.echo(f"{rows.height} files to gate" if rows.height else "nothing to gate", err=True)


def _list_files(files: Sequence[Path]) -> None:
    """A line for each file, for programs; where a person reads, one for each folder of several files."""
    from rich.console import Console

    folders = Counter(path.parent for path in files)
    top = min(folders, key=lambda folder: len(folder.parts), default=None)
    if not Console().is_terminal:
        for path in files:
            typer.echo(path)
        return
    for folder, n in folders.items():
        if folder != top:
            typer.echo(f"{folder}/  {n} files")
    for path in files:
        if path.parent == top:
            typer.echo(path)


def _close(output: Output) -> None:
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
    console = Console(stderr=True)
    _list_files(output.files)
    console.print(table)
    for failure in output.failures:
        typer.echo(f"failed: {failure.message}", err=True)
    if output.failures:
        raise typer.Exit(SOME_FAILED)


if __name__ == "__main__":
    main()

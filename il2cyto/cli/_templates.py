"""The commands of ``il2cyto templates``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SourceArgument = Annotated[Path, typer.Argument(help="A folder of results, or a study.yaml, which is gated first.")]


def list_templates() -> None:
    """List the templates that can be named in a study, a line each: name, version, description."""
    from il2cyto.io import read_template, template_folders

    for name in sorted(template_folders()):
        template = read_template(name)
        typer.echo(f"{name:<16} {template.version:<6} {template.description}")


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


def check_template(path: Annotated[str, typer.Argument(help="A template's name, or the path of a YAML file.")]) -> None:
    """Check a template: every problem with its line, exit code 2; or its digest."""
    from il2cyto.io import read_template

    template = read_template(path)
    typer.echo(
        f"{template.name} {template.version}: {len(template.populations)} populations, no problems, SHA-256 {template.digest}"
    )


def explain_cuts(
    source: SourceArgument,
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


def export_template(
    source: SourceArgument,
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

"""Templates made from the gates of another program."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import polars as pl

from il2cyto.errors import TemplateError
from il2cyto.io import FlowJoSample, write_csv, write_template
from il2cyto.io._flowjo import parse_flowjo
from il2cyto.io._gatingml import parse_gatingml
from il2cyto.io._opencyto import read_opencyto
from il2cyto.io._strategy import plain_name
from il2cyto.io._templates import write_draft
from il2cyto.io._xml import GATING, read_xml
from il2cyto.template import GatingTemplate

ROW_SCHEMA: Final = {
    "line": pl.Int64,
    **dict.fromkeys(("alias", "pop", "gating_method"), pl.String),
    "converted": pl.Boolean,
    **dict.fromkeys(("populations", "notes"), pl.String),
}


@dataclass(frozen=True)
class Imported:
    """Templates made from one file of another program.

    Attributes
    ----------
    templates
        The different ones, each with a name of its own.
    samples
        For a workspace: its samples, each with the template it has; empty for Gating-ML, whose gates are for any sample.
    files
        What was written.
    rows
        For openCyto: line, alias, pop, method, whether it was converted, into which populations, notes.
    """

    templates: tuple[GatingTemplate, ...]
    samples: tuple[FlowJoSample, ...]
    files: tuple[Path, ...]
    rows: pl.DataFrame | None = None


def import_templates(file: str | Path, out: str | Path) -> Imported:
    """Make templates of a Gating-ML 2.0 document, a FlowJo 10 workspace or an openCyto CSV template.

    Parameters
    ----------
    file
        The document; which of the two it is, it says itself.
    out
        Folder: each template becomes ``<out>/<name>/template.yaml``; of a workspace there is also ``samples.csv``, the
        template of each sample; of a CSV ``rows.csv``, what became of each row. A CSV that leaves numbers or gates open
        becomes a file with ``FILL_IN`` in their places, which does not load until somebody has written them; it is then not
        among `templates`.

    Returns
    -------
    The templates, the samples of a workspace, and the files that were written.

    Raises
    ------
    TemplateError
        If the file is neither, is not safe to read, or holds what a template cannot say.
    """
    file, out = Path(file), Path(out)
    if file.suffix.lower() == ".csv":
        return _opencyto(file, out)
    root = read_xml(file)
    if root.tag == f"{{{GATING}}}Gating-ML":
        template = parse_gatingml(root, file=file.name)
        return Imported((template,), (), (write_template(template, out),))
    if root.tag != "Workspace":
        msg = f"{file.name}: neither a Gating-ML 2.0 document nor a FlowJo 10 workspace nor an openCyto CSV; export the gates as one of these"
        raise TemplateError(msg)
    samples = _named(parse_flowjo(root, file=file.name))
    templates = tuple({sample.template.name: sample.template for sample in samples}.values())
    files = [write_template(template, out) for template in templates]
    table = pl.DataFrame(
        [(sample.name, sample.template.name) for sample in samples],
        schema={"sample": pl.String, "template": pl.String},
        orient="row",
    )
    return Imported(templates, samples, (*files, write_csv(table, out / "samples.csv")))


def _opencyto(file: Path, out: Path) -> Imported:
    draft = read_opencyto(file)
    rows = pl.DataFrame(
        [
            (row.line, row.alias, row.pop, row.method, row.converted, ";".join(row.populations), "; ".join(row.notes))
            for row in draft.rows
        ],
        schema=ROW_SCHEMA,
        orient="row",
    )
    report = write_csv(rows, out / "rows.csv")
    if not draft.complete:
        return Imported((), (), (write_draft(draft.content, out), report), rows)
    template = GatingTemplate.model_validate(draft.content)
    return Imported((template,), (), (write_template(template, out), report), rows)


def _named(samples: tuple[FlowJoSample, ...]) -> tuple[FlowJoSample, ...]:
    """Samples of one template share its name; where there are several, each is named after its first sample."""
    if len({sample.template.digest for sample in samples}) == 1:
        return samples
    named: dict[str, GatingTemplate] = {}
    for sample in samples:
        digest = sample.template.digest
        if digest not in named:
            name = f"{sample.template.name}_{plain_name(Path(sample.name).stem)}"
            while any(name == template.name for template in named.values()):
                name += "_"
            # Not model_copy, which would carry the old digest along.
            content = sample.template.model_dump(by_alias=True, exclude_unset=True)
            named[digest] = GatingTemplate.model_validate({**content, "name": name})
    return tuple(replace(sample, template=named[sample.template.digest]) for sample in samples)

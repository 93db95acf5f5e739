"""Gates from and to other programs: import with a comparison of counts, export of what a run used."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from il2cyto import get
from il2cyto._keys import Obs, Obsm, Uns
from il2cyto.errors import FcsWarning, SchemaError, StudyError, TemplateError
from il2cyto.gt import Events, apply, make_plan
from il2cyto.gt._reconcile import CUT_SCHEMA
from il2cyto.io import (
    FlowJoSample,
    SampleChannel,
    open_fcs,
    read_anndata,
    read_study,
    write_csv,
    write_gatingml,
    write_template,
)
from il2cyto.io._flowjo import parse_flowjo
from il2cyto.io._gatingml import parse_gatingml
from il2cyto.io._strategy import plain_name
from il2cyto.io._xml import GATING, read_xml
from il2cyto.template import GatingTemplate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from anndata import AnnData


COMPARISON_SCHEMA = {"sample": pl.String, "population": pl.String, "stored_count": pl.Int64, "count": pl.Int64}


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
    """

    templates: tuple[GatingTemplate, ...]
    samples: tuple[FlowJoSample, ...]
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Exported:
    """Documents of a run, and by sample the populations that could not be written."""

    files: tuple[Path, ...]
    omitted: Mapping[str, tuple[str, ...]]


def import_templates(file: str | Path, out: str | Path) -> Imported:
    """Make templates of a Gating-ML 2.0 document or a FlowJo 10 workspace.

    Parameters
    ----------
    file
        The document; which of the two it is, it says itself.
    out
        Folder: each template becomes ``<out>/<name>/template.yaml``; of a workspace there is also ``samples.csv``, the
        template of each sample.

    Raises
    ------
    TemplateError
        If the file is neither, is not safe to read, or holds what a template cannot say.
    """
    file, out = Path(file), Path(out)
    root = read_xml(file)
    if root.tag == f"{{{GATING}}}Gating-ML":
        template = parse_gatingml(root, file=file.name)
        return Imported((template,), (), (write_template(template, out),))
    if root.tag != "Workspace":
        msg = (
            f"{file.name}: neither a Gating-ML 2.0 document nor a FlowJo 10 workspace; export the gates as one of these"
        )
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


def compare_counts(imported: Imported, fcs: str | Path) -> pl.DataFrame:
    """Count the imported gates in FCS files.

    Parameters
    ----------
    imported
        From :func:`import_templates`.
    fcs
        Folder with the files. Those of a workspace are found by the sample's name; gates of Gating-ML are applied to
        every ``.fcs`` there.

    Returns
    -------
    A row for every gate of every sample found: sample, population (full path), stored_count (null where none is stored),
    count (null where a channel is missing).

    Raises
    ------
    StudyError
        If the folder holds none of the files.
    """
    fcs = Path(fcs)
    rows: list[tuple[str, str, int | None, int | None]] = []
    for sample, path, template, stored in _found(imported, fcs):
        counts = _counts(path, template, sample)
        rows += [(sample, p.label, stored.get(p.name), counts[p.name]) for p in template.populations if p.label]
    if not rows:
        msg = f"{fcs.name}: no FCS file of the imported samples; name a folder with files called as in the source"
        raise StudyError(msg)
    return pl.DataFrame(rows, schema=COMPARISON_SCHEMA, orient="row")


def _found(imported: Imported, fcs: Path) -> Iterator[tuple[str, Path, GatingTemplate, Mapping[str, int]]]:
    files = {path.name: path for path in sorted(fcs.iterdir()) if path.suffix.lower() == ".fcs"}
    for sample in imported.samples:
        path = next((files[name] for name in sample.files if name in files), None)
        if path is not None:
            yield sample.name, path, sample.template, sample.stored
    if not imported.samples:
        for path in files.values():
            yield path.name, path, imported.templates[0], {}


def _counts(path: Path, template: GatingTemplate, sample: str) -> dict[str, int | None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FcsWarning)
        file = open_fcs(path)
        events = Events(file, make_plan(template, file.panel(), file=file.name))
        result = apply(events, pl.DataFrame(schema=CUT_SCHEMA), sample=sample)
    return {name: int(count) if count == count else None for name, count in result.counts.items()}


def write_comparison(table: pl.DataFrame, path: str | Path) -> Path:
    """Write :func:`compare_counts`' table as CSV."""
    return write_csv(table, path, whole=["stored_count", "count"])


def summarise_comparison(table: pl.DataFrame) -> str:
    """One sentence: how many gates have a stored count, and how many of these are within 5 events or 0.5 %."""
    stored = table.drop_nulls(["stored_count", "count"])
    off = (stored["count"] - stored["stored_count"]).abs()
    near = int(((off <= 5) | (off <= 0.005 * stored["stored_count"])).sum())
    largest = max(off.to_list(), default=0)
    return (
        f"{table['sample'].n_unique()} samples, {table.height} gates, {stored.height} with a stored count: "
        f"{int((off == 0).sum())} equal, {near} within 5 events or 0.5 %, largest difference {largest}"
    )


def export_gates(source: str | Path, out: str | Path) -> Exported:
    """Write the gates of a run as Gating-ML 2.0, the final cuts of each sample in them.

    Parameters
    ----------
    source
        A folder of results (``results.h5ad`` or ``results-<panel>.h5ad``), one such file, or a ``study.yaml``, which is
        gated first.
    out
        Folder: ``<sample>.xml``, with several panels ``<panel>/<sample>.xml``.

    Raises
    ------
    StudyError
        If the folder holds no results.
    SchemaError
        If an older il2cyto wrote them, without what an export needs.
    """
    cohorts = _cohorts(Path(source))
    files: list[Path] = []
    omitted: dict[str, tuple[str, ...]] = {}
    for panel, adata in cohorts.items():
        folder = Path(out) if len(cohorts) == 1 else Path(out) / panel
        for sample in [str(name) for name in adata.obs_names]:
            files.append(folder / f"{sample}.xml")
            left_out = _export(adata, sample, files[-1])
            if left_out:
                omitted[sample] = left_out
    return Exported(tuple(files), omitted)


def _cohorts(source: Path) -> dict[str, AnnData]:
    if source.suffix in (".yaml", ".yml"):
        from il2cyto.cohort import gate_study

        return dict(gate_study(read_study(source)).cohorts)
    paths = sorted(source.glob("results*.h5ad")) if source.is_dir() else [source]
    if not paths:
        msg = f"{source.name}: no results.h5ad; name the folder that `il2cyto gate` wrote, or a study.yaml"
        raise StudyError(msg)
    cohorts = {path.stem.partition("-")[2] or path.stem: read_anndata(path) for path in paths}
    for path, adata in zip(paths, cohorts.values(), strict=True):
        missing = [key for key in (Uns.CHANNELS, Uns.POLYGONS) if key not in adata.uns[Uns.IL2CYTO]]
        if missing:
            msg = f"{path.name}: no {' and '.join(missing)} in uns; an older il2cyto wrote it; gate the study again"
            raise SchemaError(msg)
    return cohorts


def _export(adata: AnnData, sample: str, path: Path) -> tuple[str, ...]:
    facts = adata.uns[Uns.IL2CYTO]
    final, about = adata.obsm[Obsm.CUTS].loc[sample], facts[Uns.CUTS]
    cuts: dict[str, dict[str, float]] = {}
    for name, population, coordinate in zip(about.index, about["population"], about["coordinate"], strict=True):
        cuts.setdefault(population, {})[coordinate] = float(final[name])
    channels = {}
    for row in facts[Uns.CHANNELS].itertuples():
        if not row.samples or sample in row.samples.split(";"):
            channels[row.marker] = SampleChannel(row.channel, float(row.range), row.detector)
    return write_gatingml(
        path,
        get.template(adata),
        channels=channels,
        compensated=adata.obs.loc[sample, Obs.COMPENSATION] == "acquisition",
        cuts=cuts,
        polygons=json.loads(facts[Uns.POLYGONS]).get(sample, {}),
    )

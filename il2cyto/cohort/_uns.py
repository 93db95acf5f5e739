"""What holds for the whole object, and the cuts and medians with their legends."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl

from il2cyto._keys import FREQUENCY_OF_PARENT, SCHEMA_VERSION, Obsm, Uns
from il2cyto.batch import failures_frame
from il2cyto.gt._flags import legend

if TYPE_CHECKING:
    from anndata import AnnData

    from il2cyto.batch import GatedBatch
    from il2cyto.study import Study
    from il2cyto.template import GatingTemplate


def study_facts(batch: GatedBatch, study: Study, source: str) -> dict[str, Any]:
    """What holds for the cohort as a whole: study, schedule, template, flags, failures, provenance."""
    template = batch.template
    bits = legend().to_pandas().set_index("flag")
    schedule = pd.DataFrame(
        {
            "week": np.array([planned.week for planned in study.schedule], dtype=np.float64),
            "order": np.arange(len(study.schedule), dtype=np.int64),
            "baseline": [planned.baseline for planned in study.schedule],
        },
        index=pd.Index([planned.visit for planned in study.schedule], name="visit", dtype="str"),
    )
    packages = {name: version(name) for name in ("il2cyto", "anndata", "numpy", "polars", "scipy")}
    provenance = {
        "versions": packages,
        "template": template.digest,
        "seeds": "SHA-256 of file, population and template",
    }
    return {
        Uns.VERSION: SCHEMA_VERSION,
        Uns.OBJECT: "cohort",
        Uns.X: FREQUENCY_OF_PARENT,
        Uns.UNIT: "fraction",
        Uns.TOTAL: template.total or "",
        Uns.STUDY: study.study,
        Uns.SIMULATED: study.simulated or any(fact.simulated for fact in batch.facts.values()),
        Uns.TEMPLATE: {"name": template.name, "version": template.version, "sha256": template.digest, "source": source},
        Uns.SCHEDULE: schedule,
        Uns.TREATMENT_WEEKS: np.array(study.treatment_weeks, dtype=np.float64).reshape(-1, 2),
        Uns.ARMS: np.array(study.arms, dtype=str),
        Uns.FLAGS: bits,
        Uns.ALIASES: dict(sorted(study.aliases_used.items())),
        Uns.FAILURES: pd.DataFrame(failures_frame(batch.failures).to_dict(as_series=False), dtype="str"),
        Uns.CHANNELS: _channels(batch),
        Uns.POLYGONS: json.dumps(
            {sample: dict(drawn) for sample, drawn in sorted(batch.polygons.items())}, sort_keys=True
        ),
        Uns.PROVENANCE: json.dumps(provenance, sort_keys=True),
    }


def _channels(batch: GatedBatch) -> pd.DataFrame:
    """What each marker of the template is in the files; files that agree share a row."""
    files: dict[tuple[str, str, float, str], list[str]] = {}
    for result in batch.results:
        for key, channel in sorted(batch.facts[result.sample].channels.items()):
            found = (key, channel.name, float(channel.range), channel.detector)
            files.setdefault(found, []).append(result.sample)
    rows = [
        (*found, "" if len(samples) == len(batch.results) else ";".join(samples)) for found, samples in files.items()
    ]
    frame = pd.DataFrame(rows, columns=["marker", "channel", "range", "detector", "samples"])
    return frame.astype({"marker": "str", "channel": "str", "range": np.float64, "detector": "str", "samples": "str"})


def add_cuts(adata: AnnData, batch: GatedBatch) -> None:
    """The four aligned frames of obsm, and what their columns mean."""
    template = batch.template
    pairs = batch.cuts.select("population", "coordinate").unique(maintain_order=True).rows()
    names = {pair: _cut_name(pair[0], pair[1], template) for pair in pairs}
    columns = {Obsm.CUTS: "final", Obsm.CUTS_RAW: "own", Obsm.CUTS_SPREAD: "spread", Obsm.CUT_FLAG: "flags"}
    for key, column in columns.items():
        frame = pd.DataFrame(index=adata.obs_names)
        for (population, coordinate), name in names.items():
            rows = batch.cuts.filter((pl.col("population") == population) & (pl.col("coordinate") == coordinate))
            values = dict(rows.select("sample", column).iter_rows())
            kind = np.int32 if key == Obsm.CUT_FLAG else np.float64
            frame[name] = np.array([values[sample] for sample in adata.obs_names], dtype=kind)
        adata.obsm[key] = frame
    about = [_about_cut(population, coordinate, template) for population, coordinate in names]
    index = pd.Index(list(names.values()), name="cut", dtype="str")
    fields = ["population", "channel", "marker", "coordinate", "keep", "method", "transform"]
    adata.uns[Uns.IL2CYTO][Uns.CUTS] = pd.DataFrame(about, columns=fields, index=index, dtype="str")


def _cut_name(population: str, coordinate: str, template: GatingTemplate) -> str:
    gate = template.by_name[population].gate
    last = gate.keys[-1] if gate is not None and coordinate == "cut" else coordinate
    return f"{population}_{last}".replace("/", "-")


def _about_cut(population: str, coordinate: str, template: GatingTemplate) -> tuple[str, ...]:
    gate = template.by_name[population].gate
    if gate is None:
        return (population, *[""] * 6)
    key = gate.keys[-1 if coordinate == "cut" else 0]
    transform = json.dumps(template.scale_of(key).model_dump(), sort_keys=True)
    return population, ";".join(gate.keys), key, coordinate, getattr(gate, "keep", None) or "", gate.method, transform


def add_medians(adata: AnnData, batch: GatedBatch) -> None:
    """Add median intensities, a column for each population and marker; NaN where a file lacks the marker."""
    pairs = list(batch.results[0].medians) if batch.results else []
    for result in batch.results[1:]:  # a file may lack an optional marker
        pairs.extend(pair for pair in result.medians if pair not in pairs)
    names = [f"{population}_{marker}".replace("/", "-") for population, marker in pairs]
    values = [[result.medians.get(pair, np.nan) for pair in pairs] for result in batch.results]
    matrix = np.array(values, dtype=np.float64).reshape(len(batch.results), len(pairs))
    adata.obsm[Obsm.MFI] = pd.DataFrame(matrix, index=adata.obs_names, columns=names)
    about = pd.DataFrame(
        pairs, columns=["population", "marker"], index=pd.Index(names, name="mfi", dtype="str"), dtype="str"
    )
    adata.uns[Uns.IL2CYTO][Uns.MFI] = about

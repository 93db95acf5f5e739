"""From a gated study to AnnData: samples × populations, joined with the study's columns. See docs/schema.md."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl

from il2cyto._keys import FREQUENCY_OF_PARENT, SCHEMA_VERSION, Layers, Obs, Obsm, Uns, Var
from il2cyto.batch import GatedBatch, Job, failures_frame, gate_files
from il2cyto.gt._flags import FAIL, Flag, legend
from il2cyto.io import find_template, read_overrides, read_template, write_events

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt
    from anndata import AnnData

    from il2cyto.batch import Failure, Progress
    from il2cyto.gt import GateResult
    from il2cyto.study import Study
    from il2cyto.template import GatingTemplate, Override, Population

    FloatArray = npt.NDArray[np.float64]

#: Columns of the sample sheet that become categories of obs where the sheet has them.
_SHEET_CATEGORIES = (Obs.BATCH, Obs.SITE, Obs.CYTOMETER, "tube", Obs.REPLICATE)


@dataclass(frozen=True)
class GatedStudy:
    """A gated study: for each panel the cohort object and the table of cuts behind it."""

    cohorts: Mapping[str, AnnData]
    cuts: Mapping[str, pl.DataFrame]
    failures: tuple[Failure, ...]

    @property
    def mod(self) -> Mapping[str, AnnData]:
        """The cohorts by the name that MuData gives them, so that `get` takes a whole study."""
        return self.cohorts

    @property
    def adata(self) -> AnnData:
        """The cohort object of a study with one panel."""
        (adata,) = self.cohorts.values()
        return adata


def gate_study(
    study: Study, *, workers: int | None = None, progress: Progress | None = None, events_dir: Path | None = None
) -> GatedStudy:
    """Gate every file of a study.

    Parameters
    ----------
    study
        From :func:`il2cyto.io.read_study`.
    workers
        Threads; as many as there are cores if None.
    progress
        Called with stage, files done and files in all.
    events_dir
        Where to write each file's events with their gates, ``<sample>.h5ad``; not written if None.

    Returns
    -------
    Cohort objects and tables of cuts by panel. A file that cannot be read is a row in ``failures``.

    Raises
    ------
    TemplateError
        If a panel's template is not valid.

    Examples
    --------
    >>> from il2cyto import cohort, datasets, io
    >>> study = io.read_study(datasets.sample_data_path() / "study.yaml")
    >>> cohort.gate_study(study).adata.layers["counts"].shape[0] == study.sheet.height
    True
    """
    cohorts: dict[str, AnnData] = {}
    cuts: dict[str, pl.DataFrame] = {}
    failures: list[Failure] = []
    overrides = _overrides(study)
    for panel in study.panels:
        # FMO and compensation tubes have no frequencies of their own.
        rows = study.sheet.filter((pl.col("panel") == panel) & (pl.col("role") == "sample"))
        if not rows.height:
            continue
        path = find_template(study.panels[panel].template, relative_to=study.folder)
        template, source = read_template(path), path.read_text(encoding="utf-8")

        def keep_events(job: Job, result: GateResult, template: GatingTemplate = template) -> None:
            if events_dir is not None:
                target = events_dir / f"{job.sample}.h5ad"
                write_events(
                    job.path, target, sample=job.sample, batch=job.batch, template=template, masks=result.masks
                )

        batch = gate_files(
            _jobs(rows, study),
            template,
            aliases=study.marker_aliases,
            workers=workers,
            progress=progress,
            overrides=[override for override in overrides if override.sample in set(rows["sample"])],
            on_gated=None if events_dir is None else keep_events,
        )
        cohorts[panel] = build_cohort(batch, study, rows, panel=panel, source=source)
        cuts[panel] = batch.cuts
        failures.extend(batch.failures)
    return GatedStudy(cohorts, cuts, tuple(failures))


def build_cohort(batch: GatedBatch, study: Study, rows: pl.DataFrame, *, panel: str, source: str) -> AnnData:
    """Put a gated batch and the study's columns into one AnnData, samples × reported populations.

    Parameters
    ----------
    batch
        The gated files of one panel.
    study
        The study they belong to.
    rows
        Their rows of the sample sheet.
    panel
        The panel's name.
    source
        Text of the template file, kept with the results.

    Returns
    -------
    The cohort object of docs/schema.md: ``X`` is the fraction of the parent (0-1), NaN where a population could not be
    evaluated.
    """
    from anndata import AnnData

    results, template = batch.results, batch.template
    names = [p.name for p in template.reported]
    counts, parents = (_matrix(results, names, field) for field in ("counts", "parent_counts"))
    flags = np.array([[r.flags[name] for name in names] for r in results], dtype=np.int32).reshape(counts.shape)
    fraction = _ratio(counts, parents)
    obs = _obs(batch, study, rows, panel)
    flags |= _discordant(fraction, parents, obs)
    adata = AnnData(
        X=fraction,
        obs=obs,
        var=_var(template, panel),
        layers={
            Layers.COUNTS: counts,
            Layers.CUT_HIGH: _matrix(results, names, "high"),
            Layers.CUT_LOW: _matrix(results, names, "low"),
            Layers.FLAG: flags,
            Layers.FREQ_OF_TOTAL: _of_total(counts, names, template),
            Layers.PARENT_COUNTS: parents,
        },
        uns={Uns.IL2CYTO: _uns(batch, study, source)},
    )
    _add_cuts(adata, batch)
    _add_medians(adata, batch)
    return adata


def _overrides(study: Study) -> tuple[Override, ...]:
    if study.overrides is None:
        return ()
    templates = {
        panel: read_template(about.template, relative_to=study.folder) for panel, about in study.panels.items()
    }
    of_sample = {sample: templates[panel] for sample, panel in study.sheet.select("sample", "panel").iter_rows()}
    return read_overrides(study.path(study.overrides), of_sample)


def _jobs(rows: pl.DataFrame, study: Study) -> list[Job]:
    columns = set(rows.columns)
    return [
        Job(
            row["sample"],
            study.path(row["file"]),
            batch=row[template_column] if (template_column := "batch") in columns else None,
            subject=row["subject"],
        )
        for row in rows.iter_rows(named=True)
    ]


def _matrix(results: tuple[GateResult, ...], names: list[str], field: str) -> FloatArray:
    values = [[getattr(result, field)[name] for name in names] for result in results]
    return np.array(values, dtype=np.float64).reshape(len(results), len(names))


def _ratio(top: FloatArray, bottom: FloatArray) -> FloatArray:
    # An empty parent means that too few cells were seen, not that the fraction is 0.
    ratio: FloatArray = np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)
    return ratio


def _of_total(counts: FloatArray, names: list[str], template: GatingTemplate) -> FloatArray:
    if template.total is None or template.total not in names:
        return np.full(counts.shape, np.nan)
    return _ratio(counts, np.broadcast_to(counts[:, [names.index(template.total)]], counts.shape))


# --- obs -----------------------------------------------------------------------------------------------------------------


def _obs(batch: GatedBatch, study: Study, rows: pl.DataFrame, panel: str) -> pd.DataFrame:
    results = batch.results
    index = pd.Index([result.sample for result in results], name=Obs.SAMPLE)
    by_sample = {row["sample"]: row for row in rows.iter_rows(named=True)}
    sheet = [by_sample[sample] for sample in index]
    visits = [row["visit"] for row in sheet]
    facts = [batch.facts[sample] for sample in index]
    obs = pd.DataFrame(index=index)
    obs[Obs.SUBJECT] = pd.Categorical([row["subject"] for row in sheet])
    obs[Obs.VISIT] = pd.Categorical(visits, categories=list(study.visits), ordered=True)
    _add_schedule(obs, study, visits)
    _add_arm(obs, study)
    for name in _SHEET_CATEGORIES:
        if name in rows.columns:
            obs[name] = pd.Categorical([row[name] for row in sheet])
    obs[Obs.PANEL] = pd.Categorical([panel] * len(index))
    obs[Obs.N_EVENTS] = np.array([result.n_events for result in results], dtype=np.int64)
    _add_viability(obs, results, batch.template)
    obs[Obs.COMPENSATION] = pd.Categorical([result.compensation for result in results])
    reasons = [list(fact.flags) for fact in facts]
    endpoints = [p.name for p in batch.template.populations if p.endpoint]
    for reason, result in zip(reasons, results, strict=True):
        reason.extend(f"{name}_NOT_EVALUABLE" for name in endpoints if result.flags[name] & FAIL)
    obs[Obs.QC_PASS] = [not any(r.endswith("_NOT_EVALUABLE") for r in reason) for reason in reasons]
    obs[Obs.QC_REASONS] = pd.Categorical([";".join(reason) for reason in reasons])
    obs[Obs.CONTROL] = [bool(row["control"]) for row in sheet]
    obs[Obs.FILE] = pd.Categorical([fact.file for fact in facts])
    obs[Obs.FILE_SHA256] = pd.Categorical([fact.sha256 for fact in facts])
    return obs


def _add_schedule(obs: pd.DataFrame, study: Study, visits: list[str | None]) -> None:
    weeks = [study.weeks.get(visit, np.nan) if visit else np.nan for visit in visits]
    if study.schedule:
        obs[Obs.WEEK] = np.array(weeks, dtype=np.float64)
        obs[Obs.BASELINE] = [visit == study.baseline_visit for visit in visits]
    if study.treatment_weeks:
        # A visit on the last day of a period still shows its effect; one on the first day is before the first dose.
        on = [any(start < week <= end for start, end in study.treatment_weeks) for week in weeks]
        obs[Obs.PERIOD] = pd.Categorical(["on" if value else "off" for value in on], categories=["off", "on"])


def _add_arm(obs: pd.DataFrame, study: Study) -> None:
    if study.subject_sheet is None or "arm" not in study.subject_sheet.columns:
        return
    arms = dict(study.subject_sheet.select("subject", "arm").iter_rows())
    known = list(study.arms) or sorted({arm for arm in arms.values() if arm})
    obs[Obs.ARM] = pd.Categorical([arms.get(subject) for subject in obs[Obs.SUBJECT]], categories=known)


def _add_viability(obs: pd.DataFrame, results: tuple[GateResult, ...], template: GatingTemplate) -> None:
    if template.live is None:
        return
    live = np.array([result.counts[template.live] for result in results])
    parent = np.array([result.parent_counts[template.live] for result in results])
    # Where the panel has no viability dye the step is passed through: there is no viability, not 100 %.
    passed = np.array([bool(result.flags[template.live] & Flag.MISSING_PASS) for result in results], dtype=np.bool_)
    live[passed] = np.nan
    obs[Obs.N_LIVE] = pd.array(np.where(np.isnan(live), -1, live).astype(np.int64), dtype="Int64")
    obs.loc[np.isnan(live), Obs.N_LIVE] = pd.NA
    obs[Obs.VIABILITY] = _ratio(live, parent)


def _discordant(fraction: FloatArray, parents: FloatArray, obs: pd.DataFrame) -> npt.NDArray[np.int32]:
    """Flag replicates of one subject, visit and panel whose fractions differ by > 3 binomial standard errors and > 20 %."""
    flags = np.zeros(fraction.shape, dtype=np.int32)
    keys = [Obs.SUBJECT, Obs.VISIT]
    groups = obs.reset_index(drop=True).groupby(keys, observed=True).indices if len(obs) else {}
    for members in groups.values():
        for i, j in itertools.combinations(members, 2):
            a, b = fraction[i], fraction[j]
            with np.errstate(invalid="ignore", divide="ignore"):
                error = np.sqrt(a * (1 - a) / parents[i] + b * (1 - b) / parents[j])
                apart = (np.abs(a - b) > 3 * error) & (np.abs(a - b) > 0.2 * (a + b) / 2)
            flags[i, apart] |= Flag.DISCORDANT_REPLICATE
            flags[j, apart] |= Flag.DISCORDANT_REPLICATE
    return flags


# --- var -----------------------------------------------------------------------------------------------------------------


def _var(template: GatingTemplate, panel: str) -> pd.DataFrame:
    reported = template.reported
    parents = {p.parent for p in template.populations}
    paths = [template.path(p.name) for p in reported]
    var = pd.DataFrame(index=pd.Index([p.name for p in reported], name=Var.POPULATION))
    var[Var.PARENT] = pd.Categorical([p.parent for p in reported])
    var[Var.PATH] = pd.Categorical(paths)
    var[Var.DEPTH] = np.array([path.count("/") for path in paths], dtype=np.int64)
    var[Var.LEAF] = [p.name not in parents for p in reported]
    var[Var.LABEL] = pd.Categorical([p.label or p.name for p in reported])
    var[Var.PHENOTYPE] = pd.Categorical([p.phenotype for p in reported])
    var[Var.MARKERS] = pd.Categorical([";".join(_markers(p, template)) for p in reported])
    var[Var.DENOMINATORS] = pd.Categorical(
        [";".join(p.endpoint.denominators if p.endpoint else (p.parent,)) for p in reported]
    )
    var[Var.GATE_TYPE] = pd.Categorical([p.gate.method if p.gate else "boolean" for p in reported])
    var[Var.ROLE] = pd.Categorical(["endpoint" if p.endpoint else "intermediate" for p in reported])
    var[Var.PANEL] = pd.Categorical([panel] * len(reported))
    var[Var.CELL_ONTOLOGY_ID] = pd.Categorical([p.cell_ontology_id for p in reported])
    var[Var.REPORT_ORDER] = np.arange(len(reported), dtype=np.int64)
    var[Var.FEATURE_TYPE] = pd.Categorical(["numeric"] * len(reported))
    return var


def _markers(population: Population, template: GatingTemplate) -> tuple[str, ...]:
    """Markers of the population's own gate, or of the gates that its combination names."""
    if population.gate is not None and population.gate.method != "ref":
        return population.gate.keys
    operands = (template.by_name[name] for name in population.referred)
    return tuple(dict.fromkeys(key for operand in operands for key in _markers(operand, template)))


# --- uns and obsm --------------------------------------------------------------------------------------------------------


def _uns(batch: GatedBatch, study: Study, source: str) -> dict[str, Any]:
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
        Uns.FAILURES: failures_frame(batch.failures),
        Uns.PROVENANCE: json.dumps(provenance, sort_keys=True),
    }


def _add_cuts(adata: AnnData, batch: GatedBatch) -> None:
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
    last = gate.keys[0] if gate is not None and coordinate == "cut" else coordinate
    return f"{population}_{last}".replace("/", "-")


def _about_cut(population: str, coordinate: str, template: GatingTemplate) -> tuple[str, ...]:
    gate = template.by_name[population].gate
    if gate is None:
        return (population, *[""] * 6)
    key = gate.keys[0]
    transform = json.dumps(template.transform.of(key).model_dump(), sort_keys=True)
    return population, ";".join(gate.keys), key, coordinate, getattr(gate, "keep", None) or "", gate.method, transform


def _add_medians(adata: AnnData, batch: GatedBatch) -> None:
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

"""MIFlowCyt: what is known of an experiment, in the four parts of the standard, and what is missing (Lee et al., 2008)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from il2cyto import get
from il2cyto._keys import Obs, Uns
from il2cyto._tidy import plain
from il2cyto.exchange._cdisc_cp import study_id
from il2cyto.io._atomic import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from anndata import AnnData

    from il2cyto.study import Study
    from il2cyto.template import GatingTemplate


def export_miflowcyt(
    cohorts: Mapping[str, AnnData], out: Path, *, study: Study | None = None
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Write ``miflowcyt.json``; give the file and a notice that names the items of the standard without an answer."""
    document = miflowcyt(cohorts, study=study)
    path = out / "miflowcyt.json"
    with replacing(path) as draft:
        draft.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return (path,), (f"MIFlowCyt items to add by hand: {', '.join(document['missing'])}",)


def miflowcyt(cohorts: Mapping[str, AnnData], *, study: Study | None = None) -> dict[str, Any]:
    """Describe an experiment.

    Parameters
    ----------
    cohorts
        Panel -> cohort object.
    study
        Adds arms, treatment and the labels under which markers stand in the files.

    Returns
    -------
    The four parts of the standard, numbered as there; an item that is not known is None and listed in ``missing``. Nothing
    comes from FCS keywords but what the reader's allow-list lets through.
    """
    first = next(iter(cohorts.values()))
    document: dict[str, Any] = {
        "standard": "MIFlowCyt 1.0",
        "simulated": bool(first.uns[Uns.IL2CYTO][Uns.SIMULATED]),
        "1 experiment overview": _overview(first, cohorts),
        "2 flow sample": _flow_sample(cohorts, study),
        "3 instrument": {
            "3.1 manufacturer": None,
            "3.2 model": _levels(cohorts, Obs.CYTOMETER) or None,
            "3.3 configuration": None,
            "sites": _levels(cohorts, Obs.SITE),
        },
        "4 data analysis": _data_analysis(first, cohorts),
    }
    document["missing"] = [
        item for part in document.values() if isinstance(part, dict) for item, value in part.items() if value is None
    ]
    if any(reagent["clone"] is None for reagent in document["2 flow sample"]["2.3 fluorescence reagents"]):
        document["missing"].append("2.3 fluorescence reagents: clones")
    return document


def _overview(first: AnnData, cohorts: Mapping[str, AnnData]) -> dict[str, Any]:
    facts = first.uns[Uns.IL2CYTO]
    schedule = facts.get(Uns.SCHEDULE)
    return {
        "1.1 purpose": None,
        "1.2 keywords": None,
        "1.3 experiment variables": {
            "study": study_id(first),
            "arms": [str(arm) for arm in facts.get(Uns.ARMS, ())],
            "visits": [] if schedule is None else [str(visit) for visit in schedule.index],
            "treatment_weeks": [[float(week) for week in period] for period in facts.get(Uns.TREATMENT_WEEKS, ())],
            "subjects": len(first.obs[Obs.SUBJECT].dropna().unique()),
        },
        "1.4 organization": None,
        "1.5 primary contact": None,
        "1.6 date": None,
        "1.7 conclusions": None,
        "1.8 quality control measures": _quality(cohorts),
    }


def _flow_sample(cohorts: Mapping[str, AnnData], study: Study | None) -> dict[str, Any]:
    return {
        "2.1 samples": "peripheral blood or PBMC; one tube per subject, visit and panel",
        "2.2 sample treatment": None,
        "2.3 fluorescence reagents": [row for panel, adata in cohorts.items() for row in _reagents(panel, adata)],
        "labels": dict(sorted(study.marker_aliases.items())) if study else {},
    }


def _data_analysis(first: AnnData, cohorts: Mapping[str, AnnData]) -> dict[str, Any]:
    return {
        "4.1 list-mode files": [row for panel, adata in cohorts.items() for row in _files(panel, adata)],
        "4.2 compensation": _levels(cohorts, Obs.COMPENSATION),
        "4.3 transformation": {panel: _transforms(get.template(adata)) for panel, adata in cohorts.items()},
        "4.4 gating": {panel: _gates(adata) for panel, adata in cohorts.items()},
        "software": json.loads(str(first.uns[Uns.IL2CYTO].get(Uns.PROVENANCE, "{}"))),
    }


def _quality(cohorts: Mapping[str, AnnData]) -> dict[str, int]:
    obs = [adata.obs for adata in cohorts.values()]
    return {
        "samples": sum(len(frame) for frame in obs),
        "passed": sum(int(frame[Obs.QC_PASS].sum()) for frame in obs if Obs.QC_PASS in frame),
        "files_without_result": sum(len(adata.uns[Uns.IL2CYTO].get(Uns.FAILURES, ())) for adata in cohorts.values()),
    }


def _reagents(panel: str, adata: AnnData) -> Iterator[dict[str, Any]]:
    channels = adata.uns[Uns.IL2CYTO].get(Uns.CHANNELS)
    if channels is None:
        return
    for row in plain(channels).iter_rows(named=True):
        if row["detector"] == "fluor":
            about = {"marker": row["marker"], "channel": row["channel"], "fluorochrome": None, "clone": None}
            yield {"panel": panel, **about, "samples": row["samples"].split(";") if row["samples"] else "all"}


def _files(panel: str, adata: AnnData) -> Iterator[dict[str, Any]]:
    for row in plain(adata.obs, index="sample").iter_rows(named=True):
        yield {
            "sample": row["sample"],
            "panel": panel,
            "file": row.get(Obs.FILE),
            "sha256": row.get(Obs.FILE_SHA256),
            "events": row.get(Obs.N_EVENTS),
            "compensation": row.get(Obs.COMPENSATION),
        }


def _levels(cohorts: Mapping[str, AnnData], column: str) -> list[str]:
    found = [str(v) for adata in cohorts.values() if column in adata.obs for v in adata.obs[column].dropna().unique()]
    return sorted(set(found))


def _transforms(template: GatingTemplate) -> dict[str, Any]:
    content: dict[str, Any] = template.transform.model_dump(mode="json", exclude_none=True)
    return content


def _gates(adata: AnnData) -> list[dict[str, Any]]:
    """List every gate with its path; fitted ones have their cuts, sample by sample, in the cuts table and Gating-ML."""
    template = get.template(adata)
    return [
        {
            "population": p.name,
            "path": template.path(p.name),
            "reported": p.report,
            "phenotype": p.phenotype,
            **({"where": p.where} if p.gate is None else {"gate": p.gate.model_dump(mode="json", exclude_none=True)}),
            "statistics": ["count", "fraction of parent"],
        }
        for p in template.populations
    ]

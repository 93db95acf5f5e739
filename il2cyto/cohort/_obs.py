"""What is known of each sample: subject, visit, arm, batch, and how its file fared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from il2cyto._keys import Obs
from il2cyto._share import share
from il2cyto.gt._flags import FAIL, Flag
from il2cyto.template import BoundaryGate, SingletGate

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    import polars as pl

    from il2cyto.batch import FileFacts, GatedBatch
    from il2cyto.gt import GateResult
    from il2cyto.study import Study
    from il2cyto.template import Gate, GatingTemplate

    FloatArray = npt.NDArray[np.float64]

#: With more than this share of the events from unsteady acquisition a sample does not pass; its frequencies stand.
MOST_ANOMALOUS = 0.2
#: Larger shares of events at the edge of a detector, and of doublets, are worth a look; they fail no sample.
MOST_MARGIN, MOST_DOUBLETS = 0.1, 0.25
#: Columns of the sample sheet that become categories of obs where the sheet has them.
_SHEET_CATEGORIES = (Obs.BATCH, Obs.SITE, Obs.CYTOMETER, "tube", Obs.REPLICATE)


def sample_columns(batch: GatedBatch, study: Study, rows: pl.DataFrame, panel: str) -> pd.DataFrame:
    """Make `obs`: who and when, from the sheet; how well it was measured, from the gating."""
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
    _add_quality(obs, results, batch.template, facts)
    obs[Obs.COMPENSATION] = pd.Categorical([result.compensation for result in results])
    _add_verdict(obs, results, batch.template, facts)
    obs[Obs.CONTROL] = [bool(row["control"]) for row in sheet]
    obs[Obs.FILE] = pd.Categorical([fact.file for fact in facts])
    obs[Obs.FILE_SHA256] = pd.Categorical([fact.sha256 for fact in facts])
    return obs


def _add_verdict(
    obs: pd.DataFrame, results: tuple[GateResult, ...], template: GatingTemplate, facts: list[FileFacts]
) -> None:
    """Whether each sample passes, and what was found wrong with it."""
    endpoints = [p.name for p in template.populations if p.endpoint]
    # What no file can tell, its marker being in none of them, is no fault of any sample.
    not_in_panel = {name for name in endpoints if not any(_has_markers_of(name, result) for result in results)}
    reasons = [
        [*fact.flags, *_failures(result, endpoints, not_in_panel)] for result, fact in zip(results, facts, strict=True)
    ]
    for code, column, most in (("margin", Obs.MARGIN, MOST_MARGIN), ("doublets", Obs.DOUBLETS, MOST_DOUBLETS)):
        for reason, found in zip(reasons, obs[column], strict=True):
            reason.extend([code] if found > most else [])
    obs[Obs.QC_PASS] = [
        not any(r.endswith("_NOT_EVALUABLE") for r in reason) and not fact.anomalous > MOST_ANOMALOUS
        for reason, fact in zip(reasons, facts, strict=True)
    ]
    obs[Obs.QC_REASONS] = pd.Categorical([";".join(reason) for reason in reasons])


def _failures(result: GateResult, endpoints: list[str], not_in_panel: set[str]) -> Iterator[str]:
    """The endpoint populations that have no number in a sample, each with the code of why."""
    for name in endpoints:
        if result.flags[name] & FAIL:
            lacking = name in not_in_panel and result.flags[name] & Flag.CHANNEL_MISSING
            yield f"{name}_{'NOT_IN_PANEL' if lacking else 'NOT_EVALUABLE'}"


def _has_markers_of(name: str, result: GateResult) -> bool:
    """Whether a file had the markers of a population; of one that was refused nothing is known."""
    return not result.flags[name] & (Flag.CHANNEL_MISSING | Flag.PANEL_IMPLAUSIBLE)


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
    obs[Obs.VIABILITY] = share(live, parent)


def _add_quality(
    obs: pd.DataFrame, results: tuple[GateResult, ...], template: GatingTemplate, facts: list[FileFacts]
) -> None:
    """Shares of events at the edge of a detector, of doublets among those inside, and of unsteady acquisition."""
    for column, gate in ((Obs.MARGIN, BoundaryGate), (Obs.DOUBLETS, SingletGate)):
        obs[column] = 1 - _kept(results, template, gate)
    obs[Obs.ANOMALOUS] = np.array([fact.anomalous for fact in facts], dtype=np.float64)


def _kept(results: tuple[GateResult, ...], template: GatingTemplate, gate: type[Gate]) -> FloatArray:
    """What the template's first gate of a kind keeps of its parent; NaN where it has none, or passed everything through."""
    name = next((p.name for p in template.populations if isinstance(p.gate, gate)), None)
    if name is None:
        return np.full(len(results), np.nan)
    kept = share(
        *(np.array([getattr(r, field)[name] for r in results], np.float64) for field in ("counts", "parent_counts"))
    )
    kept[np.array([bool(r.flags[name] & Flag.MISSING_PASS) for r in results], dtype=np.bool_)] = np.nan
    return kept

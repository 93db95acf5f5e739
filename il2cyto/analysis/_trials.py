"""What a cohort object, or a sheet of frequencies, knows of its trial where there is no study file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from il2cyto._keys import Uns
from il2cyto.errors import StudyError
from il2cyto.study import ScheduledVisit, TrialFile

if TYPE_CHECKING:
    from anndata import AnnData


def trial_of_cohort(adata: AnnData) -> TrialFile:
    """Read what a cohort object knows of its trial: name, arms, schedule and treatment periods.

    The visit of the primary endpoint and the settings of the analysis are not in the object.
    """
    facts = adata.uns[Uns.IL2CYTO]
    schedule = facts.get(Uns.SCHEDULE)
    rows = () if schedule is None else zip(schedule.index, schedule["week"], schedule["baseline"], strict=True)
    return TrialFile(
        study=str(facts.get(Uns.STUDY, "") or "study"),
        simulated=bool(facts.get(Uns.SIMULATED, False)),
        arms=tuple(str(arm) for arm in facts.get(Uns.ARMS, ())),
        schedule=tuple(ScheduledVisit(visit=str(v), week=float(w), baseline=bool(b)) for v, w, b in rows),
        treatment_weeks=tuple((float(start), float(end)) for start, end in facts.get(Uns.TREATMENT_WEEKS, ())),
    )


def trial_of_frequencies(
    frequencies: pl.DataFrame, *, name: str, control: str | None = None, primary: str | None = None
) -> TrialFile:
    """Make out a trial from a sheet of frequencies alone.

    Parameters
    ----------
    frequencies
        From :func:`il2cyto.io.read_frequencies`. The visit of week 0 is the baseline; without it, or without weeks, there is none.
    name
        What the study is called.
    control
        The control arm; without it arms are described, and not compared.
    primary
        The visit of the primary analysis.

    Returns
    -------
    A trial whose settings are the defaults.

    Raises
    ------
    StudyError
        `control` or `primary` is not in the sheet.
    """
    arms = frequencies["arm"].cast(pl.String).drop_nulls().unique(maintain_order=True).to_list()
    visits = frequencies["visit"].cast(pl.String).unique(maintain_order=True).to_list()
    problems = [
        f"{name}: no {what} {value!r}; allowed {', '.join(allowed) or 'none, as the sheet has no such column'}"
        for what, value, allowed in (("arm", control, arms), ("visit", primary, visits))
        if value is not None and value not in allowed
    ]
    if problems:
        raise StudyError("\n".join(problems))
    weeks = frequencies.group_by("visit").agg(pl.col("week").min()).sort("week")
    known = weeks["week"].null_count() == 0 and weeks["week"].is_unique().all() and 0.0 in weeks["week"].to_list()
    schedule = [{"visit": v, "week": w, "baseline": w == 0} for v, w in weeks.iter_rows()] if known else []
    return TrialFile.model_validate(
        {
            "study": name,
            "arms": [control, *(arm for arm in arms if arm != control)] if control else [],
            "schedule": schedule,
            "primary": {"visit": primary} if primary and schedule else None,
        }
    )

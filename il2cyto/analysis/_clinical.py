"""Tables of the clinical side: endpoints, safety, exposure, flow of subjects, Table 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from il2cyto import clinical, tl
from il2cyto.analysis._collect import Collected
from il2cyto.analysis._inputs import ALL
from il2cyto.analysis._plan import Plan
from il2cyto.errors import Il2cytoError
from il2cyto.study import ClinicalSettings

if TYPE_CHECKING:
    from il2cyto.analysis._inputs import Inputs
    from il2cyto.clinical import Endpoints
    from il2cyto.io import ClinicalData


@dataclass(frozen=True)
class Clinical:
    """Clinical tables, with the endpoints and sets that they are made of."""

    tables: dict[str, pl.DataFrame]
    endpoints: Endpoints | None
    sets: pl.DataFrame | None
    notices: tuple[str, ...]


def clinical_tables(inputs: Inputs, data: ClinicalData | None) -> Clinical:
    """Make every clinical table that the data allow; what they do not is a notice."""
    subjects = None if data is None else _subjects(data)
    if data is None or subjects is None:
        return Clinical({}, None, None, ("no clinical tables: endpoints, safety and flow of subjects are left out",))
    made = Collected(notices=list(data.notices))
    tables, notices, add = made.tables, made.notices, made.add
    settings = inputs.trial.clinical or ClinicalSettings()
    try:
        sets = clinical.analysis_sets(subjects, data.visits)
    except Il2cytoError as error:
        notices.append(f"analysis sets: all subjects are in all of them: {error}")
        everyone = {name: pl.lit(value=True) for name in ("itt", "mitt", "safety")}
        sets = subjects.select("subject", "arm", exclusion_reason=pl.lit(None, pl.String), arm_actual="arm", **everyone)
    plan = Plan(inputs, settings, subjects, sets.filter(pl.col("arm").is_not_null()), _control(inputs, subjects))
    found = None
    if data.visits is None:
        notices.append("no table of visits: clinical endpoints are left out")
    else:
        found = clinical.endpoints(data, settings)
        notices += found.notices
        plan.add_endpoints(made, found, data.visits)
        tables["queries"] = found.queries
    add("baseline", lambda: plan.baseline(found))
    if "doses_given" in subjects.columns and "doses_planned" in subjects.columns:
        add("exposure", lambda: clinical.exposure(subjects))
        add("exposure_summary", lambda: _exposure_summary(clinical.exposure(subjects), plan.control))
    if data.subjects is not None:
        add("consort", lambda: clinical.consort(subjects, sets))
    if data.adverse_events is None:
        notices.append("no table of adverse events: safety is left out")
    else:
        events = data.adverse_events
        add("safety", lambda: plan.compared(clinical.adverse_events(events, subjects, days=settings.teae_days)))
        terms = {"soc", "pt"} <= set(events.columns)
        if terms:
            add("safety_terms", lambda: plan.compared(clinical.adverse_events_by_term(events, subjects, days=settings.teae_days)))  # fmt: skip
    tables["value_queries"] = data.queries
    return Clinical(tables, found, sets, tuple(notices))


def _subjects(data: ClinicalData) -> pl.DataFrame | None:
    """Give the table of subjects, else those of the visits; in a study without arms all are one group."""
    subjects = data.subjects
    if subjects is None and data.visits is not None:
        subjects = data.visits.select("subject").unique(maintain_order=True)
    if subjects is None:
        return None
    if "arm" in subjects.columns and subjects["arm"].count():
        return subjects
    return subjects.with_columns(arm=pl.lit(ALL).cast(pl.Enum([ALL])))


def _control(inputs: Inputs, subjects: pl.DataFrame) -> str:
    present = set(subjects["arm"].drop_nulls().cast(pl.String))
    return next(
        (arm for arm in inputs.trial.arms if arm in present), str(subjects["arm"].drop_nulls().cast(pl.String)[0])
    )


def _exposure_summary(exposure: pl.DataFrame, control: str) -> pl.DataFrame:
    numbers = [name for name, kind in exposure.schema.items() if kind.is_numeric() and exposure[name].count()]
    return tl.baseline_table(exposure.select("subject", "arm", *numbers), control=control).drop(
        "standardised_difference"
    )

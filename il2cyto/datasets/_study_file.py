"""The study.yaml of a simulated trial."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from il2cyto.datasets import _clinical as clinical
from il2cyto.datasets._design import TREATMENT_WEEKS

if TYPE_CHECKING:
    from il2cyto.datasets._design import Design


def study_yaml(design: Design) -> str:
    """Write what the trial's design says as the study file that il2cyto reads."""
    visits = dict(zip(design.visits, design.weeks.tolist(), strict=True))
    schedule = [
        f"- {{visit: {visit}, week: {week:g}{', baseline: true' if week == 0 else ''}}}"
        for visit, week in visits.items()
    ]
    primary = [visit for visit, week in visits.items() if week <= 12][-1]
    lines = [
        "# A simulated trial: no patient is in it.",
        "study: IL2-SLE-SIM",
        "simulated: true",
        "samples: samples.csv",
        "subjects: subjects.csv",
        *_clinical_yaml(),
        "arms: [" + ", ".join(json.dumps(arm) for arm in design.arms) + "]",
        "schedule:",
        *schedule,
        "treatment_weeks: " + json.dumps([[int(week) for week in period] for period in TREATMENT_WEEKS]),
        "panels: {tnk: {template: tnk}}",
        f"primary: {{visit: {primary}}}",
    ]
    return "\n".join(lines) + "\n"


def _clinical_yaml() -> list[str]:
    limits = {
        "c3_g_l": "lln: {:g}, uln: {:g}".format(*clinical.C3_NORMAL),
        "c4_g_l": "lln: {:g}, uln: {:g}".format(*clinical.C4_NORMAL),
        "dsdna_iu_ml": f"uln: {clinical.DSDNA_TOP:g}",
    }
    return [
        "clinical:",
        "  visits: visits.csv",
        "  adverse_events: adverse_events.csv",
        "  sledai_version: selena",
        "  pga_scale: 3",
        "  bilag: 2004",
        "  limits:",
        *(f"    {analyte}: {{{limit}}}" for analyte, limit in limits.items()),
    ]

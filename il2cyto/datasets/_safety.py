"""adverse_events.csv of a simulated trial; margin-matched, its counts are those of the published table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from il2cyto.datasets._course import ANALYSED
from il2cyto.datasets._design import subject_name

if TYPE_CHECKING:
    from il2cyto.datasets._clinical import Calendar
    from il2cyto.datasets._course import Course
    from il2cyto.datasets._design import Design

# Days after the last dose in which an event still counts as treatment-emergent.
_EMERGENT = 28


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of adverse event: how it is coded, and in how many subjects of placebo and of the active arm it was seen."""

    term: str
    soc: str
    group: str
    subjects: tuple[int, int]
    days: int
    grade: int = 1
    serious: bool = False
    related: str = "not"


_INFECTIONS = "Infections and infestations"
_GENERAL = "General disorders and administration site conditions"
# The first four kinds fall on different subjects, so that 6 of placebo and 2 of IL-2 have an infection.
EXCLUSIVE = (
    Kind("Upper respiratory tract infection", _INFECTIONS, "infection;urti", (4, 2), 8, grade=2, related="possible"),
    Kind("Herpes zoster", _INFECTIONS, "infection;herpes_zoster", (1, 0), 16, 3, serious=True, related="possible"),
    Kind("Pneumonia", _INFECTIONS, "infection;pneumonia", (1, 0), 18, 3, serious=True, related="possible"),
    Kind("Neuropsychiatric lupus", "Nervous system disorders", "npsle", (1, 0), 30, 3, serious=True),
)
FREE = (
    Kind("Injection site reaction", _GENERAL, "injection_site", (2, 9), 3, related="definite"),
    Kind("Pyrexia", _GENERAL, "fever", (0, 4), 2, related="probable"),
    Kind("Influenza like illness", _GENERAL, "flu_like", (0, 3), 3, related="probable"),
)
_COLUMNS: dict[str, Any] = {
    **dict.fromkeys(("subject", "ae_id", "term", "soc", "pt"), pl.String),
    **dict.fromkeys(("start_day", "end_day", "grade"), pl.Int64),
    "serious": pl.Boolean,
    **dict.fromkeys(("related", "action", "outcome", "group"), pl.String),
}


def adverse_events_table(design: Design, course: Course, calendar: Calendar, *, matched: bool) -> pl.DataFrame:
    """One row per event of a treated subject, by subject and day."""
    rng = design.rng("safety")
    rows = []
    for arm in (0, 1):
        members = np.flatnonzero((design.active == bool(arm)) & course.treated)
        left = rng.permutation(members)
        for kind in (*EXCLUSIVE, *FREE):
            share = kind.subjects[arm] / ANALYSED[arm]
            n = kind.subjects[arm] if matched else int(rng.binomial(len(members), share))
            if kind in EXCLUSIVE:
                chosen, left = left[:n], left[n:]
            else:
                chosen = rng.choice(members, n, replace=False)
            rows += [_event(kind, int(i), calendar, rng) for i in chosen]
    rows.sort(key=lambda row: (row["subject"], row["start_day"], row["term"]))
    seen: dict[str, int] = {}
    for row in rows:
        seen[row["subject"]] = seen.get(row["subject"], 0) + 1
        row["ae_id"] = f"{row['subject']}-AE{seen[row['subject']]}"
    return pl.DataFrame(rows, schema=_COLUMNS)


def _event(kind: Kind, i: int, calendar: Calendar, rng: np.random.Generator) -> dict[str, Any]:
    doses = calendar.doses[i]
    # Reactions follow an injection; everything else may come at any time under treatment.
    if kind in FREE:
        start = int(rng.choice(doses)) + int(rng.integers(0, 2))
    else:
        start = int(rng.integers(2, max(3, min(doses[-1] + _EMERGENT, calendar.end_day[i]))))
    return {
        "subject": subject_name(i),
        "term": kind.term,
        "soc": kind.soc,
        "pt": kind.term,
        "start_day": start,
        "end_day": start + int(rng.integers(0, kind.days)),
        "grade": kind.grade,
        "serious": kind.serious,
        "related": kind.related,
        "action": "interrupted" if kind.serious else "none",
        "outcome": "recovered",
        "group": kind.group,
    }

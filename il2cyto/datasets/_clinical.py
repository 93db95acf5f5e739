"""subjects.csv and visits.csv of a simulated trial: baselines near the published table, activity that fits each status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from il2cyto.datasets import _activity as activity
from il2cyto.datasets._design import DOSES_PER_CYCLE, TREATMENT_WEEKS, subject_name

if TYPE_CHECKING:
    from il2cyto.datasets._course import Course
    from il2cyto.datasets._design import Design

# Mean and SD per arm: placebo, active.
_AGE = ((29.83, 9.72), (31.58, 9.25))
_WEIGHT_KG = ((58.69, 8.87), (54.81, 8.33))
_HEIGHT_CM = ((162.67, 5.41), (162.23, 6.81))
_DISEASE_MONTHS = ((63.6, 59.9), (66.7, 57.4))
_FEMALE = (29 / 30, 27 / 30)
# Baseline drugs: users of 30 per arm.
_DRUGS = {
    "hcq": (28, 29),
    "cyc": (0, 4),
    "aza": (4, 1),
    "csa": (5, 0),
    "mmf": (8, 9),
    "lef": (1, 3),
    "tac": (1, 1),
    "thal": (0, 1),
    "mtx": (1, 1),
}
_PREDNISONE_RANGE = ((5.0, 50.0), (0.0, 50.0))
_MISSED_DOSE = 0.02
SCREEN_FAILURES = 1 / 12
# Limits of normal that the items agree with, g/L and IU/mL; study.yaml states them.
C3_NORMAL, C4_NORMAL, DSDNA_TOP = (0.9, 1.8), (0.1, 0.4), 100


@dataclass(frozen=True)
class Calendar:
    """Days of visits (subjects, visits) and of given doses, one array per subject; day 1 is the baseline visit."""

    visit_day: np.ndarray
    doses: list[np.ndarray]
    end_day: np.ndarray


def make_calendar(design: Design, course: Course) -> Calendar:
    """Visits lie within two days of their planned day; doses are given every other day until the subject leaves."""
    planned = np.concatenate([7 * start + 1 + 2 * np.arange(DOSES_PER_CYCLE) for start, _ in TREATMENT_WEEKS]).astype(
        int
    )
    visit_day = np.empty((design.n_subjects, len(design.weeks)), int)
    doses = []
    for i in range(design.n_subjects):
        rng = design.rng("subject", i, 1)
        late = rng.integers(-2, 3, len(design.weeks))
        visit_day[i] = np.where(design.weeks == 0, 1, 1 + np.round(7 * design.weeks) + late)
        last_day = visit_day[i][course.attended[i]].max()
        given = (planned <= last_day) & ((rng.random(len(planned)) >= _MISSED_DOSE) | (planned == 1))
        doses.append(planned[given] if course.treated[i] else planned[:0])
    end_day = np.where(course.attended, visit_day, 0).max(axis=1)
    return Calendar(visit_day, doses, end_day)


def subjects_table(design: Design, course: Course, calendar: Calendar) -> pl.DataFrame:
    """One row per contacted subject; those not enrolled stand last."""
    rows = [_subject_row(design, course, calendar, i) for i in range(design.n_subjects)]
    n = design.n_subjects
    for i in range(n, n + round(SCREEN_FAILURES * n)):
        reason = "entry criteria not met" if design.rng("subject", i).random() < 0.6 else "declined"
        rows.append({"subject": subject_name(i), "enrolled": False, "randomised": False, "not_enrolled_reason": reason})
    return pl.DataFrame(rows, infer_schema_length=None)


def _subject_row(design: Design, course: Course, calendar: Calendar, i: int) -> dict[str, Any]:
    rng, arm, doses = design.rng("subject", i), int(design.active[i]), calendar.doses[i]
    months, months_sd = _DISEASE_MONTHS[arm]
    rescue = course.rescue[i]
    row: dict[str, Any] = {
        "subject": subject_name(i),
        "arm": design.arms[arm],
        "enrolled": True,
        "randomised": True,
        "not_enrolled_reason": None,
        "sex": "F" if rng.random() < _FEMALE[arm] else "M",
        "age": _truncated_normal(rng, *_AGE[arm], low=18, high=65),
        "weight_kg": _truncated_normal(rng, *_WEIGHT_KG[arm], low=38, high=100),
        "height_cm": _truncated_normal(rng, *_HEIGHT_CM[arm], low=145, high=190),
        "disease_months": round(float(rng.gamma((months / months_sd) ** 2, months_sd**2 / months)), 1),
        "lupus_nephritis": bool(course.nephritis[i]),
        "doses_planned": DOSES_PER_CYCLE * len(TREATMENT_WEEKS),
        "doses_given": len(doses),
        "dose_miu": float(arm),
        "first_dose_day": int(doses[0]) if len(doses) else None,
        "last_dose_day": int(doses[-1]) if len(doses) else None,
        "end_day": int(calendar.end_day[i]),
        "end_reason": _end_reason(course, i, rng),
        "failure_day": int(calendar.visit_day[i, rescue]) if rescue else None,
        "failure_reason": "rescue_medication" if rescue else None,
    }
    return row | {f"med_{drug}": bool(rng.random() < users[arm] / 30) for drug, users in _DRUGS.items()}


def _end_reason(course: Course, i: int, rng: np.random.Generator) -> str:
    if course.attended[i].all():
        return "completed"
    if not course.treated[i]:
        return "withdrew"
    return str(rng.choice(["lost", "withdrew", "lack_of_efficacy", "other"]))


def _truncated_normal(rng: np.random.Generator, mean: float, sd: float, *, low: float, high: float) -> float:
    while True:
        value = float(rng.normal(mean, sd))
        if low <= value <= high:
            return round(value, 1)


def visits_table(design: Design, course: Course, calendar: Calendar, subjects: pl.DataFrame) -> pl.DataFrame:
    """One row per attended visit."""
    rows: list[dict[str, Any]] = []
    for i, (sex, age) in enumerate(subjects.select("sex", "age").head(design.n_subjects).iter_rows()):
        rows += _subject_visits(design, course, calendar, i, female=sex == "F", age=age)
    return pl.DataFrame(rows, infer_schema_length=None)


def _subject_visits(
    design: Design, course: Course, calendar: Calendar, i: int, *, female: bool, age: float
) -> list[dict[str, Any]]:
    rng, arm = design.rng("visit", i), int(design.active[i])
    baseline = activity.draw_baseline(rng, nephritis=bool(course.nephritis[i]), top=activity.SLEDAI_TOP[arm])
    patience = rng.random(len(activity.ITEMS))
    prednisone = 2.5 * round(float(np.clip(rng.lognormal(np.log(13), 0.6), *_PREDNISONE_RANGE[arm])) / 2.5)
    creatinine = float(np.clip(rng.normal(62, 10), 40, 88))
    rows, previous_items, previous_day = [], baseline.items, 1
    for j in np.flatnonzero(course.attended[i]):
        week, day, better = float(design.weeks[j]), int(calendar.visit_day[i, j]), bool(course.responder[i, j])
        remission = bool(course.remission[i, j])
        state = baseline
        if j:
            state = activity.draw_visit(baseline, patience, week=week, responder=better, remission=remission, rng=rng)
        taper = 1 - (0.55 if better else 0.2) * min(week / 12, 1) * rng.uniform(0.6, 1.2)
        if course.rescue[i] and j >= course.rescue[i]:
            taper = 1.5
        rows.append(
            {"subject": subject_name(i), "visit": design.visits[j], "study_day": day}
            | _activity_columns(state)
            | {"prednisone_mg": 2.5 * round(prednisone * taper / 2.5)}
            | _laboratory(state.items, creatinine, female=female, age=age, rng=rng)
            | {
                "new_features": bool((state.items & ~previous_items).any()),
                "haemolytic_anaemia": False,
                "gi_activity": False,
                "standard_therapy": True,
                "doses_since_prev": int(((calendar.doses[i] >= previous_day) & (calendar.doses[i] < day)).sum()),
            }
        )
        previous_items, previous_day = state.items, day
    return rows


def _activity_columns(state: activity.Activity) -> dict[str, Any]:
    items = {f"sledai_{item}": bool(on) for item, on in zip(activity.ITEMS, state.items, strict=True)}
    letters = {
        f"bilag_{domain}": activity.LETTERS[rank] for domain, rank in zip(activity.DOMAINS, state.bilag, strict=True)
    }
    return {"sledai_total": state.sledai, **items, **letters, "pga": state.pga}


def _laboratory(
    items: np.ndarray, creatinine: float, *, female: bool, age: float, rng: np.random.Generator
) -> dict[str, Any]:
    """Laboratory values on the side of each limit that the SLEDAI items demand; creatinine stays near the subject's own."""
    on = dict(zip(activity.ITEMS, items.tolist(), strict=True))
    low_c4 = on["low_complement"] and rng.random() < 0.6
    protein = float(np.clip(rng.lognormal(0.6, 0.6), 0.55, 10)) if on["proteinuria"] else rng.uniform(0.03, 0.4)
    wbc = rng.uniform(1.5, 2.9) if on["leukopenia"] else max(3.1, rng.normal(6, 1.8))
    platelets = rng.uniform(40, 98) if on["thrombocytopenia"] else max(105, rng.normal(220, 55))
    creatinine *= rng.uniform(0.94, 1.06)
    values = {
        "albumin_g_l": (rng.normal(40, 3) - 7 * on["proteinuria"], 1),
        "upe_g_24h": (protein, 2),
        "upcr_g_g": (protein * rng.uniform(0.9, 1.1), 2),
        "creatinine_umol_l": (creatinine, 1),
        "egfr": (_egfr(creatinine, female=female, age=age), 1),
        "sediment_active": (on["haematuria"] or on["casts"] or on["pyuria"], None),
        "c3_g_l": (C3_NORMAL[0] * (rng.uniform(0.45, 0.95) if on["low_complement"] else rng.uniform(1.02, 1.5)), 2),
        "c4_g_l": (C4_NORMAL[0] * (rng.uniform(0.3, 0.9) if low_c4 else rng.uniform(1.1, 3.5)), 2),
        "dsdna_iu_ml": (np.clip(rng.lognormal(5.6, 0.9), 110, 2500) if on["dna_binding"] else rng.uniform(1, 90), 1),
        "wbc_1e9_l": (wbc, 2),
        "platelets_1e9_l": (platelets, 0),
        "lymphocytes_1e9_l": (wbc * rng.uniform(0.15, 0.32), 2),
    }
    return {name: value if digits is None else round(float(value), digits) for name, (value, digits) in values.items()}


def _egfr(creatinine: float, *, female: bool, age: float) -> float:
    """CKD-EPI 2021 without race, mL/min/1.73 m², from creatinine in µmol/L."""
    ratio = creatinine / 88.42 / (0.7 if female else 0.9)
    alpha = -0.241 if female else -0.302
    return float(142 * min(ratio, 1) ** alpha * max(ratio, 1) ** -1.2 * 0.9938**age * (1.012 if female else 1))

"""Disease activity of one subject: SLEDAI items, BILAG letters and PGA that agree with the SRI-4 status of each visit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Weight and prevalence at baseline of the 24 SLEDAI items; prevalences are assumptions near the published table.
_ITEMS = {
    "seizure": (8, 0.005),
    "psychosis": (8, 0.005),
    "organic_brain_syndrome": (8, 0.005),
    "visual": (8, 0.01),
    "cranial_nerve": (8, 0.005),
    "lupus_headache": (8, 0.02),
    "cva": (8, 0.0),
    "vasculitis": (8, 0.10),
    "arthritis": (4, 0.49),
    "myositis": (4, 0.05),
    "casts": (4, 0.04),
    "haematuria": (4, 0.18),
    "proteinuria": (4, 0.42),
    "pyuria": (4, 0.10),
    "rash": (2, 0.49),
    "alopecia": (2, 0.32),
    "mucosal_ulcers": (2, 0.08),
    "pleurisy": (2, 0.04),
    "pericarditis": (2, 0.03),
    "low_complement": (2, 0.65),
    "dna_binding": (2, 0.50),
    "fever": (1, 0.12),
    "thrombocytopenia": (1, 0.08),
    "leukopenia": (1, 0.15),
}
ITEMS = tuple(_ITEMS)
WEIGHTS = np.array([weight for weight, _ in _ITEMS.values()])
_PREVALENCE = np.array([share for _, share in _ITEMS.values()])
_PROTEINURIA = ITEMS.index("proteinuria")
PGA_TOP = 3
SLEDAI_ENTRY, SLEDAI_TOP = 8, (22, 27)

# BILAG-2004 domain -> the SLEDAI items that make it active.
_DOMAINS = {
    "constitutional": ("fever",),
    "mucocutaneous": ("rash", "alopecia", "mucosal_ulcers"),
    "neuropsychiatric": ("seizure", "psychosis", "organic_brain_syndrome", "cranial_nerve", "lupus_headache", "cva"),
    "musculoskeletal": ("arthritis", "myositis"),
    "cardiorespiratory": ("pleurisy", "pericarditis"),
    "gastrointestinal": (),
    "ophthalmic": ("visual",),
    "renal": ("casts", "haematuria", "proteinuria", "pyuria"),
    "haematological": ("thrombocytopenia", "leukopenia"),
}
DOMAINS = tuple(_DOMAINS)
_DRIVES = np.array([[item in items for item in ITEMS] for items in _DOMAINS.values()])
A, B, C, D, E = range(5)
LETTERS = "ABCDE"


@dataclass(frozen=True)
class Activity:
    """Items (24,) bool, BILAG ranks (9,) with A = 0, PGA 0 to 3 in steps of 0.1."""

    items: np.ndarray
    bilag: np.ndarray
    pga: float

    @property
    def sledai(self) -> int:
        """Sum of the weights of the items present, 0 to 105."""
        return int(WEIGHTS[self.items].sum())


def draw_baseline(rng: np.random.Generator, *, nephritis: bool, top: int) -> Activity:
    """Active disease at entry: SLEDAI of 8 to `top`; proteinuria in nephritis and there only."""
    while True:
        items = rng.random(len(ITEMS)) < _PREVALENCE
        items[_PROTEINURIA] = nephritis
        if SLEDAI_ENTRY <= WEIGHTS[items].sum() <= top:
            break
    active = (_DRIVES & items).any(axis=1)
    bilag = np.where(active, rng.choice([A, B, C], len(DOMAINS), p=[0.25, 0.5, 0.25]), rng.choice([D, E], len(DOMAINS)))
    return Activity(items, bilag, round(float(np.clip(rng.normal(2.0, 0.6), 0.5, 3.0)), 1))


def draw_visit(
    baseline: Activity,
    patience: np.ndarray,
    *,
    week: float,
    responder: bool,
    remission: bool,
    rng: np.random.Generator,
) -> Activity:
    """Disease activity at a later visit.

    Parameters
    ----------
    baseline
        Activity at entry.
    patience
        (24,) uniform numbers of the subject: the smaller, the sooner an item resolves.
    week
        Weeks since baseline.
    responder
        SRI-4 status that the result must have.
    remission
        Complete nephritis remission: no proteinuria. Without it proteinuria stays.
    """
    fails = "none" if responder else _failing_component(baseline, remission=remission, rng=rng)
    items = _draw_items(baseline, patience, week, responder=responder, remission=remission, capped=fails == "sledai")
    if fails == "sledai" and rng.random() < 0.2:
        # A new item of weight 1 or 2 can only lessen the improvement.
        items[rng.choice(np.flatnonzero(WEIGHTS <= 2))] = True
    bilag = _draw_bilag(baseline, items, flare=fails == "bilag", rng=rng)
    if fails == "pga":
        pga = min(3.0, baseline.pga + rng.uniform(0.3, 0.8))
    else:
        pga = baseline.pga * rng.uniform(0.1, 0.6) if responder else max(0.0, baseline.pga + rng.uniform(-1.0, 0.2))
    return Activity(items, bilag, _pga_step(pga, baseline.pga, worse=fails == "pga"))


def _failing_component(baseline: Activity, *, remission: bool, rng: np.random.Generator) -> str:
    """Why a non-responder is none. Losing proteinuria alone is 4 points: then it has to be BILAG or PGA."""
    may_rise = baseline.pga <= 2.6
    if not remission and rng.random() < 0.8:
        return "sledai"
    return "pga" if may_rise and rng.random() < 0.5 else "bilag"


def _draw_items(
    baseline: Activity, patience: np.ndarray, week: float, *, responder: bool, remission: bool, capped: bool
) -> np.ndarray:
    """Resolve items one by one: at least 4 points of a responder, at most 3 where the SLEDAI has to fail."""
    items = baseline.items.copy()
    items[_PROTEINURIA] &= not remission
    gain = baseline.sledai - int(WEIGHTS[items].sum())
    ready = (0.35 if responder else 0.15) + 0.4 * min(week / 12, 1)
    for i in np.argsort(patience, kind="stable"):
        if not items[i] or i == _PROTEINURIA:
            continue
        needed = responder and gain < 4
        allowed = not capped or gain + WEIGHTS[i] <= 3
        if needed or (allowed and patience[i] < ready):
            items[i] = False
            gain += WEIGHTS[i]
    return items


def _draw_bilag(baseline: Activity, items: np.ndarray, *, flare: bool, rng: np.random.Generator) -> np.ndarray:
    """Letters follow the items and never worsen, but for one new B at times; a flare is a new A or two new B."""
    active = (_DRIVES & items).any(axis=1)
    bilag = np.where(~active & (baseline.bilag <= C), D, baseline.bilag)
    eased = active & (bilag < C) & (rng.random(len(DOMAINS)) < 0.4)
    bilag = bilag + eased
    if flare and rng.random() < 0.5:
        bilag[rng.choice(np.flatnonzero(baseline.bilag != A))] = A
    elif flare or rng.random() < 0.06:
        quiet = np.flatnonzero(baseline.bilag >= C)
        if flare and len(quiet) < 2:
            bilag[rng.choice(np.flatnonzero(baseline.bilag != A))] = A
        elif len(quiet):
            bilag[rng.choice(quiet, 2 if flare else 1, replace=False)] = B
    return np.asarray(bilag)


def _pga_step(pga: float, baseline: float, *, worse: bool) -> float:
    """Round to a tenth without crossing the SRI-4 limit of 0.3 and without leaving the scale."""
    tenths = round(10 * baseline)
    value = round(10 * pga)
    return (max(value, tenths + 3) if worse else min(value, tenths + 2, 10 * PGA_TOP)) / 10

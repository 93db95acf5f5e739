"""Who attends, who responds, whose nephritis remits: the statuses that the clinical tables are then drawn to agree with.

Response: logit P = a_arm + change of the Treg logit at week 10 - 0.5 z(baseline Treg logit); a_arm is solved for, so that
the expected rate is the target. In a margin-matched trial the draw is repeated until the count is the published one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

if TYPE_CHECKING:
    from il2cyto.datasets._design import Design

# Published counts of placebo and IL-2 in the analysed set of 30 and 29.
ANALYSED = (30, 29)
SRI4 = {12: (9, 16), 24: (11, 19)}
NEPHRITIS, REMISSION = (12, 13), (2, 7)
# Shares of subjects: never seen after baseline, lost for good by the last visit; share of visits without a usable tube.
UNTREATED, DROPOUT, INTERMITTENT = 1 / 60, 0.11, 0.06
RESCUE = 0.15


@dataclass(frozen=True)
class Course:
    """What happens to the subjects; arrays are (subjects,) or (subjects, visits) bool.

    Attributes
    ----------
    treated
        False: randomised to the active arm, never dosed, never seen again.
    attended, sampled
        The visit took place; it has a tube.
    responder, remission
        SRI-4 responder and complete nephritis remission at a visit.
    nephritis
        Lupus nephritis at baseline.
    rescue
        Index of the visit at which rescue medication was given, 0 for none.
    """

    treated: np.ndarray
    attended: np.ndarray
    sampled: np.ndarray
    responder: np.ndarray
    nephritis: np.ndarray
    remission: np.ndarray
    rescue: np.ndarray


def draw_course(design: Design, treg: np.ndarray, *, matched: bool) -> Course:
    """Draw the statuses from the Treg logits, (subjects, visits)."""
    rng = design.rng("course")
    baseline = _standardised(treg[:, 0])
    treated = np.ones(design.n_subjects, bool)
    active = np.flatnonzero(design.active)
    treated[rng.choice(active, round(UNTREATED * design.n_subjects), replace=False)] = False
    attended = _draw_attendance(design, treated, baseline, rng)
    gaps = rng.random(attended.shape) < INTERMITTENT
    gaps[:, 0] = False
    link = _change_at(design, treg, 10) - 0.5 * baseline
    early = _draw_status(design, link, attended[:, _visit_at(design, 12)], treated, 12, matched=matched, rng=rng)
    late = _draw_status(
        design, link + 1.5 * early, attended[:, _visit_at(design, 24)], treated, 24, matched=matched, rng=rng
    )
    responder = _trajectories(design, early, late, rng) & attended
    rescue = _draw_rescue(~early & ~late & treated, attended, rng)
    visit = np.arange(len(design.weeks))
    responder &= (rescue[:, None] == 0) | (visit < rescue[:, None])
    nephritis, cured = _draw_nephritis(design, early, attended[:, -1], treated, matched=matched, rng=rng)
    onset = rng.uniform(4, 12, design.n_subjects)
    remission = cured[:, None] & (design.weeks >= onset[:, None]) & attended
    return Course(treated, attended, attended & ~gaps, responder, nephritis, remission, rescue)


def _standardised(values: np.ndarray) -> np.ndarray:
    return np.asarray((values - values.mean()) / (values.std() or 1.0))


def _visit_at(design: Design, week: float) -> int:
    """Last visit not later than a week."""
    return int(np.searchsorted(design.weeks, week, side="right")) - 1


def _change_at(design: Design, treg: np.ndarray, week: float) -> np.ndarray:
    return np.asarray(treg[:, _visit_at(design, week)] - treg[:, 0])


def _draw_attendance(design: Design, treated: np.ndarray, baseline: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Dropout is at random given the baseline Treg, which every model of the frequencies adjusts for."""
    n_visits = len(design.weeks)
    attended = np.ones((design.n_subjects, n_visits), bool)
    attended[~treated, 1:] = False
    n_lost = round(DROPOUT * design.n_subjects) if n_visits > 2 else 0
    weight = np.exp(-0.5 * baseline) * treated
    lost = rng.choice(design.n_subjects, n_lost, replace=False, p=weight / weight.sum())
    for i, last in zip(lost, rng.integers(1, n_visits - 1, n_lost) if n_lost else (), strict=True):
        attended[i, last + 1 :] = False
    return attended


def _draw_status(
    design: Design,
    link: np.ndarray,
    attended: np.ndarray,
    treated: np.ndarray,
    week: int,
    *,
    matched: bool,
    rng: np.random.Generator,
) -> np.ndarray:
    """Responders of one visit; who does not attend is none, and counts in the rate."""
    status = np.zeros(design.n_subjects, bool)
    control = SRI4[week][0] / ANALYSED[0]
    for arm in (0, 1):
        members = (design.active == bool(arm)) & treated
        able = members & attended
        # Without an effect on the cells there is none on the disease either.
        rate = control + arm * min(design.effects, 1.0) * (SRI4[week][1] / ANALYSED[1] - control)
        target = rate * members.sum()
        if able.any():
            status[able] = _draw_with_total(link[able], target, exact=matched, rng=rng)
    return status


def _draw_with_total(link: np.ndarray, target: float, *, exact: bool, rng: np.random.Generator) -> np.ndarray:
    """Bernoulli draws whose expected number is the target; `exact`: conditional on that number."""
    target = float(np.clip(target, 1e-6 * len(link), (1 - 1e-6) * len(link)))
    intercept = brentq(lambda a: float(expit(a + link).sum()) - target, -60.0 - link.max(), 60.0 - link.min())
    chance = expit(intercept + link)
    while True:
        draw = rng.random(len(link)) < chance
        if not exact or draw.sum() == round(target):
            return np.asarray(draw)


def _trajectories(design: Design, early: np.ndarray, late: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Status at every visit: the onset of a response lies before week 12; some respond for one visit only."""
    weeks = design.weeks
    onset = rng.uniform(1, 11, len(early))
    transient = rng.random((len(early), len(weeks))) < 0.08
    before = np.where(early[:, None], weeks >= onset[:, None], transient)
    status = np.where(weeks < 12, before, np.where(weeks < 18, early[:, None], late[:, None]))
    status[:, 0] = False
    return np.asarray(status)


def _draw_rescue(eligible: np.ndarray, attended: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    rescue = np.zeros(len(eligible), int)
    for i in np.flatnonzero(eligible & (rng.random(len(eligible)) < RESCUE) & attended[:, 1:].any(axis=1)):
        rescue[i] = rng.choice(np.flatnonzero(attended[i, 1:]) + 1)
    return rescue


def _draw_nephritis(
    design: Design,
    early: np.ndarray,
    attended: np.ndarray,
    treated: np.ndarray,
    *,
    matched: bool,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Subjects with nephritis and those it leaves; the latter first, as they have to be there at the end."""
    nephritis, cured = np.zeros((2, design.n_subjects), bool)
    for arm in (0, 1):
        members = (design.active == bool(arm)) & treated
        share = NEPHRITIS[arm] / ANALYSED[arm]
        rate = REMISSION[0] / NEPHRITIS[0]
        rate += arm * min(design.effects, 1.0) * (REMISSION[1] / NEPHRITIS[1] - rate)
        n = NEPHRITIS[arm] if matched else rng.binomial(members.sum(), share)
        able = np.flatnonzero(members & attended)
        n_cured = REMISSION[arm] if matched else min(rng.binomial(n, rate), len(able))
        weight = 1 + 4.0 * early[able]
        chosen = rng.choice(able, n_cured, replace=False, p=weight / weight.sum()) if n_cured else able[:0]
        cured[chosen] = True
        others = np.flatnonzero(members & ~cured)
        nephritis[chosen] = True
        nephritis[rng.choice(others, n - n_cured, replace=False)] = True
    return nephritis, cured

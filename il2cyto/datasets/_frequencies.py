"""Population frequencies of a simulated trial: a hierarchical model on the logit scale.

Nodes nest, so the fractions of lymphocytes always sum to one: NK of lymphocytes; T of non-NK; double-negative of T; CD4
of CD4 + CD8; Treg of CD4; CD56bright of NK; B of the rest. A node's logit is mean + subject + visit (AR(1) by visit
position) + technical + shift, the shift being the drug's. Means and SDs of CD4, CD8, NK and B follow published SLE cohorts;
the other numbers are assumptions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import root
from scipy.special import expit, logit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from il2cyto.datasets._design import Design

VISIT_CORRELATION = 0.5


@dataclass(frozen=True, slots=True)
class Node:
    """One binary split: mean and total SD of its logit, and the parts of the SD within subjects and from technique."""

    name: str
    mean: float
    sd: float
    within: float
    technical: float

    @property
    def between(self) -> float:
        """What is left of the SD for subjects to differ by: the three parts add as variances."""
        return float(np.sqrt(self.sd**2 - self.within**2 - self.technical**2))


NODES = (
    Node("NK", -2.924, 0.55, 0.25, 0.10),
    Node("T", 1.319, 0.798, 0.12, 0.05),
    Node("DN", -3.178, 0.35, 0.12, 0.05),
    Node("CD4", -0.062, 0.552, 0.15, 0.05),
    Node("Treg", -2.85, 0.45, 0.25, 0.12),
    Node("CD56bright", -2.44, 0.50, 0.35, 0.20),
    Node("B", 1.1, 0.5, 0.12, 0.05),
)
NODE = {node.name: i for i, node in enumerate(NODES)}

# IL-2 minus placebo on the logit scale; CD4 and CD8 as fractions of lymphocytes.
EFFECT_WEEKS = (0, 2, 4, 6, 8, 10, 12, 24)
EFFECTS: Mapping[str, tuple[float, ...]] = {
    "Treg": (0, 0.55, 0.25, 0.60, 0.28, 0.60, 0.35, 0.10),
    "CD56bright": (0, 0.70, 0.30, 0.75, 0.35, 0.75, 0.40, 0.10),
    "NK": (0, 0.25, 0.15, 0.30, 0.20, 0.30, 0.25, 0.10),
    "CD4": (0, 0.05, 0, 0.05, 0, 0.05, 0, 0),
    "CD8": (0, 0, 0, 0, 0, 0, 0, 0),
}
# Both arms drift alike, linearly up to week 24.
DRIFT = 0.05
DRIFTING = ("Treg", "CD56bright")

# The populations that cells are drawn from, as fractions of lymphocytes; CD4 splits into Treg and the other CD4.
LYMPHOCYTES = ("CD4_other", "Treg", "CD8", "DN", "NK_dim", "CD56bright", "B", "null")


def draw_logits(design: Design) -> np.ndarray:
    """Node logits of every subject at every visit, (subjects, visits, nodes), drug and drift included."""
    logits = np.stack(
        [_subject_logits(design.rng("frequency", i), len(design.weeks)) for i in range(design.n_subjects)]
    )
    drift = DRIFT * np.clip(design.weeks / EFFECT_WEEKS[-1], 0, 1)
    for name in DRIFTING:
        logits[:, :, NODE[name]] += drift
    shifts = np.stack([node_shifts(float(week), design.effects) for week in design.weeks])
    return np.asarray(logits + design.active[:, None, None] * shifts)


def _subject_logits(rng: np.random.Generator, n_visits: int) -> np.ndarray:
    mean, between, within, technical = (
        np.array([getattr(node, part) for node in NODES]) for part in ("mean", "between", "within", "technical")
    )
    subject = rng.standard_normal(len(NODES))
    steps, noise = rng.standard_normal((2, n_visits, len(NODES)))
    for j in range(1, n_visits):
        steps[j] = VISIT_CORRELATION * steps[j - 1] + np.sqrt(1 - VISIT_CORRELATION**2) * steps[j]
    return np.asarray(mean + between * subject + within * steps + technical * noise)


def effects_at(week: float, scale: float = 1.0) -> dict[str, float]:
    """Interpolate the drug's effect on each population, logit scale, linear between the tabled weeks.

    Examples
    --------
    >>> effects_at(6)["Treg"]
    0.6
    """
    return {name: scale * float(np.interp(week, EFFECT_WEEKS, values)) for name, values in EFFECTS.items()}


@lru_cache(maxsize=256)
def node_shifts(week: float, scale: float) -> np.ndarray:
    """Shifts of the nodes' logits, (nodes,), that give `effects_at`.

    NK, Treg and CD56bright are nodes themselves. A rise of NK leaves less room for T cells, so the shifts of T and of the
    CD4:CD8 split are solved for: over the population, the mean logits of CD4 and CD8 of lymphocytes move as tabled.
    """
    effect = effects_at(week, scale)
    shifts = np.zeros(len(NODES))
    for name in ("NK", "Treg", "CD56bright"):
        shifts[NODE[name]] = effect[name]
    if scale and week > 0:
        shifts[[NODE["T"], NODE["CD4"]]] = _t_and_split_shifts(effect)
    shifts.flags.writeable = False
    return shifts


def _t_and_split_shifts(effect: Mapping[str, float]) -> np.ndarray:
    points, weights = np.polynomial.hermite_e.hermegauss(15)
    grid = np.meshgrid(points, points, points, indexing="ij")
    weight = weights[:, None, None] * weights[:, None] * weights
    weight /= weight.sum()
    nk, t, split = (
        NODES[NODE[name]].mean + NODES[NODE[name]].sd * z for name, z in zip(("NK", "T", "CD4"), grid, strict=True)
    )
    not_dn = 1 - expit(NODES[NODE["DN"]].mean)

    def mean_logits(nk: np.ndarray, t: np.ndarray, split: np.ndarray) -> np.ndarray:
        both = (1 - expit(nk)) * expit(t) * not_dn
        return np.array([(logit(both * share) * weight).sum() for share in (expit(split), 1 - expit(split))])

    wanted = mean_logits(nk, t, split) + np.array([effect["CD4"], effect["CD8"]])
    solution = root(lambda x: mean_logits(nk + effect["NK"], t + x[0], split + x[1]) - wanted, [0.0, 0.0])
    return np.asarray(solution.x)


def lymphocyte_fractions(logits: np.ndarray) -> np.ndarray:
    """Fractions of lymphocytes in the order of `LYMPHOCYTES`, (..., 8), from node logits (..., nodes); they sum to one."""
    nk, t, dn, cd4, treg, bright, b = np.moveaxis(expit(logits), -1, 0)
    t_cells = (1 - nk) * t
    single = t_cells * (1 - dn)
    rest = (1 - nk) * (1 - t)
    parts = (
        single * cd4 * (1 - treg),
        single * cd4 * treg,
        single * (1 - cd4),
        t_cells * dn,
        nk * (1 - bright),
        nk * bright,
        rest * b,
        rest * (1 - b),
    )
    return np.stack(parts, axis=-1)

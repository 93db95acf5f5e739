"""The plan of a simulated trial: subjects, arms, visits, batches, and where random numbers come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

TREATMENT_WEEKS = ((0.0, 2.0), (4.0, 6.0), (8.0, 10.0))
DOSES_PER_CYCLE = 7
BATCH_SUBJECTS_PER_ARM = 5

# First part of every seed's key: one stream per purpose, so that a longer trial leaves the earlier subjects as they were.
STREAMS = ("allocation", "frequency", "course", "subject", "visit", "safety", "batch", "events", "jitter")


@dataclass(frozen=True)
class Design:
    """Who is measured when, in which arm and batch.

    Attributes
    ----------
    active
        (subjects,) bool: the subject is in the second arm.
    weeks
        (visits,) planned weeks, the first is baseline.
    batch
        (subjects, visits) batch number.
    """

    seed: int
    arms: tuple[str, str]
    active: np.ndarray
    weeks: np.ndarray
    batch: np.ndarray
    effects: float

    @property
    def n_subjects(self) -> int:
        """Randomised subjects of both arms."""
        return len(self.active)

    @property
    def subjects(self) -> list[str]:
        """Names that say they are simulated, SIM-001 and on."""
        return [subject_name(i) for i in range(self.n_subjects)]

    @property
    def visits(self) -> list[str]:
        """Names by planned week, W0 and on."""
        return [f"W{week:g}" for week in self.weeks]

    def rng(self, stream: str, *key: int) -> np.random.Generator:
        """Make the generator of one stream: it depends on the seed and the key alone, not on what was drawn before."""
        sequence = np.random.SeedSequence(self.seed, spawn_key=(STREAMS.index(stream), *key))
        return np.random.Generator(np.random.SFC64(sequence))


def subject_name(index: int) -> str:
    """Subject identifier; the prefix marks it as simulated.

    Examples
    --------
    >>> subject_name(0)
    'SIM-001'
    """
    return f"SIM-{index + 1:03d}"


def make_design(
    *,
    subjects: int,
    seed: int,
    visits: Sequence[float],
    arms: tuple[str, str],
    effects: float,
    batches: Literal["subjects", "visit"],
) -> Design:
    """Allocate subjects 1:1 to the arms at random, and files to batches."""
    active = np.arange(subjects) % 2 == 1
    shell = Design(seed, arms, active, np.asarray(visits, float), np.empty((subjects, len(visits)), int), effects)
    shell.rng("allocation").shuffle(active)
    if batches == "visit":
        shell.batch[:] = np.arange(len(visits))
    else:
        # A subject's place within the arm: a batch holds complete subjects, as many of one arm as of the other.
        place = np.where(active, np.cumsum(active), np.cumsum(~active)) - 1
        shell.batch[:] = (place // BATCH_SUBJECTS_PER_ARM)[:, None]
    return shell


def drug_level(week: float) -> float:
    """How far marker intensities are moved by the drug at a week: 1 on drug, 0.4 in the pauses, 0 before and late.

    Examples
    --------
    >>> [drug_level(week) for week in (0, 2, 4, 10, 12, 24)]
    [0.0, 1.0, 0.4, 1.0, 0.4, 0.0]
    """
    if any(start < week <= end for start, end in TREATMENT_WEEKS):
        return 1.0
    pause = TREATMENT_WEEKS[1][0] - TREATMENT_WEEKS[0][1]
    return 0.4 if TREATMENT_WEEKS[0][0] < week <= TREATMENT_WEEKS[-1][1] + pause else 0.0

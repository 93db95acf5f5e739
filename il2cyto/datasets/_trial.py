"""simulate_trial: a whole trial with known truth, as a folder that il2cyto reads like any other."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from il2cyto.datasets import _clinical as clinical, _panel as panel
from il2cyto.datasets._course import draw_course
from il2cyto.datasets._design import Design, drug_level, make_design, subject_name
from il2cyto.datasets._events import TIMESTEP, Tube, draw_events
from il2cyto.datasets._frequencies import LYMPHOCYTES, NODE, draw_logits, lymphocyte_fractions
from il2cyto.datasets._safety import adverse_events_table
from il2cyto.datasets._study_file import study_yaml
from il2cyto.errors import StudyError
from il2cyto.io import Spillover, write_fcs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from il2cyto.datasets._course import Course
    from il2cyto.datasets._events import Events

__all__ = ["simulate_trial"]

WEEKS = (0, 2, 4, 6, 8, 10, 12, 24)
# The size of the published trial: with it the published counts of responders and adverse events are matched.
PUBLISHED_SUBJECTS = 60
_KEYWORDS = {"IL2CYTO_SIMULATED": "1", "$CYT": "il2cyto simulator"}
# Reported population -> its parent and the cells in it.
_T = ("CD4_other", "Treg", "CD8", "DN")
TRUTH = {
    "lymphocytes": ("leukocytes", LYMPHOCYTES),
    "T": ("lymphocytes", _T),
    "CD4": ("T", ("CD4_other", "Treg")),
    "CD8": ("T", ("CD8",)),
    "Treg": ("CD4", ("Treg",)),
    "NK": ("lymphocytes", ("NK_dim", "CD56bright")),
    "CD56bright": ("NK", ("CD56bright",)),
    "B": ("lymphocytes", ("B",)),
}


@dataclass(frozen=True, slots=True)
class _Job:
    """One tube and where it goes."""

    sample: str
    batch: int
    key: tuple[int, int]
    tube: Tube


def simulate_trial(
    out: str | os.PathLike[str],
    *,
    subjects: int = PUBLISHED_SUBJECTS,
    seed: int = 2020,
    events: int = 10_000,
    visits: Sequence[float] = WEEKS,
    arms: tuple[str, str] = ("placebo", "IL-2"),
    batch_shift: float = 0.05,
    jitter: float = 0.0,
    effects: float = 1.0,
    intensity_shift: float = 1.0,
    batches: Literal["subjects", "visit"] = "subjects",
    outcomes: Literal["auto", "matched", "free"] = "auto",
    files: bool = True,
    labels: bool = False,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Simulate a trial of low-dose IL-2 in SLE: FCS files, sample sheet, clinical tables and the truth.

    Everything is marked as simulated: the study file, the subjects (``SIM-001``) and a keyword of each FCS file. The truth
    (``truth/frequencies.csv``) lies beside the data; neither the study file nor the sample sheet mentions it.

    Parameters
    ----------
    out
        Folder to write to; files of the same names are replaced, a study that is not simulated is refused.
    subjects
        Randomised subjects, half of them in each arm. About one in twelve more is listed as not enrolled.
    seed
        Same seed and settings, same bytes, whatever `workers` is.
    events
        Events per file, debris, doublets and dead cells among them.
    visits
        Planned weeks, ascending and at least one week apart; the first is 0, the baseline.
    arms
        Control and active arm.
    batch_shift
        SD of the batches' shifts of marker brightness, log10 units; 0.3 is a stress test.
    jitter
        SD of each tube's own shift of marker brightness, log10 units.
    effects
        Multiplies the drug's effects on frequencies (up to 1 also on response); 0 is the null.
    intensity_shift
        Multiplies how far the drug brightens CD25 of T cells and CD56 of NK cells, which changes no label; 0 for not at all.
    batches
        ``subjects``: complete subjects of both arms; ``visit``: one batch a visit, which confounds batch and visit.
    outcomes
        ``matched``: counts of SRI-4, nephritis remission and adverse events equal the published ones (60 subjects only);
        ``free``: drawn from the model; ``auto``: matched where possible and `effects` is 1.
    files
        Write the FCS files and the truth about their cells; without them a trial of tables alone takes seconds.
    labels
        Also write the population and status of each event to ``truth/labels/<sample>.npz``.
    workers
        Threads; as many as there are processors by default.
    progress
        Called with (files written, files in all) after each file.

    Returns
    -------
    The path of ``study.yaml``.

    Raises
    ------
    StudyError
        A setting that cannot be simulated, or a folder with a study that is not simulated.

    Notes
    -----
    Frequencies follow a hierarchical logit model with published means for SLE; the sizes of the drug's effects, the
    brightness of the populations and what is missing (one subject without any dose, 11 % lost by the end, 6 % of the other
    tubes) are assumptions, not results of any trial.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     study = simulate_trial(folder, subjects=2, visits=(0, 12), events=500)
    ...     study.name, len(list((study.parent / "fcs").glob("*.fcs")))
    ('study.yaml', 4)
    """
    out = Path(out)
    _check(out, subjects=subjects, events=events, visits=visits, arms=arms, outcomes=outcomes)
    design = make_design(subjects=subjects, seed=seed, visits=visits, arms=arms, effects=effects, batches=batches)
    can_match = subjects == PUBLISHED_SUBJECTS and {12, 24} <= set(visits)
    matched = outcomes == "matched" or (outcomes == "auto" and can_match and effects == 1.0)
    logits = draw_logits(design)
    course = draw_course(design, logits[:, :, NODE["Treg"]], matched=matched)
    out.mkdir(parents=True, exist_ok=True)
    jobs = _jobs(design, course.sampled, logits, events, (batch_shift, jitter), drug=intensity_shift)
    _write_tables(out, design, jobs, course=course, matched=matched)
    if files:
        counts = _write_files(out, design, jobs, labels=labels, workers=workers, progress=progress)
        truth = pl.concat(_truth(job.sample, count) for job, count in zip(jobs, counts, strict=True))
        truth.write_csv(out / "truth" / "frequencies.csv")
    study = out / "study.yaml"
    study.write_text(study_yaml(design), encoding="utf-8")
    return study


def _check(
    out: Path, *, subjects: int, events: int, visits: Sequence[float], arms: tuple[str, str], outcomes: str
) -> None:
    steps = np.diff(np.asarray(visits, float))
    study = out / "study.yaml"
    problems = {
        f"subjects is {subjects}; allowed is 2 or more": subjects < 2,
        f"events is {events}; allowed is 100 or more": events < 100,
        f"visits are {list(visits)}; allowed are ascending weeks, one or more apart, from 0": len(visits) < 2
        or visits[0] != 0
        or bool((steps < 1).any()),
        f"arms are {list(arms)}; allowed are two different names, control first": len(set(arms)) != 2 or len(arms) != 2,
        f"outcomes is {outcomes!r}; allowed are 'auto', 'matched', 'free'": outcomes not in {"auto", "matched", "free"},
        f"outcomes is 'matched' with {subjects} subjects and visits {list(visits)}; the published counts need "
        f"{PUBLISHED_SUBJECTS} subjects and weeks 12 and 24": outcomes == "matched"
        and not (subjects == PUBLISHED_SUBJECTS and {12, 24} <= set(visits)),
        "the folder holds a study.yaml that is not simulated; choose another folder": study.is_file()
        and "simulated: true" not in study.read_text(encoding="utf-8").splitlines(),
    }
    found = [text for text, wrong in problems.items() if wrong]
    if found:
        msg = "simulate_trial: " + "; ".join(found)
        raise StudyError(msg)


def _jobs(
    design: Design, sampled: np.ndarray, logits: np.ndarray, events: int, spread: tuple[float, float], *, drug: float
) -> list[_Job]:
    """Tubes; `spread` is the SD of the brightness of batches, and of tubes within a batch."""
    fractions = lymphocyte_fractions(logits)
    shifts = {
        int(batch): design.rng("batch", int(batch)).normal(0, spread[0], len(panel.MARKERS))
        for batch in np.unique(design.batch)
    }
    jobs = []
    for i, j in np.argwhere(sampled).tolist():
        batch, week = int(design.batch[i, j]), float(design.weeks[j])
        shift = shifts[batch] + design.rng("jitter", i, j).normal(0, spread[1], len(panel.MARKERS))
        tube = Tube(fractions[i, j], events, shift, drug * bool(design.active[i]) * drug_level(week))
        jobs.append(_Job(f"{subject_name(i)}_{design.visits[j]}", batch, (i, j), tube))
    return jobs


def _write_tables(out: Path, design: Design, jobs: list[_Job], *, course: Course, matched: bool) -> None:
    calendar = clinical.make_calendar(design, course)
    subjects = clinical.subjects_table(design, course, calendar)
    samples = [
        (
            f"fcs/{job.sample}.fcs",
            subject_name(job.key[0]),
            design.visits[job.key[1]],
            "tnk",
            job.sample,
            f"B{job.batch + 1:02d}",
        )
        for job in jobs
    ]
    tables = {
        "samples": pl.DataFrame(samples, schema=["file", "subject", "visit", "panel", "sample", "batch"], orient="row"),
        "subjects": subjects,
        "visits": clinical.visits_table(design, course, calendar, subjects),
        "adverse_events": adverse_events_table(design, course, calendar, matched=matched),
    }
    for name, table in tables.items():
        table.write_csv(out / f"{name}.csv")


def _write_files(
    out: Path,
    design: Design,
    jobs: list[_Job],
    *,
    labels: bool,
    workers: int | None,
    progress: Callable[[int, int], None] | None,
) -> list[np.ndarray]:
    """Live single cells per population of each file; threads do, as numpy draws and computes outside the interpreter lock."""
    for folder in ("fcs", "truth/labels" if labels else "truth"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    spillover = Spillover(tuple(panel.COLOURS.values()), panel.spillover_matrix(), "$SPILLOVER")

    def write(job: _Job) -> np.ndarray:
        drawn = draw_events(job.tube, design.rng("events", *job.key))
        write_fcs(
            out / "fcs" / f"{job.sample}.fcs",
            drawn.values,
            names=panel.NAMES,
            labels=panel.LABELS,
            ranges=[panel.RANGE] * len(panel.NAMES),
            spillover=spillover,
            keywords=_KEYWORDS,
            timestep=TIMESTEP,
        )
        if labels:
            _write_labels(out / "truth" / "labels" / f"{job.sample}.npz", drawn)
        return drawn.counts()

    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        futures = [pool.submit(write, job) for job in jobs]
        for done, future in enumerate(as_completed(futures), start=1):
            future.result()
            if progress is not None:
                progress(done, len(jobs))
    return [future.result() for future in futures]


def _write_labels(path: Path, drawn: Events) -> None:
    np.savez_compressed(
        path,
        population=drawn.population,
        status=drawn.status,
        populations=np.array(panel.POPULATIONS),
        statuses=np.array(panel.STATUSES),
    )


def _truth(sample: str, counts: np.ndarray) -> pl.DataFrame:
    total = {"leukocytes": int(counts.sum())}
    total |= {name: int(counts[[panel.CODE[cell] for cell in cells]].sum()) for name, (_, cells) in TRUTH.items()}
    rows = [(sample, name, parent, total[name], total[parent]) for name, (parent, _) in TRUTH.items()]
    table = pl.DataFrame(rows, schema=["sample", "population", "parent", "count", "parent_count"], orient="row")
    frequency = pl.when(pl.col("parent_count") > 0).then(pl.col("count") / pl.col("parent_count"))
    return table.with_columns(frequency=frequency)

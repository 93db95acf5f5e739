"""Many files: propose in parallel, reconcile once, apply in parallel. One bad file is a row in `failures`; the others go on."""

from __future__ import annotations

import logging
import os
import warnings
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import polars as pl

from il2cyto.errors import FcsWarning, Il2cytoError
from il2cyto.gt._apply import GateResult, apply
from il2cyto.gt._controls import control_cuts, settled_by, with_controls
from il2cyto.gt._flags import FAIL, Flag
from il2cyto.gt._plan import Events, make_plan
from il2cyto.gt._propose import PROPOSAL_SCHEMA, propose
from il2cyto.gt._reconcile import reconcile
from il2cyto.io import open_fcs
from il2cyto.template._axes import axes_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from il2cyto.panel import Channel
    from il2cyto.template import GatingTemplate, Override

    #: Called with the stage, the files done and the files in all.
    Progress = Callable[[str, int, int], None]

logger = logging.getLogger("il2cyto")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Job:
    """One file to gate. Batch and subject are the only things gating may know about where it comes from."""

    sample: str
    path: Path
    batch: str | None = None
    subject: str | None = None
    #: The marker that the file was stained without: an FMO control, which has no result of its own.
    fmo: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that did not make it, and why."""

    sample: str
    file: str
    stage: str
    error: str
    message: str


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is known of a file beside its gates."""

    sample: str
    file: str
    sha256: str
    simulated: bool
    flags: tuple[str, ...]
    channels: Mapping[str, Channel] = field(default_factory=dict)  # marker as the template writes it -> channel


@dataclass(frozen=True)
class GatedBatch:
    """All files of one panel, gated.

    Attributes
    ----------
    results
        One per readable file, sorted by sample.
    cuts
        The table of :func:`il2cyto.gt.reconcile`: own and final cut of every sample and fitted gate, with the reason.
    failures
        Files without a result, and files in which no endpoint could be evaluated.
    polygons
        Sample -> population -> the polygon that a person drew in place of its gate.
    """

    template: GatingTemplate
    results: tuple[GateResult, ...]
    cuts: pl.DataFrame
    facts: Mapping[str, FileFacts]
    failures: tuple[Failure, ...]
    polygons: Mapping[str, Mapping[str, tuple[tuple[float, float], ...]]] = field(default_factory=dict)


def gate_files(
    jobs: Iterable[Job],
    template: GatingTemplate,
    *,
    aliases: Mapping[str, str] | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    overrides: Iterable[Override] = (),
    on_gated: Callable[[Job, GateResult], None] | None = None,
    densities: bool = False,
) -> GatedBatch:
    """Gate the files of one panel with one template.

    Parameters
    ----------
    jobs
        The files; their order changes nothing.
    template
        The gating strategy.
    aliases
        A lab's own labels, found label -> marker.
    workers
        Threads; as many as there are cores if None. Their number changes nothing but the time.
    progress
        Called after every file.
    overrides
        Gates that a person set for single samples. They are applied last and move no other sample's cut.
    on_gated
        Called in the worker for each gated file, with its membership masks (to write the events, for example).
    densities
        Keep what each gate looks at, binned for review: about 10 KB a gate and file.

    Returns
    -------
    The gated batch. A file that cannot be read or gated stands in ``failures``; nothing is raised for it.
    """
    jobs = sorted(jobs, key=lambda job: job.sample)
    runner = _Runner(workers or os.cpu_count() or 1, progress)
    aliases = dict(aliases or {})
    with warnings.catch_warnings():
        # What the reader has to say is kept with the file (FileFacts.flags) and reported in one place.
        warnings.simplefilter("ignore", FcsWarning)
        controls = _controls(runner, [job for job in jobs if job.fmo], template, aliases)
        jobs = [job for job in jobs if not job.fmo]
        proposed = runner.run(
            "propose", jobs, lambda job: _propose(job, template, aliases, settled_by(controls.get(job.batch)))
        )
        live = [job for job in jobs if job.sample in proposed]
        overrides = tuple(overrides)
        cuts = _override(_reconcile(runner, live, proposed, controls, template, aliases), overrides, template)
        polygons = _polygons(overrides)
        of_sample = {str(key[0]): rows for key, rows in cuts.partition_by("sample", as_dict=True).items()}
        empty = cuts.clear()

        def gate(job: Job) -> GateResult:
            events = _events(job, template, aliases)
            result = apply(
                events,
                of_sample.get(job.sample, empty),
                sample=job.sample,
                polygons=polygons.get(job.sample),
                keep_masks=on_gated is not None,
                keep_densities=densities,
            )
            if on_gated is not None:
                on_gated(job, result)
            return result

        gated = runner.run("apply", live, gate)
    results = tuple(gated[job.sample] for job in live if job.sample in gated)
    failures = [*runner.failures, *_nothing_evaluable(live, results, template)]
    facts = {sample: fact for sample, (_, fact) in proposed.items()}
    return GatedBatch(template, results, cuts, facts, tuple(sorted(failures, key=lambda f: f.sample)), polygons)


def _events(job: Job, template: GatingTemplate, aliases: Mapping[str, str]) -> Events:
    file = open_fcs(job.path)
    return Events(file, make_plan(template, file.panel(aliases), file=file.name))


def _propose(
    job: Job, template: GatingTemplate, aliases: Mapping[str, str], given: Mapping[str, Mapping[str, float]]
) -> tuple[pl.DataFrame, FileFacts]:
    file = open_fcs(job.path)
    events = Events(file, make_plan(template, file.panel(aliases), file=file.name))
    sha256 = file.sha256()
    codes = tuple(flag.code for flag in file.flags)
    facts = FileFacts(job.sample, file.name, sha256, file.simulated, codes, events.plan.channels)
    return propose(events, sample=job.sample, content=sha256, given=given, control=job.fmo), facts


def _controls(
    runner: _Runner, jobs: list[Job], template: GatingTemplate, aliases: Mapping[str, str]
) -> dict[str | None, pl.DataFrame]:
    """Batch -> the cuts that its FMO controls give."""
    if not jobs:
        return {}
    proposed = runner.run("controls", jobs, lambda job: _propose(job, template, aliases, {}))
    tables = {sample: table for sample, (table, _) in proposed.items()}
    return control_cuts(tables, {job.sample: (job.batch, job.fmo) for job in jobs}, template)


def _reconcile(
    runner: _Runner,
    jobs: list[Job],
    proposed: Mapping[str, tuple[pl.DataFrame, FileFacts]],
    controls: Mapping[str | None, pl.DataFrame],
    template: GatingTemplate,
    aliases: Mapping[str, str],
) -> pl.DataFrame:
    """Reconcile, propose again below the cuts that moved, and reconcile once more: never a third time."""
    groups = pl.DataFrame(
        [(job.sample, job.batch, job.subject) for job in jobs],
        schema={"sample": pl.String, "batch": pl.String, "subject": pl.String},
        orient="row",
    )
    given_to = {job.sample: controls.get(job.batch) for job in jobs}
    tables = {sample: with_controls(table, given_to[sample], sample=sample) for sample, (table, _) in proposed.items()}
    cuts = reconcile(_stack(tables), groups, template)
    moved = _moved(cuts, template)
    if not moved:
        return cuts
    given = {
        sample: {**settled_by(given_to[sample]), **_settled(tables[sample], finals, template)}
        for sample, finals in moved.items()
    }

    def propose_below(job: Job) -> pl.DataFrame:
        content = proposed[job.sample][1].sha256
        return propose(_events(job, template, aliases), sample=job.sample, content=content, given=given[job.sample])

    again = runner.run("propose again", [job for job in jobs if job.sample in given], propose_below)
    for sample, table in again.items():
        kept = tables[sample].filter(pl.col("population").is_in(list(given[sample])))
        tables[sample] = pl.concat([kept, table])
    return reconcile(_stack(tables), groups, template)


def _override(cuts: pl.DataFrame, overrides: Iterable[Override], template: GatingTemplate) -> pl.DataFrame:
    """Put the cuts that a person chose into the table, with the flag MANUAL and the reason; corners on them follow."""
    for override in overrides:
        if override.cut is None:
            continue
        places = [(override.population, "cut"), *axes_on(template, override.population)]
        row = pl.concat_str("population", "coordinate", separator="/")
        here = (pl.col("sample") == override.sample) & row.is_in(["/".join(place) for place in places])
        manual = {"final": override.cut, "final_spread": 0.0, "flags": int(Flag.MANUAL), "reason": override.why}
        cuts = cuts.with_columns(
            pl.when(here).then(pl.lit(value)).otherwise(pl.col(name)).alias(name) for name, value in manual.items()
        )
    return cuts


def _polygons(overrides: Iterable[Override]) -> dict[str, dict[str, tuple[tuple[float, float], ...]]]:
    drawn: dict[str, dict[str, tuple[tuple[float, float], ...]]] = {}
    for override in overrides:
        if override.polygon is not None:
            drawn.setdefault(override.sample, {})[override.population] = override.polygon
    return drawn


def _settled(
    proposals: pl.DataFrame, finals: Mapping[str, Mapping[str, float]], template: GatingTemplate
) -> dict[str, Mapping[str, float]]:
    """The cuts with which a file is proposed again: final ones that moved, and own ones that stand on none of these."""
    above = _above(template)
    settled: dict[str, Mapping[str, float]] = {}
    for (population,), rows in proposals.partition_by("population", as_dict=True).items():
        own = dict(rows.select("coordinate", "value").iter_rows())
        if not above[population] & finals.keys() and np.isfinite(list(own.values())).all():
            settled[population] = own
    return {**settled, **finals}


def _stack(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    return pl.concat([tables[sample] for sample in sorted(tables)] or [pl.DataFrame(schema=PROPOSAL_SCHEMA)])


def _moved(cuts: pl.DataFrame, template: GatingTemplate) -> dict[str, dict[str, dict[str, float]]]:
    """Sample -> population -> coordinate -> final cut, for final cuts other than those under which the file was proposed.

    That is: moved by more than twice the spread, or given to a file that had none of its own. Only gates on which other
    fitted gates stand matter.
    """
    last_resorts = {p.name: template.adapt_of(p.name).fixed for p in template.populations}
    rows = cuts.filter(pl.col("population").is_in(_upstream_of_fitted(template)))
    moved: dict[str, dict[str, dict[str, float]]] = {}
    columns = ("coordinate", "own", "spread", "delta", "final")
    for (sample, population), shape in rows.partition_by("sample", "population", as_dict=True).items():
        coordinates = list(shape.select(columns).iter_rows())
        # A shape is given whole: all its numbers, though one alone may have moved.
        if all(np.isfinite(final) for *_, final in coordinates) and any(
            _is_moved(own if np.isfinite(own) else last_resorts[population], spread, delta, final)
            for _, own, spread, delta, final in coordinates
        ):
            moved.setdefault(sample, {})[population] = {name: final for name, *_, final in coordinates}
    return moved


def _is_moved(used: float | None, spread: float, delta: float, final: float) -> bool:
    return used is None or abs(final - used) > max(2 * spread, delta)


def _above(template: GatingTemplate) -> dict[str, set[str]]:
    """Population -> everything it stands on, as parent, operand or reference, however far above."""
    above: dict[str, set[str]] = {"root": set()}
    for name in template.order:
        population = template.by_name[name]
        direct = {population.parent, *population.referred}
        above[name] = direct.union(*(above[other] for other in direct))
    return above


def _upstream_of_fitted(template: GatingTemplate) -> list[str]:
    """Fitted gates on which another fitted gate stands."""
    above = _above(template)
    fitted = [p.name for p in template.populations if p.gate is not None and p.gate.fitted]
    return [name for name in fitted if any(name in above[other] for other in fitted)]


def _nothing_evaluable(jobs: list[Job], results: Iterable[GateResult], template: GatingTemplate) -> Iterable[Failure]:
    files = {job.sample: job.path.name for job in jobs}
    endpoints = [p.name for p in template.populations if p.endpoint] or [p.name for p in template.reported]
    for result in results:
        if all(result.flags[name] & FAIL for name in endpoints):
            message = f"{files[result.sample]}: no endpoint population could be evaluated ({result.n_usable} usable events); see its flags"
            yield Failure(result.sample, files[result.sample], "gate", "GatingError", message)


class _Runner:
    """Runs a function over jobs on threads; exceptions become failures."""

    def __init__(self, workers: int, progress: Progress | None) -> None:
        self.failures: list[Failure] = []
        self._workers, self._progress = workers, progress

    def run(self, stage: str, jobs: list[Job], function: Callable[[Job], T]) -> dict[str, T]:
        done: dict[str, T] = {}
        with ThreadPoolExecutor(self._workers, thread_name_prefix="il2cyto") as executor:
            futures = {executor.submit(function, job): job for job in jobs}
            for i, future in enumerate(as_completed(futures), start=1):
                job = futures[future]
                try:
                    done[job.sample] = future.result()
                except Exception as error:  # noqa: BLE001 - one bad file must not stop the others
                    self.failures.append(_failure(job, stage, error))
                if self._progress is not None:
                    self._progress(stage, i, len(jobs))
        return done


def _failure(job: Job, stage: str, error: Exception) -> Failure:
    name = type(error).__name__
    if isinstance(error, Il2cytoError):
        return Failure(job.sample, job.path.name, stage, name, str(error))
    # The text of a foreign exception may quote the file; only its class leaves.
    logger.debug("%s: %s during %s", job.path.name, name, stage)
    message = f"{job.path.name}: unexpected {name} during {stage}; the file was left out. Please report it with the file's header."
    return Failure(job.sample, job.path.name, stage, name, message)


def failures_frame(failures: Iterable[Failure]) -> pl.DataFrame:
    """Failures as a table of text: sample, file, stage, error, message."""
    rows = [(f.sample, f.file, f.stage, f.error, f.message) for f in failures]
    columns = dict.fromkeys(("sample", "file", "stage", "error", "message"), pl.String)
    return pl.DataFrame(rows, schema=columns, orient="row")

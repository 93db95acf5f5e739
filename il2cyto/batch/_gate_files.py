"""Many files: propose in parallel, reconcile once, apply in parallel. One bad file is a row in `failures`; the others go on."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from il2cyto.batch._cache import Cache
from il2cyto.batch._contents import Contents
from il2cyto.batch._executor import NotDone, Rehearsal, Runner, open_backend
from il2cyto.batch._rounds import moved_cuts, settled_cuts
from il2cyto.batch._shards import Shards
from il2cyto.batch._steps import Apply, Look, Propose
from il2cyto.batch._types import Failure, GatedBatch
from il2cyto.errors import FcsWarning, RunError
from il2cyto.gt._controls import control_cuts, settled_by, with_controls
from il2cyto.gt._flags import FAIL, Flag
from il2cyto.gt._propose import PROPOSAL_SCHEMA, panel_of
from il2cyto.gt._reconcile import reconcile
from il2cyto.template._axes import axes_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from il2cyto.batch._types import Backend, Job, Progress
    from il2cyto.gt import GateResult
    from il2cyto.template import GatingTemplate, Override
    from il2cyto.template._template import GroupLevel


def gate_files(
    jobs: Iterable[Job],
    template: GatingTemplate,
    *,
    aliases: Mapping[str, str] | None = None,
    workers: int | None = None,
    backend: Backend | None = None,
    cache: Cache | None = None,
    progress: Progress | None = None,
    overrides: Iterable[Override] = (),
    events: Path | None = None,
    densities: bool = False,
    level: GroupLevel | None = None,
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
    backend
        From :func:`open_backend`, to run elsewhere than on own threads.
    cache
        From :func:`open_cache`: keeps what was found in each file, so that a later call does not do it again. Memory if None,
        which processes of a cluster cannot use.
    progress
        Called after every file.
    overrides
        Gates that a person set for single samples. They are applied last and move no other sample's cut.
    events
        Folder for each file's events with their gates, ``<sample>.h5ad``; they are not written if None.
    densities
        Keep what each gate looks at, binned for review: about 10 KB a gate and file.
    level
        Adapt every cut at this level in place of the template's. What files propose does not depend on it, and is taken from the
        cache.

    Returns
    -------
    The gated batch. A file that cannot be read or gated stands in ``failures``; nothing is raised for it.

    Raises
    ------
    RunError
        If the backend is a cluster and there is no cache.
    """
    if backend is not None and backend.remote and cache is None:
        msg = "a cluster hands results over as files: name a folder of shards that all of its machines see"
        raise RunError(msg)
    cache = cache or Cache(Shards({}), Contents())
    with warnings.catch_warnings(), open_backend(workers) if backend is None else nullcontext(backend) as where:
        # What the reader has to say is kept with the file (FileFacts.flags) and reported in one place.
        warnings.simplefilter("ignore", FcsWarning)
        runner = Runner(where, cache, progress)
        last_step = Apply(template, dict(aliases or {}), events, densities)
        return _gate(runner, jobs, last_step, tuple(overrides), template.at_level(level) if level else template)


def rehearse_files(
    jobs: Iterable[Job],
    template: GatingTemplate,
    *,
    cache: Cache,
    aliases: Mapping[str, str] | None = None,
    overrides: Iterable[Override] = (),
    events: Path | None = None,
    densities: bool = False,
) -> tuple[str, tuple[Job, ...]]:
    """Find out what :func:`gate_files` would have to do, without reading a file.

    Returns
    -------
    The first step that is not done, and its files; ("", ()) if all is done. What later steps will have to do is known only then.
    """
    with open_backend(1) as backend:
        try:
            _gate(
                Rehearsal(backend, cache, None),
                jobs,
                Apply(template, dict(aliases or {}), events, densities),
                tuple(overrides),
                template,
            )
        except NotDone as stop:
            return stop.stage, tuple(task.job for task in stop.tasks)
    return "", ()


def _gate(
    runner: Runner, jobs: Iterable[Job], last_step: Apply, overrides: tuple[Override, ...], adapting: GatingTemplate
) -> GatedBatch:
    """Gate with the template of the last step; `adapting` is the one by which its cuts adapt."""
    template, aliases = last_step.template, last_step.aliases
    everything = sorted(jobs, key=lambda job: job.sample)
    controls, looked_at = _controls(runner, [job for job in everything if job.fmo], template, aliases)
    jobs = [job for job in everything if not job.fmo]
    tasks = [Propose.task(job, settled_by(controls.get(job.batch))) for job in jobs]
    proposed = runner.run("propose", tasks, Propose(template, aliases))
    live = [job for job in jobs if job.sample in proposed]
    facts = runner.run("look", [Look.task(job) for job in (*looked_at, *live)], Look(template, aliases))
    live = [job for job in live if job.sample in facts]
    accepted = frozenset(override.sample for override in overrides if override.accept_panel)
    consensus = partial(reconcile, template=adapting, accepted=accepted)
    cuts = _reconcile(runner, live, proposed, controls, template, aliases, consensus)
    cuts = _override(cuts, overrides, template)
    polygons = _polygons(overrides)
    of_sample = {str(key[0]): rows for key, rows in cuts.partition_by("sample", as_dict=True).items()}
    empty = cuts.clear()
    tasks = [Apply.task(job, of_sample.get(job.sample, empty), polygons.get(job.sample, {})) for job in live]
    gated = runner.run("apply", tasks, last_step)
    results = tuple(gated[job.sample] for job in live if job.sample in gated)
    failures = [*runner.failures, *_nothing_evaluable(live, results, cuts, template)]
    return GatedBatch(template, results, cuts, facts, tuple(sorted(failures, key=lambda f: f.sample)), polygons)


def _controls(
    runner: Runner, jobs: list[Job], template: GatingTemplate, aliases: Mapping[str, str]
) -> tuple[dict[str | None, pl.DataFrame], list[Job]]:
    """Batch -> the cuts that its FMO controls give; and the controls that could be read."""
    if not jobs:
        return {}, []
    proposed = runner.run("controls", [Propose.task(job, {}) for job in jobs], Propose(template, aliases))
    cuts = control_cuts(proposed, {job.sample: (job.batch, job.fmo) for job in jobs}, template)
    return cuts, [job for job in jobs if job.sample in proposed]


def _reconcile(
    runner: Runner,
    jobs: list[Job],
    proposed: Mapping[str, pl.DataFrame],
    controls: Mapping[str | None, pl.DataFrame],
    template: GatingTemplate,
    aliases: Mapping[str, str],
    consensus: Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame],
) -> pl.DataFrame:
    """Reconcile, propose again below the cuts that moved, and reconcile once more: never a third time."""
    groups = pl.DataFrame(
        [(job.sample, job.batch, job.subject, job.control) for job in jobs],
        schema={"sample": pl.String, "batch": pl.String, "subject": pl.String, "control": pl.Boolean},
        orient="row",
    )
    given_to = {job.sample: controls.get(job.batch) for job in jobs}
    tables = {sample: with_controls(proposed[sample], given, sample=sample) for sample, given in given_to.items()}
    cuts = consensus(_stack(tables), groups)
    moved = moved_cuts(cuts, template)
    if not moved:
        return cuts
    settled = settled_cuts(tables, moved, template)
    given = {sample: {**settled_by(given_to[sample]), **cuts_of_file} for sample, cuts_of_file in settled.items()}
    again = [job for job in jobs if job.sample in given]
    tasks = [Propose.task(job, given[job.sample], panel=panel_of(tables[job.sample])) for job in again]
    for sample, table in runner.run("propose again", tasks, Propose(template, aliases)).items():
        kept = tables[sample].filter(pl.col("population").is_in(list(given[sample])))
        tables[sample] = pl.concat([kept, table])
    return consensus(_stack(tables), groups)


def _override(cuts: pl.DataFrame, overrides: Iterable[Override], template: GatingTemplate) -> pl.DataFrame:
    """Put the cuts that a person chose into the table, with the flag MANUAL and the reason; corners on them follow."""
    for override in overrides:
        if override.cut is None or override.population is None:
            continue
        places = [(override.population, "cut"), *axes_on(template, override.population)]
        row = pl.concat_str("population", "coordinate", separator="/")
        here = (pl.col("sample") == override.sample) & row.is_in(["/".join(place) for place in places])
        here &= pl.col("flags") != int(Flag.PANEL_IMPLAUSIBLE)  # a cut does not mend the labels
        manual = {"final": override.cut, "final_spread": 0.0, "flags": int(Flag.MANUAL), "reason": override.why}
        cuts = cuts.with_columns(
            pl.when(here).then(pl.lit(value)).otherwise(pl.col(name)).alias(name) for name, value in manual.items()
        )
    return cuts


def _polygons(overrides: Iterable[Override]) -> dict[str, dict[str, tuple[tuple[float, float], ...]]]:
    drawn: dict[str, dict[str, tuple[tuple[float, float], ...]]] = {}
    for override in overrides:
        if override.polygon is not None and override.population is not None:
            drawn.setdefault(override.sample, {})[override.population] = override.polygon
    return drawn


def _stack(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    return pl.concat([tables[sample] for sample in sorted(tables)] or [pl.DataFrame(schema=PROPOSAL_SCHEMA)])


def _nothing_evaluable(
    jobs: list[Job], results: Iterable[GateResult], cuts: pl.DataFrame, template: GatingTemplate
) -> Iterable[Failure]:
    refused = cuts.filter(pl.col("flags") == int(Flag.PANEL_IMPLAUSIBLE))
    panels = dict(refused.select("sample", "reason").iter_rows())
    files = {job.sample: job.file for job in jobs}
    endpoints = [p.name for p in template.populations if p.endpoint] or [p.name for p in template.reported]
    for result in results:
        if all(result.flags[name] & FAIL for name in endpoints):
            file, panel = files[result.sample], panels.get(result.sample)
            message = (
                f"{file}: no endpoint population could be evaluated ({result.n_usable} usable events); see its flags"
            )
            if panel:
                message = (
                    f"{file}: the markers do not behave as their labels say: {panel}. Correct the labels, or accept them in the "
                    "overrides file (accept_panel: true)"
                )
            yield Failure(result.sample, file, "gate", "PanelError" if panel else "GatingError", message)

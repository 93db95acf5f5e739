"""Many files: propose in parallel, reconcile once, apply in parallel. One bad file is a row in `failures`; the others go on."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

import polars as pl

from il2cyto.batch._executor import Runner
from il2cyto.batch._rounds import moved_cuts, settled_cuts
from il2cyto.batch._types import Failure, FileFacts, GatedBatch
from il2cyto.errors import FcsWarning
from il2cyto.gt._apply import apply
from il2cyto.gt._flags import FAIL, Flag
from il2cyto.gt._plan import Events, make_plan
from il2cyto.gt._propose import PROPOSAL_SCHEMA, propose
from il2cyto.gt._reconcile import reconcile
from il2cyto.io import open_fcs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from il2cyto.batch._types import Job, Progress
    from il2cyto.gt import GateResult
    from il2cyto.template import GatingTemplate, Override


def gate_files(
    jobs: Iterable[Job],
    template: GatingTemplate,
    *,
    aliases: Mapping[str, str] | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    overrides: Iterable[Override] = (),
    on_gated: Callable[[Job, GateResult], None] | None = None,
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

    Returns
    -------
    The gated batch. A file that cannot be read or gated stands in ``failures``; nothing is raised for it.
    """
    jobs = sorted(jobs, key=lambda job: job.sample)
    runner = Runner(workers or os.cpu_count() or 1, progress)
    aliases = dict(aliases or {})
    with warnings.catch_warnings():
        # What the reader has to say is kept with the file (FileFacts.flags) and reported in one place.
        warnings.simplefilter("ignore", FcsWarning)
        proposed = runner.run("propose", jobs, lambda job: _propose(job, template, aliases, {}))
        live = [job for job in jobs if job.sample in proposed]
        overrides = tuple(overrides)
        cuts = _override(_reconcile(runner, live, proposed, template, aliases), overrides)
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
    return propose(events, sample=job.sample, content=sha256, given=given), facts


def _reconcile(
    runner: Runner,
    jobs: list[Job],
    proposed: Mapping[str, tuple[pl.DataFrame, FileFacts]],
    template: GatingTemplate,
    aliases: Mapping[str, str],
) -> pl.DataFrame:
    """Reconcile, propose again below the cuts that moved, and reconcile once more: never a third time."""
    groups = pl.DataFrame(
        [(job.sample, job.batch, job.subject) for job in jobs],
        schema={"sample": pl.String, "batch": pl.String, "subject": pl.String},
        orient="row",
    )
    tables = {sample: table for sample, (table, _) in proposed.items()}
    cuts = reconcile(_stack(tables), groups, template)
    moved = moved_cuts(cuts, template)
    if not moved:
        return cuts
    given = {sample: settled_cuts(tables[sample], finals, template) for sample, finals in moved.items()}
    again = runner.run(
        "propose again",
        [job for job in jobs if job.sample in given],
        lambda job: _propose(job, template, aliases, given[job.sample])[0],
    )
    for sample, table in again.items():
        kept = tables[sample].filter(pl.col("population").is_in(list(given[sample])))
        tables[sample] = pl.concat([kept, table])
    return reconcile(_stack(tables), groups, template)


def _override(cuts: pl.DataFrame, overrides: Iterable[Override]) -> pl.DataFrame:
    """Put the cuts that a person chose into the table, with the flag MANUAL and the reason."""
    for override in overrides:
        if override.cut is None:
            continue
        here = (pl.col("sample") == override.sample) & (pl.col("population") == override.population)
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


def _stack(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    return pl.concat([tables[sample] for sample in sorted(tables)] or [pl.DataFrame(schema=PROPOSAL_SCHEMA)])


def _nothing_evaluable(jobs: list[Job], results: Iterable[GateResult], template: GatingTemplate) -> Iterable[Failure]:
    files = {job.sample: job.path.name for job in jobs}
    endpoints = [p.name for p in template.populations if p.endpoint] or [p.name for p in template.reported]
    for result in results:
        if all(result.flags[name] & FAIL for name in endpoints):
            message = f"{files[result.sample]}: no endpoint population could be evaluated ({result.n_usable} usable events); see its flags"
            yield Failure(result.sample, files[result.sample], "gate", "GatingError", message)

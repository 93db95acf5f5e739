"""Runs a step over the files of a batch; one bad file is a row in `failures`, the others go on."""

from __future__ import annotations

import logging
import math
import os
import warnings
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from il2cyto.batch._contents import Known
from il2cyto.batch._types import Backend, Failure
from il2cyto.errors import FcsError, FcsWarning, Il2cytoError
from il2cyto.io import file_size, fingerprint, local_copy, open_fcs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future

    from il2cyto.batch._cache import Cache
    from il2cyto.batch._shards import Shards
    from il2cyto.batch._steps import Step, Task
    from il2cyto.batch._types import Job, Progress

logger = logging.getLogger("il2cyto")
T = TypeVar("T")

#: What a process of a cluster gets at once, whichever comes first: a second's work, while handing out takes milliseconds.
ENOUGH_BYTES = 32_000_000
MOST_FILES = 50


@contextmanager
def open_backend(workers: int | None = None, dask: str | None = None) -> Iterator[Backend]:
    """Threads, whose kernels release the GIL; or the processes of a Dask cluster.

    Parameters
    ----------
    workers
        Threads or processes on this machine; as many as there are cores if None.
    dask
        Address of a scheduler, its scheduler file, or ``local``; threads if None.

    Raises
    ------
    RunError
        If there is no such cluster.
    """
    if dask is not None:
        from il2cyto.batch._dask import open_dask

        with open_dask(dask, workers) as backend:
            yield backend
        return
    slots = workers or os.cpu_count() or 1
    executor = ThreadPoolExecutor(slots, thread_name_prefix="il2cyto")
    try:
        yield Backend(executor, slots)
    finally:
        executor.shutdown(cancel_futures=True)


class Runner:
    """Runs steps; what is in a shard already is not done again, and exceptions become failures.

    Attributes
    ----------
    failures
        Of all steps so far.
    """

    def __init__(self, backend: Backend, cache: Cache, progress: Progress | None) -> None:
        self.failures: list[Failure] = []
        self._backend, self._progress = backend, progress
        self._shards, self._contents = cache.shards, cache.contents

    def run(self, stage: str, tasks: Sequence[Task], step: Step[T]) -> dict[str, T]:
        """Results by sample; those that failed are absent."""
        done: dict[str, T] = {}
        todo: list[Task] = []
        for task in tasks:
            result = self._stored(step, task)
            if result is None:
                todo.append(task)
            else:
                done[task.job.sample] = result
        finished = len(done)
        self._report(stage, finished, len(tasks))
        for task, outcome in self._outcomes(stage, step, todo):
            if isinstance(outcome, Known):
                self._contents.remember(task.job.path, outcome)
                result = self._stored(step, task)
                if result is None:
                    outcome = _lost(task.job, stage)
                else:
                    done[task.job.sample] = result
            if isinstance(outcome, Failure):
                self._contents.forget(task.job.path)
                self.failures.append(outcome)
            finished += 1
            self._report(stage, finished, len(tasks))
        return done

    def _report(self, stage: str, done: int, total: int) -> None:
        if self._progress is not None:
            self._progress(stage, done, total)

    def _stored(self, step: Step[T], task: Task) -> T | None:
        """The result of a shard; None if there is none, or if what the file holds is not known."""
        known = self._contents.known(task.job.path)
        if known is None:
            return None
        key = step.key(task, known.content)
        document = self._shards.load(key) if step.is_kept(task, key) else None
        return None if document is None else step.read(document, task, known.content)

    def _outcomes(self, stage: str, step: Step[T], tasks: list[Task]) -> Iterator[tuple[Task, Known | Failure]]:
        """Each task with what it gave, in the order in which they finish."""
        suspects: list[Task] = []
        futures = {self._submit(stage, step, chunk): chunk for chunk in self._chunks(tasks)}
        for future in as_completed(futures):
            chunk = futures.pop(future)
            try:
                outcomes = future.result()
            except self._backend.died:
                suspects.extend(chunk)
            else:
                yield from zip(chunk, outcomes, strict=True)
        # One after the other, so that a file that kills its process takes no other file with it.
        for task in sorted(suspects, key=lambda task: task.job.sample):
            try:
                (outcome,) = self._submit(stage, step, [task]).result()
            except self._backend.died:
                outcome = _killer(task.job, stage)
            yield task, outcome

    def _submit(self, stage: str, step: Step[T], chunk: Sequence[Task]) -> Future[list[Known | Failure]]:
        known = [self._contents.known(task.job.path) for task in chunk]
        work = _work_quietly if self._backend.remote else _work
        return self._backend.executor.submit(work, stage, step, list(zip(chunk, known, strict=True)), self._shards)

    def _chunks(self, tasks: Sequence[Task]) -> Iterator[list[Task]]:
        """Files handed out together: one to a thread, and to a process as many as take it half a second or more."""
        even = math.ceil(len(tasks) / (2 * self._backend.slots))
        most = min(even, MOST_FILES) if self._backend.remote else 1
        chunk: list[Task] = []
        size = 0
        for task in tasks:
            chunk.append(task)
            size += file_size(task.job.path) if self._backend.remote else 0
            if len(chunk) >= most or size >= ENOUGH_BYTES:
                yield chunk
                chunk, size = [], 0
        if chunk:
            yield chunk


class NotDone(Exception):
    """What a step would have to do."""

    def __init__(self, stage: str, tasks: Sequence[Task]) -> None:
        super().__init__(stage)
        self.stage, self.tasks = stage, tasks


class Rehearsal(Runner):
    """Runs nothing: stops at the first step that is not wholly in shards."""

    def _outcomes(self, stage: str, step: Step[T], tasks: list[Task]) -> Iterator[tuple[Task, Known | Failure]]:
        del step
        if tasks:
            raise NotDone(stage, tasks)
        return iter(())


def _work_quietly(
    stage: str, step: Step[T], tasks: Sequence[tuple[Task, Known | None]], shards: Shards
) -> list[Known | Failure]:
    """In a process of its own: what the reader has to say is kept with the file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FcsWarning)
        return _work(stage, step, tasks, shards)


def _work(
    stage: str, step: Step[T], tasks: Sequence[tuple[Task, Known | None]], shards: Shards
) -> list[Known | Failure]:
    """What a worker does with its files. Only names and hashes go back; the results are in the shards."""
    outcomes: list[Known | Failure] = []
    for task, known in tasks:
        try:
            outcomes.append(_work_one(step, task, known, shards))
        except Exception as error:  # noqa: BLE001 - one bad file must not stop the others
            outcomes.append(_failure(task.job, stage, error))
    return outcomes


def _work_one(step: Step[T], task: Task, known: Known | None, shards: Shards) -> Known:
    source, name = task.job.path, task.job.file
    before = fingerprint(source)
    with local_copy(source) as path:
        file = open_fcs(path)
        if known is not None and known.confirmed and known.fingerprint == before:
            found = known
        else:
            found = Known(before, file.sha256(), confirmed=True)
        if known is not None and known.content != found.content:
            raise FcsError(name, "content", "not what it was when its size and time were last looked at", "Run again.")
        key = step.key(task, found.content)
        if shards.load(key) is None or not step.is_kept(task, key):
            document = step.make(file, task, key, found.content)
            if fingerprint(source) != before:
                raise FcsError(name, "file", "changed while it was read", "Wait until it is complete, and run again.")
            shards.save(key, document)
    return found


def _failure(job: Job, stage: str, error: Exception) -> Failure:
    name = type(error).__name__
    if isinstance(error, Il2cytoError):
        return Failure(job.sample, job.file, stage, name, str(error))
    # The text of a foreign exception may quote the file; only its class leaves.
    logger.debug("%s: %s during %s", job.file, name, stage)
    message = (
        f"{job.file}: unexpected {name} during {stage}; the file was left out. Please report it with the file's header."
    )
    return Failure(job.sample, job.file, stage, name, message)


def _killer(job: Job, stage: str) -> Failure:
    message = f"{job.file}: the process that read it died during {stage}, also with no other file at work; the file was left out."
    return Failure(job.sample, job.file, stage, "GatingError", message)


def _lost(job: Job, stage: str) -> Failure:
    message = (
        f"{job.file}: the worker's result of {stage} is not where it should be. Workers need the same software as the "
        f"program that starts them, and a folder of shards that all of them see."
    )
    return Failure(job.sample, job.file, stage, "GatingError", message)

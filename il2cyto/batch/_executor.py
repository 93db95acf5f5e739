"""Runs a function over the files of a batch; one bad file is a row in `failures`, the others go on."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING, TypeVar

from il2cyto.batch._types import Failure
from il2cyto.errors import Il2cytoError

if TYPE_CHECKING:
    from collections.abc import Callable

    from il2cyto.batch._types import Job, Progress

logger = logging.getLogger("il2cyto")
T = TypeVar("T")


class Runner:
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

"""The same work on processes of a Dask cluster."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from il2cyto.batch._types import Backend
from il2cyto.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Instead of an address: processes of this machine, for as long as the run lasts.
LOCAL = "local"
_SECONDS_TO_CONNECT = 30


@contextmanager
def open_dask(where: str, workers: int | None = None) -> Iterator[Backend]:
    """Connect to a cluster.

    Parameters
    ----------
    where
        Address of its scheduler (``tcp://host:8786``), its scheduler file (``*.json``), or ``local``.
    workers
        Processes of a local cluster; as many as there are cores if None.

    Raises
    ------
    RunError
        If Dask is not installed, or no scheduler answers.
    """
    try:
        from distributed import KilledWorker
    except ImportError:
        msg = "Dask is not installed; pip install 'il2cyto[dask]'"
        raise RunError(msg) from None
    with ExitStack() as stack:
        client: Any = _local_client(stack, workers or os.cpu_count() or 1) if where == LOCAL else _client(stack, where)
        # pure=False: a task is never answered from the scheduler's memory; what is done is known by its shard.
        with client.get_executor(pure=False) as executor:
            slots = sum(client.nthreads().values()) or 1
            yield Backend(executor, slots, remote=True, died=(KilledWorker,))


def _local_client(stack: ExitStack, workers: int) -> Any:  # distributed's own types are incomplete
    import dask
    from distributed import Client, LocalCluster

    # Whether a file kills its process is found out by the runner, one file at a time; more victims would teach nothing.
    stack.enter_context(dask.config.set({"distributed.scheduler.allowed-failures": 0}))
    cluster = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)  # type: ignore[no-untyped-call]
    stack.enter_context(cluster)
    return stack.enter_context(Client(cluster))  # type: ignore[no-untyped-call]


def _client(stack: ExitStack, where: str) -> Any:  # distributed's own types are incomplete
    from distributed import Client

    address = {"scheduler_file": where} if where.endswith(".json") else {"address": where}
    try:
        return stack.enter_context(Client(**address, timeout=_SECONDS_TO_CONNECT))  # type: ignore[no-untyped-call]
    except (OSError, ValueError):
        msg = f"no Dask scheduler answers at {os.path.basename(where)}; start one, or check the address"  # noqa: PTH119
        raise RunError(msg) from None

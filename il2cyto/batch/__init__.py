"""Many files: executor, shards, resume, progress, failures collected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from il2cyto._lazy import attach

if TYPE_CHECKING:  # for type checkers; at run time each name is imported when first used
    from il2cyto.batch._cache import Cache as Cache, open_cache as open_cache
    from il2cyto.batch._executor import open_backend as open_backend
    from il2cyto.batch._gate_files import gate_files as gate_files, rehearse_files as rehearse_files
    from il2cyto.batch._types import (
        Backend as Backend,
        Failure as Failure,
        FileFacts as FileFacts,
        GatedBatch as GatedBatch,
        Job as Job,
        Progress as Progress,
        failures_frame as failures_frame,
    )


__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Backend": "_types",
        "Cache": "_cache",
        "Failure": "_types",
        "FileFacts": "_types",
        "GatedBatch": "_types",
        "Job": "_types",
        "Progress": "_types",
        "failures_frame": "_types",
        "gate_files": "_gate_files",
        "rehearse_files": "_gate_files",
        "open_cache": "_cache",
        "open_backend": "_executor",
    },
)

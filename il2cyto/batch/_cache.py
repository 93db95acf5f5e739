"""What earlier runs found in the files of a study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from il2cyto.batch._contents import Contents
from il2cyto.batch._shards import FolderStore, Shards
from il2cyto.io import open_mapping

if TYPE_CHECKING:
    from pathlib import Path

    from il2cyto.batch._types import Job


@dataclass(frozen=True)
class Cache:
    """Shards, and the SHA-256 of the files that they belong to."""

    shards: Shards
    contents: Contents

    def knows(self, job: Job) -> bool:
        """Whether a file is as it was when it was last read."""
        return self.contents.known(job.path) is not None


def open_cache(folder: Path, url: str | None = None) -> Cache:
    """Open the cache of a folder of results.

    Parameters
    ----------
    folder
        Where it lies.
    url
        Where the shards lie if not there, such as ``s3://bucket/trial``: for workers that do not see the folder.

    Raises
    ------
    RunError
        If nothing is installed that opens the URL.
    """
    store = FolderStore(folder) if url is None else open_mapping(url)
    return Cache(Shards(store), Contents(folder / "contents.jsonl"))

"""The SHA-256 of files, remembered as long as size, time and inode stay what they were."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Known:
    """A file's remembered SHA-256.

    Attributes
    ----------
    fingerprint
        Of path, size, time and inode; it tells nothing of the path.
    confirmed
        Whether the bytes were hashed in this run, not in an earlier one.
    """

    fingerprint: str
    content: str
    confirmed: bool


class Contents:
    """Remembers contents by fingerprint, in a file if there is one: one line each, the last one counts."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._contents = _read(file) if file is not None and file.is_file() else {}
        self._confirmed: set[str] = set()

    def known(self, path: Path) -> Known | None:
        """What is remembered of a file as it is now."""
        now = fingerprint(path)
        content = self._contents.get(now)
        return Known(now, content, now in self._confirmed) if content else None

    def remember(self, known: Known) -> None:
        """Remember a content that was just hashed."""
        self._confirmed.add(known.fingerprint)
        self._write(known.fingerprint, known.content)

    def forget(self, path: Path) -> None:
        """Hash a file again next time."""
        if self._contents.get(now := fingerprint(path)):
            self._write(now, "")

    def _write(self, now: str, content: str) -> None:
        if self._contents.get(now) == content:
            return
        self._contents[now] = content
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="ascii") as stream:
                stream.write(json.dumps([now, content]) + "\n")


def _read(file: Path) -> dict[str, str]:
    contents: dict[str, str] = {}
    for line in file.read_text(encoding="ascii").splitlines():
        try:
            now, content = json.loads(line)
        except ValueError:  # the line at which a run was killed; its file is hashed again
            continue
        contents[now] = content
    return contents


def fingerprint(path: Path) -> str:
    """What changes when a file changes, without opening it; "" where there is no file."""
    try:
        status = path.stat()
    except OSError:
        return ""
    facts = [os.fspath(path.absolute()), status.st_size, status.st_mtime_ns, status.st_ino]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

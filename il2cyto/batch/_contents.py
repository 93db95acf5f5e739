"""The SHA-256 of files, remembered as long as size, time and inode stay what they were."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from il2cyto.io import fingerprint

if TYPE_CHECKING:
    from pathlib import Path

    from il2cyto.io import Source


@dataclass(frozen=True, slots=True)
class Known:
    """A file's remembered SHA-256.

    Attributes
    ----------
    fingerprint
        Of path, size, time and inode.
    confirmed
        Whether the bytes were hashed in this run, not in an earlier one.
    """

    fingerprint: str
    content: str
    confirmed: bool


class Contents:
    """Remembers contents by fingerprint, in a file if there is one: a line each, the last one counts.

    Each file is looked at once in the life of this object: a run sees its inputs as they were when it came to them.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._contents = _read(file) if file is not None and file.is_file() else {}
        self._seen: dict[Source, Known] = {}

    def known(self, source: Source) -> Known | None:
        """What is remembered of a file."""
        if source not in self._seen:
            now = fingerprint(source)
            content = self._contents.get(now)
            if not content:
                return None
            self._seen[source] = Known(now, content, confirmed=False)
        return self._seen[source]

    def remember(self, source: Source, known: Known) -> None:
        """Remember a content that was just hashed."""
        self._seen[source] = known
        self._write(known.fingerprint, known.content)

    def forget(self, source: Source) -> None:
        """Hash a file again next time."""
        known = self._seen.pop(source, None)
        if known is not None:
            self._write(known.fingerprint, "")

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

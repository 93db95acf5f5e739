"""The run record, ``run.jsonl``: what was done to a folder of results, one line after the other, each chained to the one before.

A line is a JSON object: ``line`` (from 1), ``previous`` (SHA-256 of the line before, without its end; "" for the first), ``time``
(UTC), ``kind`` and ``content``. Lines are only ever added. The chain shows that a line was changed, inserted or removed; that the
last lines were cut off shows only to who has noted the head, the SHA-256 of the last line, elsewhere.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from il2cyto.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RUN_RECORD: Final = "run.jsonl"


class RunRecord:
    """A run record that is open for new lines; no other process can open it meanwhile."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._contents: dict[str, Any] = {}
        self._lines, self._head = 0, ""
        for line in _lines(stream.read()):
            self._lines, self._head = self._lines + 1, _sha256(line)
            entry = _parse(line)
            if entry is not None:
                self._contents[entry["kind"]] = entry["content"]
        if self._lines and not _ends_whole(stream):
            # A power cut left half a line. It stays, closed by a line that says so.
            self._write(b"\n")
            self.add("interrupted", {"line": self._lines})

    def last(self, kind: str) -> Any:
        """Content of the last line of a kind; None if there is none."""
        return self._contents.get(kind)

    def add(self, kind: str, content: Mapping[str, Any]) -> None:
        """Add a line, and see it on the disk."""
        entry = {
            "line": self._lines + 1,
            "previous": self._head,
            "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "kind": kind,
            "content": content,
        }
        line = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()
        self._write(line + b"\n")
        self._lines, self._head = self._lines + 1, _sha256(line)
        self._contents[kind] = json.loads(line)["content"]

    def note(self, kind: str, content: Mapping[str, Any]) -> None:
        """Add a line if it says something else than the last of its kind."""
        if json.loads(json.dumps(content)) != self.last(kind):
            self.add(kind, content)

    def _write(self, data: bytes) -> None:
        self._stream.write(data)
        self._stream.flush()
        os.fsync(self._stream.fileno())


@contextmanager
def open_run_record(folder: str | Path) -> Iterator[RunRecord]:
    """Open the run record of a folder of results to add lines; it is made if missing.

    Parameters
    ----------
    folder
        The folder of results.

    Raises
    ------
    RunError
        If another run has it open.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / RUN_RECORD).open("a+b") as stream:
        try:
            # The system lets go of it when the process ends, however it ends.
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            msg = f"{folder.name}: another run is writing to this folder; wait until it has ended, or choose another folder"
            raise RunError(msg) from None
        stream.seek(0)
        yield RunRecord(stream)


def read_run_record(folder: str | Path) -> dict[str, Any]:
    """Read what the last line of each kind says; empty if there is no record."""
    path = Path(folder) / RUN_RECORD
    entries = map(_parse, _lines(path.read_bytes())) if path.is_file() else ()
    return {entry["kind"]: entry["content"] for entry in entries if entry is not None}


@dataclass(frozen=True)
class Verification:
    """What :func:`verify_run` found.

    Attributes
    ----------
    lines
        Lines of the run record.
    head
        SHA-256 of the last one: who notes it elsewhere can tell later that none was cut off.
    outputs
        Files of which the record knows the SHA-256.
    problems
        What is not as recorded, a sentence each; empty if all is well.
    """

    lines: int
    head: str
    outputs: int
    problems: tuple[str, ...]


def verify_run(folder: str | Path) -> Verification:
    """Check a folder of results against its run record: the chain, and the SHA-256 of every result.

    Parameters
    ----------
    folder
        The folder that a run wrote.

    Raises
    ------
    RunError
        If it has no ``run.jsonl``.

    Examples
    --------
    >>> import tempfile
    >>> from il2cyto.io import open_run_record, verify_run
    >>> folder = tempfile.mkdtemp()
    >>> with open_run_record(folder) as record:
    ...     record.add("start", {"command": "gate"})
    ...     record.add("end", {"failed": 0})
    >>> found = verify_run(folder)
    >>> found.lines, found.problems
    (2, ())
    """
    folder = Path(folder)
    path = folder / RUN_RECORD
    if not path.is_file():
        msg = f"{folder.name}: no {RUN_RECORD}; give a folder that `il2cyto gate` or `il2cyto run` has written"
        raise RunError(msg)
    data = path.read_bytes()
    lines = _lines(data)
    problems = list(_chain_problems(lines))
    if data and not data.endswith(b"\n"):
        problems.append(f"{RUN_RECORD}: the last line is not whole; a run was cut off. Run the same command again.")
    entries = [entry for entry in map(_parse, lines) if entry is not None]
    kinds = [entry["kind"] for entry in entries]
    if "start" in kinds and "end" not in kinds[_last(kinds, "start") :]:
        problems.append(f"{RUN_RECORD}: the last run did not end. Run the same command again.")
    outputs = entries[_last(kinds, "outputs")]["content"] if "outputs" in kinds else {}
    problems += _output_problems(folder, outputs)
    return Verification(len(lines), _sha256(lines[-1]) if lines else "", len(outputs), tuple(problems))


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _chain_problems(lines: list[bytes]) -> Iterator[str]:
    head = ""
    entries = [_parse(line) for line in lines]
    for i, (line, entry) in enumerate(zip(lines, entries, strict=True)):
        if entry is None:
            closing = entries[i + 1] if i + 1 < len(entries) else None
            if closing is None or closing["kind"] != "interrupted":
                yield f"{RUN_RECORD}:{i + 1}: not a line of a run record; the file was changed."
        elif entry["previous"] != head or entry["line"] != i + 1:
            yield f"{RUN_RECORD}:{i + 1}: does not follow from line {i}; a line before it was changed, added or removed."
        head = _sha256(line)


def _output_problems(folder: Path, outputs: Mapping[str, str]) -> Iterator[str]:
    for name, digest in outputs.items():
        path = folder / name
        if not path.is_file():
            yield f"{name}: absent, but it was written by the last run."
        elif file_digest(path) != digest:
            yield f"{name}: not as the last run wrote it."


def _last(kinds: list[str], kind: str) -> int:
    return len(kinds) - 1 - kinds[::-1].index(kind)


def _lines(data: bytes) -> list[bytes]:
    return data.removesuffix(b"\n").split(b"\n") if data else []


def _ends_whole(stream: BinaryIO) -> bool:
    stream.seek(-1, os.SEEK_END)
    return stream.read() == b"\n"


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    keys = {"line", "previous", "time", "kind", "content"}
    return entry if isinstance(entry, dict) and entry.keys() == keys else None


def _sha256(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()

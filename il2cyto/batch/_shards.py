"""Shards: what was found in one file, kept under a key made of everything that it depends on.

A shard is JSON behind the SHA-256 of its text. It is written beside its place and moved there in one step; what a power cut
left half-written does not match its SHA-256 and counts as absent. Numbers are written so that they read back bit for bit.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import zlib
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

Document = dict[str, Any]

#: Goes up when a shard's content or meaning changes.
SHARD_SCHEMA = 2
_NUMERIC = ("numpy", "numba", "scipy")
#: What decides about the numbers in a shard, below the package's folder.
_SOURCES = ("gt", "pp", "io/_fcs", "template", "panel.py")


@cache
def code_version() -> str:
    """The software behind a shard: versions of the packages that compute, and the SHA-256 of il2cyto's own gating code."""
    package = Path(__file__).parents[1]
    files = [package / name for name in _SOURCES if name.endswith(".py")]
    files += [file for name in _SOURCES for file in (package / name).rglob("*.py")]
    code = hashlib.sha256()
    for file in sorted(files):
        code.update(f"{file.relative_to(package).as_posix()}\0".encode() + file.read_bytes())
    packages = [f"{name} {version(name)}" for name in ("il2cyto", *_NUMERIC)]
    return ", ".join([*packages, code.hexdigest()])


def shard_key(kind: str, *parts: object) -> str:
    """Name of a shard: its kind and the SHA-256 of the parts, the software and the layout of shards."""
    content = json.dumps([SHARD_SCHEMA, code_version(), kind, *parts], sort_keys=True, separators=(",", ":"))
    return f"{kind}/{hashlib.sha256(content.encode()).hexdigest()}.json"


@dataclass(frozen=True)
class Shards:
    """Shards in a store: a dict, a folder, or a mapping of fsspec."""

    store: MutableMapping[str, bytes]

    def load(self, key: str) -> Document | None:
        """Read a shard; None where there is none, or no whole one."""
        try:
            seal, _, text = self.store[key].partition(b"\n")
        except KeyError:
            return None
        if seal != _seal(text):
            return None
        document: Document = json.loads(text, object_hook=_array_from_json)
        return document

    def save(self, key: str, document: Document) -> None:
        """Write a shard."""
        text = json.dumps(document, separators=(",", ":"), default=_array_to_json).encode()
        self.store[key] = _seal(text) + b"\n" + text


def _array_to_json(value: object) -> dict[str, Any]:
    if not isinstance(value, np.ndarray):
        msg = f"a shard cannot hold {type(value).__name__}"
        raise TypeError(msg)
    # Most bins are empty: the quickest compression is enough.
    packed = base64.b64encode(zlib.compress(np.ascontiguousarray(value).tobytes(), level=1)).decode()
    return {"dtype": value.dtype.str, "shape": value.shape, "zlib": packed}


def _array_from_json(value: dict[str, Any]) -> Any:
    if value.keys() != {"dtype", "shape", "zlib"}:
        return value
    unpacked = zlib.decompress(base64.b64decode(value["zlib"]))
    return np.frombuffer(unpacked, dtype=value["dtype"]).reshape(value["shape"])


def _seal(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest().encode()


class FolderStore(MutableMapping[str, bytes]):
    """Files of a folder as a mapping; a value is there whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    def __getitem__(self, key: str) -> bytes:
        try:
            return (self._folder / key).read_bytes()
        except FileNotFoundError:
            raise KeyError(key) from None

    def __setitem__(self, key: str, value: bytes) -> None:
        path = self._folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        # Neither process nor thread id will do: machines of a cluster may write the same shard at the same time.
        draft = path.with_name(f".{path.name}.tmp-{secrets.token_hex(8)}")
        try:
            draft.write_bytes(value)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    def __delitem__(self, key: str) -> None:
        (self._folder / key).unlink()

    def __iter__(self) -> Iterator[str]:
        for folder, _, files in os.walk(self._folder):
            for file in files:
                if not file.startswith("."):
                    yield (Path(folder) / file).relative_to(self._folder).as_posix()

    def __len__(self) -> int:
        return sum(1 for _ in self)

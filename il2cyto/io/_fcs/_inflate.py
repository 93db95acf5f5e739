"""Files compressed by gzip: inflated once into a private temporary file, which is then mapped like any other."""

from __future__ import annotations

import gzip
import os
import tempfile
import weakref
import zlib
from pathlib import Path
from typing import BinaryIO, Final

from il2cyto.errors import FcsError

#: An FCS file does not shrink by more than this; what claims to would fill the disk.
LARGEST_RATIO: Final = 200
_ALLOWANCE: Final = 1 << 20
_PIECE: Final = 1 << 20


class Inflated:
    """A temporary file that is gone when nothing refers to this object any more."""

    def __init__(self, source: Path) -> None:
        # mkstemp's file is its owner's alone.
        descriptor, name = tempfile.mkstemp(prefix="il2cyto-", suffix=".fcs")
        self.path = Path(name)
        self._remove = weakref.finalize(self, self.path.unlink, missing_ok=True)
        try:
            with os.fdopen(descriptor, "wb") as target:
                _inflate(source, target)
        except BaseException:
            self._remove()
            raise


def is_gzip(path: Path) -> bool:
    """Whether a file says by its name, and shows by its first bytes, that gzip has compressed it."""
    if path.suffix.lower() != ".gz":
        return False
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _inflate(source: Path, target: BinaryIO) -> None:
    limit = LARGEST_RATIO * source.stat().st_size + _ALLOWANCE
    written = 0
    try:
        with gzip.open(source, "rb") as file:
            while piece := file.read(_PIECE):
                written += len(piece)
                if written > limit:
                    found = f"inflates to more than {LARGEST_RATIO} times its size"
                    raise FcsError(source.name, "gzip", found, "Decompress it and look at it.")
                target.write(piece)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise FcsError(source.name, "gzip", "damaged or truncated", "Copy it again.") from None

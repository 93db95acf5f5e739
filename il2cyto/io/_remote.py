"""Files by path or by URL: an object of a store (``s3://bucket/key``) is copied whole to a private folder while it is read."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from il2cyto.errors import FcsError, RunError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A path, or a URL that fsspec understands.
Source = Path | str


def is_url(text: object) -> bool:
    """Tell a URL from a path.

    Examples
    --------
    >>> is_url("s3://bucket/P01.fcs"), is_url("fcs/P01.fcs")
    (True, False)
    """
    return isinstance(text, str) and "://" in text


def source_name(source: Source) -> str:
    """Name of a file without its folder.

    Examples
    --------
    >>> source_name("s3://bucket/trial/P01.fcs")
    'P01.fcs'
    """
    return source.name if isinstance(source, Path) else PurePosixPath(source).name


@contextmanager
def local_copy(source: Source) -> Iterator[Path]:
    """Give a path to read from: the file's own, or that of a copy which is gone afterwards.

    Raises
    ------
    FcsError
        If the object is missing, may not be read, or does not arrive whole.
    """
    if isinstance(source, Path):
        yield source
        return
    # mkdtemp's folder is its owner's alone, and so is what is in it.
    with tempfile.TemporaryDirectory(prefix="il2cyto-") as folder:
        path = Path(folder) / source_name(source)
        _fetch(source, path)
        yield path


def _fetch(url: str, path: Path) -> None:
    try:
        filesystem, place = _filesystem(url)
        size = filesystem.info(place)["size"]
        filesystem.get_file(place, str(path))
    except RunError:
        raise
    except FileNotFoundError:
        raise FcsError(path.name, "file", "not found", "Check the name and the bucket.") from None
    except Exception as error:  # noqa: BLE001 - each store has errors of its own; their text may hold names and keys
        found = f"cannot be fetched ({type(error).__name__})"
        raise FcsError(path.name, "file", found, "Check the credentials and the connection.") from None
    arrived = path.stat().st_size
    if arrived != size:
        raise FcsError(path.name, "size", f"{arrived} of {size} bytes arrived", "Check the connection, and run again.")


def fingerprint(source: Source) -> str:
    """What changes when a file changes, without reading it; "" where there is no file. It tells nothing of the path."""
    try:
        if isinstance(source, Path):
            status = source.stat()
            facts = [os.fspath(source.absolute()), status.st_size, status.st_mtime_ns, status.st_ino]
        else:
            filesystem, place = _filesystem(source)
            facts = [source, filesystem.ukey(place)]
    except RunError:
        raise
    except Exception:  # noqa: BLE001 - whatever is wrong is said when the file is opened
        return ""
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def file_size(source: Source) -> int:
    """Bytes of a file; 0 where it cannot be told."""
    try:
        if isinstance(source, Path):
            return source.stat().st_size
        filesystem, place = _filesystem(source)
        return int(filesystem.info(place)["size"])
    except Exception:  # noqa: BLE001 - as above
        return 0


def open_mapping(url: str) -> Any:
    """Give the objects below a URL as a mapping of names to bytes."""
    filesystem, place = _filesystem(url)
    return filesystem.get_mapper(place)


def _filesystem(url: str) -> tuple[Any, str]:
    try:
        import fsspec

        filesystem, place = fsspec.url_to_fs(url)
    except (ImportError, ValueError):
        scheme = url.partition("://")[0]
        msg = f"{scheme}:// cannot be opened; pip install 'il2cyto[s3]', or what fsspec needs for this kind of store"
        raise RunError(msg) from None
    filesystem.invalidate_cache()  # what another process wrote since must be seen
    return filesystem, place

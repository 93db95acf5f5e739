"""Write list-mode events as FCS 3.1."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from il2cyto.errors import FcsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from il2cyto.io._fcs._spillover import Spillover
    from il2cyto.io._fcs._types import FloatArray

_HEADER_BYTES = 58
_LARGEST_HEADER_OFFSET = 99_999_999
# Form feed, as FACSDiva writes it: it hardly ever stands in a value.
_DELIMITER = "\x0c"
_DEFAULT_RANGE = 262144
_NO_CRC = b"00000000"
_OWN_KEYWORD = re.compile(
    r"\$(PAR|TOT|MODE|BYTEORD|DATATYPE|(BEGIN|END)(DATA|STEXT|ANALYSIS)|NEXTDATA|TIMESTEP|SPILLOVER|P\d+[NSBER])"
)


def write_fcs(
    path: str | os.PathLike[str],
    events: FloatArray,
    *,
    names: Sequence[str],
    labels: Sequence[str] = (),
    ranges: Sequence[float] | None = None,
    spillover: Spillover | None = None,
    keywords: Mapping[str, str] | None = None,
    timestep: float | None = None,
) -> None:
    """Write events to an FCS 3.1 file of little-endian 32-bit floats.

    The file appears under its name only when it is complete: it is written beside it and moved into place.

    Parameters
    ----------
    path
        The file; one that exists is replaced.
    events
        Events x channels, on the linear scale; stored as float32.
    names
        `$PnN` of the channels: non-empty, unique, without comma.
    labels
        `$PnS` of the channels, `""` for none.
    ranges
        `$PnR` of the channels; 262144 by default.
    spillover
        Matrix to store as `$SPILLOVER`; its channels must be among `names`.
    keywords
        Further keywords. Those that describe the layout of the file are set here and may not be among them.
    timestep
        Seconds per unit of the Time channel (`$TIMESTEP`).

    Raises
    ------
    FcsError
        An argument cannot be stored without changing it.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from il2cyto.io import open_fcs
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "simulated.fcs")
    ...     write_fcs(file, np.array([[1.0, 2.5], [3.0, 4.0]]), names=["FSC-A", "APC-A"], labels=["", "CD25"])
    ...     open_fcs(file).events()
    array([[1. , 2.5],
           [3. , 4. ]], dtype=float32)
    """
    path = Path(path)
    data = _as_float32(path.name, events, len(names))
    words = {
        **_parameter_keywords(path.name, names, labels, ranges),
        **_optional_keywords(path.name, names, spillover, timestep),
        **_extra_keywords(path.name, keywords or {}),
    }
    front = _header_and_text(path.name, words, n_events=len(data), n_channels=len(names))
    partial = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    try:
        with partial.open("wb") as file:
            file.write(front)
            file.write(data.data)
            file.write(_NO_CRC)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _as_float32(file: str, events: FloatArray, n_channels: int) -> FloatArray:
    if events.ndim != 2 or events.shape[1] != n_channels or n_channels == 0:
        raise FcsError(
            file,
            "events",
            f"array of shape {events.shape} for {n_channels} names",
            "Give events x channels, one name each.",
        )
    try:
        with np.errstate(over="raise"):
            return np.ascontiguousarray(events, dtype="<f4")
    except FloatingPointError:
        raise FcsError(file, "events", "a value beyond the range of float32", "Rescale that channel.") from None


def _parameter_keywords(
    file: str, names: Sequence[str], labels: Sequence[str], ranges: Sequence[float] | None
) -> dict[str, str]:
    labels = labels or [""] * len(names)
    ranges = [_DEFAULT_RANGE] * len(names) if ranges is None else ranges
    if not len(names) == len(labels) == len(ranges):
        found = f"{len(names)} names, {len(labels)} labels, {len(ranges)} ranges"
        raise FcsError(file, "names", found, "Give one of each per channel.")
    if len(set(names)) < len(names) or any(
        not name or set(name) & {",", "\x00"} or name != name.strip(" ") for name in names
    ):
        found = "empty, repeated, padded, or with a comma or NUL"
        raise FcsError(file, "$PnN", found, "Give each channel a name of its own.")
    if not all(np.isfinite(r) and r > 0 for r in ranges):
        raise FcsError(
            file, "$PnR", "a range that is not positive and finite", "Give the largest value of each channel."
        )
    words: dict[str, str] = {}
    for n, (name, label, top) in enumerate(zip(names, labels, ranges, strict=True), start=1):
        words |= {f"$P{n}N": name, f"$P{n}B": "32", f"$P{n}E": "0,0", f"$P{n}R": _number(top)}
        if label:
            words[f"$P{n}S"] = label
    return words


def _optional_keywords(
    file: str, names: Sequence[str], spillover: Spillover | None, timestep: float | None
) -> dict[str, str]:
    words = {}
    if timestep is not None:
        if not (np.isfinite(timestep) and timestep > 0):
            raise FcsError(file, "$TIMESTEP", "not a positive number", "Give seconds per unit of Time.")
        words["$TIMESTEP"] = _number(timestep)
    if spillover is not None:
        n = len(spillover.channels)
        if not set(spillover.channels) <= set(names) or len(set(spillover.channels)) < n or n == 0:
            raise FcsError(
                file, "$SPILLOVER", "channels repeated or not in the file", "Use names of `names`, once each."
            )
        if spillover.matrix.shape != (n, n) or not np.isfinite(spillover.matrix).all():
            raise FcsError(file, "$SPILLOVER", "matrix not square or not finite", f"Give {n} x {n} finite numbers.")
        values = map(_number, spillover.matrix.ravel().tolist())
        words["$SPILLOVER"] = ",".join((str(n), *spillover.channels, *values))
    return words


def _extra_keywords(file: str, keywords: Mapping[str, str]) -> dict[str, str]:
    words = {key.upper(): value for key, value in keywords.items()}
    if len(words) < len(keywords):
        raise FcsError(file, "keywords", "a name given twice in different case", "Keyword names ignore case.")
    for key in words:
        if _OWN_KEYWORD.fullmatch(key):
            raise FcsError(file, key, "set by the writer itself", "Leave it out of `keywords`.")
        if not (key and key.isascii() and key.isprintable() and key == key.strip()):
            raise FcsError(file, "keywords", "a name that is empty or not printable ASCII", "Rename that keyword.")
    return words


def _header_and_text(file: str, words: Mapping[str, str], *, n_events: int, n_channels: int) -> bytes:
    size = 4 * n_events * n_channels
    layout = {
        "$BYTEORD": "1,2,3,4",
        "$DATATYPE": "F",
        "$MODE": "L",
        "$PAR": str(n_channels),
        "$TOT": str(n_events),
        **dict.fromkeys(("$BEGINANALYSIS", "$ENDANALYSIS", "$BEGINSTEXT", "$ENDSTEXT", "$NEXTDATA"), "0"),
    }
    # The offsets have a fixed width, so that the length of TEXT does not depend on them.
    text = _text(file, {"$BEGINDATA": "0" * 12, "$ENDDATA": "0" * 12, **layout, **words})
    begin = _HEADER_BYTES + len(text)
    end = begin + size - 1 if size else 0
    start = begin if size else 0
    text = _text(file, {"$BEGINDATA": f"{start:012d}", "$ENDDATA": f"{end:012d}", **layout, **words})
    # The standard's rule for large files: zeros here, the true offsets in TEXT.
    in_header = (start, end) if end <= _LARGEST_HEADER_OFFSET else (0, 0)
    return b"FCS3.1    " + b"".join(b"%8d" % o for o in (_HEADER_BYTES, begin - 1, *in_header, 0, 0)) + text


def _text(file: str, words: Mapping[str, str]) -> bytes:
    for key, value in words.items():
        if not value or value.startswith(_DELIMITER) or value.endswith(_DELIMITER):
            raise FcsError(
                file, key, "value empty, or form feed at one of its ends", "Leave the keyword out or trim it."
            )
    tokens: Iterable[str] = (token for pair in words.items() for token in pair)
    doubled = (token.replace(_DELIMITER, 2 * _DELIMITER) for token in tokens)
    return (_DELIMITER + _DELIMITER.join(doubled) + _DELIMITER).encode()


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))

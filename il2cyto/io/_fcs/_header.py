"""HEADER: the version and the offsets of the segments, all counted from the start of the data set."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from il2cyto.errors import FcsError

if TYPE_CHECKING:
    from il2cyto.io._fcs._flags import Notes

HEADER_BYTES: Final = 58
#: The largest offset that eight characters hold; some writers put it where the true one does not fit.
LARGEST_OFFSET: Final = 99_999_999

_MAGIC = re.compile(rb"FCS[0-9]\.[0-9]")
_KNOWN_VERSIONS = ("FCS2.0", "FCS3.0", "FCS3.1", "FCS3.2")
_OFFSET = re.compile(rb"-?[0-9]{1,8}")
_OTHER_FORMATS = (
    (b"\x1f\x8b", "gzip", "Decompress it first."),
    (b"PK\x03\x04", "zip", "Unpack it first."),
    (b"\x00\x05\x16\x07", "AppleDouble (the Mac's companion of a file)", "Use the file without the leading '._'."),
    (b"<", "HTML or XML", "It may be an error page of the server; download it again."),
)


@dataclass(frozen=True, slots=True)
class Segment:
    """Bytes `begin` to `end`, both included."""

    begin: int
    end: int

    @property
    def length(self) -> int:
        """Number of bytes; 0 or less where `end` is before `begin`."""
        return self.end - self.begin + 1

    def overlaps(self, other: Segment) -> bool:
        """Whether both hold a byte in common."""
        return self.begin <= other.end and other.begin <= self.end


@dataclass(frozen=True, slots=True)
class Header:
    """What HEADER says; None is an absent segment."""

    version: str
    text: Segment
    data: Segment | None
    analysis: Segment | None


def is_fcs(raw: bytes) -> bool:
    """Whether these bytes begin as a data set does."""
    return _MAGIC.match(raw) is not None


def read_header(raw: bytes, size: int, notes: Notes) -> Header:
    """Read the first bytes of a data set of `size` bytes."""
    if not is_fcs(raw):
        for magic, kind, remedy in _OTHER_FORMATS:
            if raw.startswith(magic):
                raise FcsError(notes.file, "HEADER", f"not an FCS file but {kind}", remedy)
        raise FcsError(notes.file, "HEADER", "does not begin with FCS and a version", "Check that it is an FCS file.")
    if len(raw) < HEADER_BYTES:
        raise FcsError(
            notes.file, "HEADER", f"{len(raw)} of {HEADER_BYTES} bytes", "The file is truncated: copy it again."
        )
    version = raw[:6].decode("ascii")
    if version not in _KNOWN_VERSIONS:
        notes.flag("version")
    offsets = [_offset(raw[i : i + 8], i, notes) for i in range(10, HEADER_BYTES, 8)]
    text, data, analysis = (_segment(offsets[i], offsets[i + 1], 10 + 8 * i, notes) for i in (0, 2, 4))
    if text is None or text.begin < HEADER_BYTES or text.end <= text.begin:
        raise FcsError(notes.file, "HEADER", "no TEXT segment behind HEADER", "The file is damaged: export it again.")
    if text.end >= size:
        found = f"TEXT ends at byte {text.end}, the data set has {size}"
        raise FcsError(notes.file, "HEADER", found, "The file is truncated: copy it again.")
    if analysis is not None and analysis.end >= size:
        notes.flag("analysis")
        analysis = None
    return Header(version, text, data, analysis)


def _offset(field: bytes, position: int, notes: Notes) -> int | None:
    digits = field.strip(b" \x00")
    if not digits:
        return None
    if not _OFFSET.fullmatch(digits):
        found = f"the offset at byte {position} is not a number"
        raise FcsError(notes.file, "HEADER", found, "The file is damaged: export it again.")
    return int(digits)


def _segment(begin: int | None, end: int | None, position: int, notes: Notes) -> Segment | None:
    begin, end = begin or 0, end or 0
    if begin < 0 or (end < 0 and (begin, end) != (0, -1)):
        found = f"a negative offset at byte {position}"
        raise FcsError(notes.file, "HEADER", found, "The file is damaged: export it again.")
    if end <= 0 or LARGEST_OFFSET in (begin, end):
        return None
    # An empty segment may end just before it begins.
    if begin > end + 1:
        found = f"the segment at byte {position} ends before it begins"
        raise FcsError(notes.file, "HEADER", found, "The file is damaged: export it again.")
    return Segment(begin, end)

"""The chain of data sets in a file, linked by $NEXTDATA."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from il2cyto.errors import FcsError
from il2cyto.io._fcs._flags import Notes
from il2cyto.io._fcs._header import HEADER_BYTES, Header, Segment, is_fcs, read_header
from il2cyto.io._fcs._numbers import integer
from il2cyto.io._fcs._text import merge_supplemental, parse_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class DataSet:
    """HEADER and TEXT of one data set; `start` counts from the start of the file, `size` from there to the file's end."""

    start: int
    size: int
    header: Header
    words: Mapping[str, str]
    notes: Notes


def read_data_sets(file: BinaryIO, size: int, name: str) -> list[DataSet | FcsError]:
    """Read HEADER and TEXT of all data sets.

    The first has to be readable. A later one that is not stands as its error, and ends the chain.
    """
    first = _read_data_set(file, 0, size, Notes(name))
    sets: list[DataSet | FcsError] = [first]
    following = _next_start(file, first)
    while following:
        try:
            current = _read_data_set(file, following, size - following, Notes(name))
            following = _next_start(file, current)
        except FcsError as error:
            sets.append(error)
            break
        sets.append(current)
    return sets


def _read_data_set(file: BinaryIO, start: int, size: int, notes: Notes) -> DataSet:
    def read(segment: Segment) -> bytes:
        file.seek(start + segment.begin)
        return file.read(segment.length)

    header = read_header(read(Segment(0, HEADER_BYTES - 1)), size, notes)
    raw = read(header.text)
    words = merge_supplemental(parse_text(raw, notes), header.text, size, raw[:1], read, notes)
    return DataSet(start, size, header, words, notes)


def _next_start(file: BinaryIO, current: DataSet) -> int:
    """Where the next data set begins, 0 for none."""
    words, notes = current.words, current.notes
    if "$NEXTDATA" not in words:
        notes.flag("nextdata_missing")
        return 0
    offset = integer(words["$NEXTDATA"])
    if offset == 0:
        return 0
    end = max(integer(words.get("$ENDDATA", "")) or 0, current.header.text.end, HEADER_BYTES)
    if offset is not None and offset < end:
        found = "negative, or into its own data set"
        raise FcsError(notes.file, "$NEXTDATA", found, "The file is damaged: export it again.")
    if offset is None or offset >= current.size:
        notes.flag("nextdata_lost")
        return 0
    file.seek(current.start + offset)
    if not is_fcs(file.read(HEADER_BYTES)):
        notes.flag("nextdata_lost")
        return 0
    return current.start + offset

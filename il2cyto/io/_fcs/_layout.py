"""Where DATA lies and how a row of it is built."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from il2cyto.errors import FcsError
from il2cyto.io._fcs._header import HEADER_BYTES, LARGEST_OFFSET, Header, Segment
from il2cyto.io._fcs._numbers import integer
from il2cyto.io._fcs._text import require

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from il2cyto.io._fcs._channels import DataType, FcsChannel
    from il2cyto.io._fcs._flags import Notes

ByteOrder: TypeAlias = Literal["little", "big", "pdp"]

_PDP_WORD: Final = 32
_DAMAGED: Final = "The file is damaged or truncated: copy or export it again."


@dataclass(frozen=True, slots=True)
class Column:
    """One parameter within a row: its first bit, its width, and how many of its low bits count."""

    first_bit: int
    bits: int
    value_bits: int
    datatype: DataType


@dataclass(frozen=True, slots=True)
class Layout:
    """DATA of one data set; `begin` counts from the start of the file.

    Values that end with a delimiter have no place of their own: then `length` is that of DATA, `total` counts its events, and
    the first `skipped` of them are left out.
    """

    begin: int
    n_events: int
    order: ByteOrder
    columns: tuple[Column, ...]
    length: int = 0
    total: int = 0
    skipped: int = 0

    @property
    def row_bits(self) -> int:
        """Width of an event."""
        return self.columns[-1].first_bit + self.columns[-1].bits

    @property
    def n_bytes(self) -> int:
        """Length of DATA; packed values may leave the last byte unfinished."""
        return self.length or -(-self.n_events * self.row_bits // 8)

    @property
    def delimited(self) -> bool:
        """Whether values have no width of their own but end with a delimiter."""
        return self.row_bits == 0

    @property
    def whole_bytes(self) -> bool:
        """Whether every value begins and ends with a byte."""
        return all(column.bits % 8 == 0 for column in self.columns)

    def of_rows(self, rows: slice) -> Layout:
        """Return the layout of some consecutive events; the first must begin with a byte."""
        start, stop, _ = rows.indices(self.n_events)
        if self.delimited:
            return replace(self, skipped=self.skipped + start, n_events=max(stop - start, 0))
        return replace(self, begin=self.begin + start * self.row_bits // 8, n_events=max(stop - start, 0))

    def without_masks(self) -> Layout:
        """Return the layout with all bits of integers counting."""
        return replace(self, columns=tuple(replace(column, value_bits=column.bits) for column in self.columns))


def plan_layout(
    words: Mapping[str, str], header: Header, channels: Sequence[FcsChannel], *, start: int, size: int, notes: Notes
) -> Layout:
    """Find DATA of the data set that begins at `start` and has `size` bytes.

    Trusted is a place that has room for `$TOT` events and is clear of HEADER and TEXT; offsets that contradict it are flagged.
    """
    _check_mode(words, header.version, notes)
    places = {"TEXT": _text_segment(words, header.version, notes), "HEADER": header.data}
    order = _byte_order(require(words, "$BYTEORD", notes), channels, notes)
    widths = [channel.bits for channel in channels]
    if 0 in widths:
        return _plan_delimited(words, places, header.text, channels, order, start=start, size=size, notes=notes)
    n_events = _total(words, list(places.values()), row_bytes=math.ceil(sum(widths) / 8), notes=notes)
    if any(bits % 8 for bits in widths):
        # 10-bit values are packed by the standard, yet some writers give each of them a word.
        words_of_16 = [16 if bits % 8 and bits < 16 else bits for bits in widths]
        if any(place and 8 * place.length == n_events * sum(words_of_16) for place in places.values()):
            widths = words_of_16
    bits = sum(widths)
    begin = _place(
        places, header.text, need=math.ceil(n_events * bits / 8), row=math.ceil(bits / 8), size=size, notes=notes
    )
    if n_events == 0:
        notes.flag("no_events")
    return Layout(start + begin, n_events, order, _columns(channels, widths, notes))


def _plan_delimited(
    words: Mapping[str, str],
    places: Mapping[str, Segment | None],
    text: Segment,
    channels: Sequence[FcsChannel],
    order: ByteOrder,
    *,
    start: int,
    size: int,
    notes: Notes,
) -> Layout:
    """Plan ASCII values of no fixed width: only their DATA segment is known, and that it must have room for `$TOT` events."""
    if any(channel.bits for channel in channels):
        found = "delimited ASCII values beside values of a fixed width"
        raise FcsError(notes.file, "$PnB", found, "Export the file with integers or floating-point numbers.")
    n_events = integer(require(words, "$TOT", notes))
    if n_events is None or n_events < 0:
        raise FcsError(notes.file, "$TOT", "not a number of events", _DAMAGED)
    # A digit and a delimiter for each value but the last.
    need = max(2 * n_events * len(channels) - 1, 0)
    columns = tuple(Column(0, 0, 0, channel.datatype) for channel in channels)
    if n_events == 0:
        notes.flag("no_events")
        return Layout(start, 0, order, columns)
    fitting = [p for p in places.values() if p is not None and p.length >= need and _is_clear(p, text, size=size)]
    if not fitting:
        raise FcsError(notes.file, "DATA", f"no segment of the {need} bytes that $TOT events need at least", _DAMAGED)
    if len({(place.begin, place.end) for place in fitting}) > 1:
        notes.flag("data_offsets")
    return Layout(start + fitting[0].begin, n_events, order, columns, length=fitting[0].length, total=n_events)


def _is_clear(place: Segment, text: Segment, *, size: int) -> bool:
    return place.begin >= HEADER_BYTES and place.end < size and not place.overlaps(text)


def _check_mode(words: Mapping[str, str], version: str, notes: Notes) -> None:
    mode = words.get("$MODE", "").strip()
    if mode.upper() not in ("L", ""):
        raise FcsError(
            notes.file, "$MODE", "not L (list mode)", "Histograms hold no events: export the file in list mode."
        )
    if mode == "l" or (not mode and version != "FCS3.2"):
        notes.flag("mode")


def _text_segment(words: Mapping[str, str], version: str, notes: Notes) -> Segment | None:
    offsets = []
    for key in ("$BEGINDATA", "$ENDDATA"):
        value = words.get(key, "").strip()
        offset = integer(value) if value else 0
        if offset is None or (offset < 0 and not (key == "$ENDDATA" and offset == -1)):
            raise FcsError(notes.file, key, "not an offset", _DAMAGED)
        offsets.append(offset)
    if "$BEGINDATA" not in words and version != "FCS2.0":
        notes.flag("text_data")
    return Segment(*offsets) if offsets[0] > 0 else None


def _total(words: Mapping[str, str], places: Sequence[Segment | None], *, row_bytes: int, notes: Notes) -> int:
    if "$TOT" in words:
        total = integer(words["$TOT"])
        if total is None or total < 0:
            raise FcsError(notes.file, "$TOT", "not a number of events", _DAMAGED)
        return total
    notes.flag("tot_missing")
    length = next((place.length for place in places if place), 0)
    if length % row_bytes:
        raise FcsError(
            notes.file,
            "$TOT",
            f"absent, and DATA has {length} bytes, not a multiple of {row_bytes} per event",
            _DAMAGED,
        )
    return length // row_bytes


def _byte_order(value: str, channels: Sequence[FcsChannel], notes: Notes) -> ByteOrder:
    parts = [integer(part) for part in value.split(",")]
    ascending = list(range(1, len(parts) + 1))
    order: ByteOrder
    if len(parts) in (2, 4, 8) and parts == ascending:
        order = "little"
    elif len(parts) in (2, 4, 8) and parts == ascending[::-1]:
        order = "big"
    elif parts == [3, 4, 1, 2]:
        order = "pdp"
    else:
        raise FcsError(
            notes.file, "$BYTEORD", "not a known order of bytes", "The file cannot be read without it: export it again."
        )
    if order == "pdp" and any(channel.bits not in (8, 16, _PDP_WORD) for channel in channels):
        raise FcsError(
            notes.file,
            "$BYTEORD",
            "3,4,1,2 for values that are not of 32 bits",
            "Export the file in another byte order.",
        )
    return order


def _place(places: Mapping[str, Segment | None], text: Segment, *, need: int, row: int, size: int, notes: Notes) -> int:
    """First byte of DATA."""
    given = {name: place for name, place in places.items() if place is not None}
    if need == 0:
        if any(place.length >= row for place in given.values()):
            raise FcsError(notes.file, "$TOT", "0 events, but DATA is not empty", _DAMAGED)
        return 0
    fitting = {name: place for name, place in given.items() if _fits(place, text, need=need, row=row, size=size)}
    if not fitting:
        raise _misfit(given, text, need=need, size=size, notes=notes)
    chosen = next(iter(fitting.values()))
    begins = {place.begin for place in fitting.values()}
    if len(begins) > 1:
        if text.end + 1 not in begins:
            found = f"HEADER says byte {fitting['HEADER'].begin}, TEXT says {fitting['TEXT'].begin}, either is possible"
            raise FcsError(notes.file, "DATA", found, "Export the file again.")
        chosen = next(place for place in fitting.values() if place.begin == text.end + 1)
    if chosen.length != need:
        notes.flag("data_end", f"{chosen.length} bytes for {need}")
    if given.get("TEXT", chosen) != chosen:
        notes.flag("data_offsets")
    elif "HEADER" not in given:
        if chosen.end <= LARGEST_OFFSET:
            notes.flag("header_data")
    elif given["HEADER"] != chosen:
        notes.flag("data_offsets")
    return chosen.begin


def _fits(place: Segment, text: Segment, *, need: int, row: int, size: int) -> bool:
    data = Segment(place.begin, place.begin + need - 1)
    if data.begin < HEADER_BYTES or data.end >= size or data.overlaps(text):
        return False
    # With rows of one byte, one byte more or less is an event.
    return place.length == need or (row > 1 and need - 1 <= place.length < need + row)


def _misfit(given: Mapping[str, Segment], text: Segment, *, need: int, size: int, notes: Notes) -> Exception:
    if not given:
        return FcsError(notes.file, "DATA", "no offsets in HEADER or TEXT", _DAMAGED)
    place = next(iter(given.values()))
    data = Segment(place.begin, place.begin + need - 1)
    if data.end >= size:
        return FcsError(notes.file, "DATA", f"$TOT events need {need} bytes, the file ends before", _DAMAGED)
    if data.begin < HEADER_BYTES or data.overlaps(text):
        return FcsError(notes.file, "DATA", "lies over HEADER or TEXT", _DAMAGED)
    return FcsError(notes.file, "$TOT", f"its events need {need} bytes, DATA has {max(place.length, 0)}", _DAMAGED)


def _columns(channels: Sequence[FcsChannel], widths: Sequence[int], notes: Notes) -> tuple[Column, ...]:
    columns, first_bit = [], 0
    for channel, bits in zip(channels, widths, strict=True):
        value_bits = bits
        if channel.datatype == "I":
            # The mask keeps all values below the next power of two, also those above $PnR.
            value_bits = (int(channel.range) - 1).bit_length()
            if value_bits > channel.bits:
                notes.flag("range_beyond_word", f"$P{channel.index + 1}R")
            value_bits = min(value_bits, channel.bits)
        columns.append(Column(first_bit, bits, value_bits, channel.datatype))
        first_bit += bits
    return tuple(columns)

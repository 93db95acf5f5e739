"""DATA: from mapped bytes to an array of the columns asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np

from il2cyto.io._fcs._channels import MOST_DIGITS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from il2cyto.io._fcs._layout import ByteOrder, Column, Layout
    from il2cyto.io._fcs._types import ByteArray, FloatArray

#: float32 holds every integer of so many bits.
EXACT_BITS: Final = 24
_NATIVE_BITS: Final = (8, 16, 32, 64)


class BadDigits(ValueError):
    """ASCII values that are none; its text holds counts only."""


def decode(path: Path, layout: Layout, columns: Sequence[int], *, step: int = 1) -> FloatArray:
    """Values of some columns for every `step`-th event, masked but not scaled, as events x columns.

    float32 where that holds every value the columns can have, else float64.
    """
    chosen = [layout.columns[i] for i in columns]
    dtype = np.float32 if all(fits_float32(column) for column in chosen) else np.float64
    if layout.n_events == 0 or not chosen:
        return np.empty((layout.n_events, len(chosen)), dtype)
    if layout.delimited:
        return _decode_delimited(_map_bytes(path, layout), layout, columns)[::step]
    if _is_uniform(layout):
        return _decode_uniform(path, layout, columns, dtype, step)
    events = np.empty((-(-layout.n_events // step), len(chosen)), dtype)
    if layout.whole_bytes:
        rows = _map_bytes(path, layout).reshape(layout.n_events, -1)[::step]
        for i, column in enumerate(chosen):
            events[:, i] = _decode_bytes(rows, column, layout.order)
    else:
        bits = np.unpackbits(_map_bytes(path, layout), count=layout.n_events * layout.row_bits)
        for i, column in enumerate(chosen):
            events[:, i] = _decode_packed(bits.reshape(layout.n_events, -1)[::step], column)
    return events


def fits_float32(column: Column) -> bool:
    """Whether float32 holds every value of this column."""
    return column.datatype == "F" or (column.datatype == "I" and column.value_bits <= EXACT_BITS)


def _is_uniform(layout: Layout) -> bool:
    kinds = {(column.datatype, column.bits) for column in layout.columns}
    return len(kinds) == 1 and layout.columns[0].bits in _NATIVE_BITS and layout.order != "pdp"


def _decode_uniform(
    path: Path, layout: Layout, columns: Sequence[int], dtype: type[np.floating], step: int
) -> FloatArray:
    first = layout.columns[0]
    sign = "<" if layout.order == "little" else ">"
    stored = np.dtype(f"{sign}{'u' if first.datatype == 'I' else 'f'}{first.bits // 8}")
    shape = (layout.n_events, len(layout.columns))
    mapped = np.memmap(path, dtype=stored, mode="r", offset=layout.begin, shape=shape)[::step]
    rows = mapped if list(columns) == list(range(shape[1])) else mapped[:, list(columns)]
    masks = [(1 << layout.columns[i].value_bits) - 1 for i in columns]
    if first.datatype == "I" and min(masks) < (1 << first.bits) - 1:
        rows = rows & np.array(masks, dtype=stored)
    return np.array(rows, dtype=dtype, order="C")


def _map_bytes(path: Path, layout: Layout) -> ByteArray:
    return np.memmap(path, dtype=np.uint8, mode="r", offset=layout.begin, shape=(layout.n_bytes,))


def _decode_bytes(rows: ByteArray, column: Column, order: ByteOrder) -> FloatArray:
    first, n_bytes = column.first_bit // 8, column.bits // 8
    if column.datatype == "A":
        digits = np.ascontiguousarray(rows[:, first : first + n_bytes])
        return _integers(digits.view(f"S{n_bytes}").ravel().tolist())
    word = np.zeros(len(rows), np.uint64)
    for i, significance in enumerate(_significance(n_bytes, order)):
        word |= rows[:, first + i].astype(np.uint64) << np.uint64(8 * significance)
    if column.datatype == "F":
        return word.astype(np.uint32).view(np.float32)
    if column.datatype == "D":
        return word.view(np.float64)
    return (word & np.uint64((1 << column.value_bits) - 1)).astype(np.float64)


def _significance(n_bytes: int, order: ByteOrder) -> Sequence[int]:
    """For each byte of a word as stored, its rank from the least significant."""
    if order == "big":
        return range(n_bytes - 1, -1, -1)
    if order == "pdp" and n_bytes == 4:
        return (2, 3, 0, 1)
    return range(n_bytes)


def _decode_delimited(data: ByteArray, layout: Layout, columns: Sequence[int]) -> FloatArray:
    values = _integers(re.split(rb"[ ,\t\r\n]+", data.tobytes().strip(b" ,\t\r\n\x00")))
    rows = slice(layout.skipped, layout.skipped + layout.n_events)
    width = len(layout.columns)
    if values.size != layout.total * width:
        found = f"{values.size} values, $TOT events have {layout.total * width}"
        raise BadDigits(found)
    return values.reshape(-1, width)[rows, list(columns)]


def _integers(texts: Sequence[bytes]) -> FloatArray:
    """Read unsigned integers; Python's own `int` also takes signs and underscores."""
    trimmed = [text.strip(b" \x00") for text in texts]
    n_bad = sum(not text.isdigit() or len(text) > MOST_DIGITS for text in trimmed)
    if n_bad:
        found = f"{n_bad} of {len(texts)} values are no unsigned integers"
        raise BadDigits(found)
    return np.array([int(text) for text in trimmed], dtype=np.float64)


def _decode_packed(bits: ByteArray, column: Column) -> FloatArray:
    # One stream of bits for all values of all events, the high bit of each value first.
    value = np.zeros(len(bits), np.uint64)
    last = column.first_bit + column.bits
    for i in range(last - column.value_bits, last):
        value = (value << np.uint64(1)) | bits[:, i]
    return value.astype(np.float64)

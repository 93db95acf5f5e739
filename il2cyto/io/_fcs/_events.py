"""Checks of the events themselves, which need all of DATA."""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Final

import numpy as np

from il2cyto.io._fcs._data import decode
from il2cyto.io._fcs._file import one_error
from il2cyto.io._fcs._flags import Notes

if TYPE_CHECKING:
    import numpy.typing as npt

    from il2cyto.io._fcs._channels import FcsChannel
    from il2cyto.io._fcs._file import FcsFile
    from il2cyto.io._fcs._flags import FcsFlag
    from il2cyto.io._fcs._types import FloatArray

#: Share of events at the top of a channel's range from which the detector counts as saturated.
SATURATED_SHARE: Final = 0.05
#: Consecutive events that must return, at the same distance, to count as a repeated block.
REPEATED_BLOCK: Final = 8
_LARGEST_PLAUSIBLE: Final = 1e30
_CRC_BYTES: Final = 8
# Odd, its bits well mixed: 2^64 divided by the golden ratio.
_HASH_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)
_REVERSED_BITS: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def event_flags(file: FcsFile) -> tuple[FcsFlag, ...]:
    """Look at all events of a file, as stored, and flag what a measurement would hardly show.

    Events with NaN or infinite values, channels that are 0 or constant or saturated, values beyond what a detector gives,
    blocks of events that stand twice, a clock that stands still or runs backwards; and a checksum that does not match.
    """
    notes = Notes(file.name)
    with one_error(file.name):
        _check_crc(file, notes)
    events = file.events(preprocess=False)
    if len(events) == 0:
        return notes.flags
    finite = np.isfinite(events)
    n_bad = int((~finite.all(axis=1)).sum())
    if n_bad:
        notes.flag("nonfinite", f"{n_bad} of {len(events)} events")
    _check_masked_bits(file, events, notes)
    for channel in file.channels:
        values = events[:, channel.index][finite[:, channel.index]]
        if channel.is_time:
            _check_time(values, channel, notes)
        elif len(values):
            _check_values(values, channel, notes)
    if len(events) > REPEATED_BLOCK:
        n_repeated = _count_repeated(events)
        if n_repeated:
            notes.flag("repeated_events", f"{n_repeated} of {len(events)} events")
    return notes.flags


def _check_masked_bits(file: FcsFile, events: FloatArray, notes: Notes) -> None:
    unmasked = file._layout.without_masks()
    if unmasked == file._layout:
        return
    n_cleared = (decode(file._bytes, unmasked, range(len(file.channels))) != events).sum(axis=0)
    for i in np.flatnonzero(n_cleared):
        notes.flag("masked", f"$P{i + 1}: {n_cleared[i]} of {len(events)} events")


def _check_values(values: FloatArray, channel: FcsChannel, notes: Notes) -> None:
    key = f"$P{channel.index + 1}"
    lowest, highest = values.min(), values.max()
    if len(values) > 1 and lowest == highest:
        notes.flag("zero_channel" if lowest == 0 else "constant_channel", key)
        return
    # The top of a range of R is R - 1 in integers; FACSDiva writes its floats likewise. A clipped signal piles up at one value.
    n_top = int((values == highest).sum()) if highest >= channel.range - 1 else 0
    if n_top > max(1, SATURATED_SHARE * len(values)):
        notes.flag("saturated", f"{key}: {n_top} of {len(values)} events")
    if channel.datatype != "I":
        size = np.abs(values)
        n_extreme = int(((size > _LARGEST_PLAUSIBLE) | ((size > 0) & (size < np.finfo(np.float32).tiny))).sum())
        if n_extreme:
            notes.flag("extreme", f"{key}: {n_extreme} of {len(values)} events")


def _check_time(values: FloatArray, channel: FcsChannel, notes: Notes) -> None:
    key = f"$P{channel.index + 1}"
    n_back = int((values[1:] < values[:-1]).sum())
    if n_back:
        notes.flag("time_backwards", f"{key}: {n_back} times")
    elif len(values) > 1 and values[0] == values[-1]:
        notes.flag("time_constant", key)


def _count_repeated(events: FloatArray) -> int:
    """Events in blocks that stood before, each event equal to the one a constant distance ahead of it."""
    unsigned = np.uint32 if events.dtype == np.float32 else np.uint64
    words: npt.NDArray[np.unsignedinteger] = np.ascontiguousarray(events).view(unsigned)
    hashes = np.zeros(len(words), np.uint64)
    for i in range(words.shape[1]):
        hashes = (hashes ^ words[:, i].astype(np.uint64)) * _HASH_FACTOR
        hashes ^= hashes >> np.uint64(32)
    order = np.argsort(hashes, kind="stable")
    distance = np.zeros(len(words), np.int64)
    same = hashes[order[1:]] == hashes[order[:-1]]
    distance[order[1:][same]] = (order[1:] - order[:-1])[same]
    # A distance of 1 is an event that does not change, which other checks see.
    starts = np.flatnonzero(np.diff(distance, prepend=-1))
    lengths = np.diff(starts, append=len(distance))
    return int(lengths[(distance[starts] > 1) & (lengths >= REPEATED_BLOCK)].sum())


def _check_crc(file: FcsFile, notes: Notes) -> None:
    begin, end = file._extent
    with file._bytes.open("rb") as stream:
        stream.seek(end)
        field = stream.read(_CRC_BYTES).strip()
        if not field.isdigit() or not int(field):
            return
        stream.seek(begin)
        crc, left = 0, end - begin
        # CCITT with reversed bits: reverse those of the input, and of the result below.
        while left and (block := stream.read(min(left, 1 << 20))):
            crc = binascii.crc_hqx(block.translate(_REVERSED_BITS), crc)
            left -= len(block)
    if int(f"{crc:016b}"[::-1], 2) != int(field):
        notes.flag("crc")

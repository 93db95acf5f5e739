"""The parameters of a data set: what each column is called and how it is stored."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from il2cyto.errors import FcsError
from il2cyto.io._fcs._numbers import integer, number
from il2cyto.io._fcs._text import require

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from il2cyto.io._fcs._flags import Notes

#: I: unsigned integer, F: 32-bit float, D: 64-bit float, A: unsigned integer in ASCII digits.
DataType: TypeAlias = Literal["I", "F", "D", "A"]

_DATA_TYPES: Final[tuple[DataType, ...]] = ("I", "F", "D", "A")
_WIDTH: Final = {"F": 32, "D": 64}
_WIDEST_INTEGER: Final = 64
#: All digits that an integer of 64 bits can have.
MOST_DIGITS: Final = 20
_NUMBERED: Final = re.compile(r"\$P([0-9]+)[A-Z]")
# 64-bit clocks come as two words; Beckman and Cytomation have their own names.
_TIME: Final = re.compile(r"(HDR-)?T(IME)?[0-9]?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FcsChannel:
    """One parameter ($Pn) of a file, as the file describes it.

    Attributes
    ----------
    index
        Column, from 0; `$P1` is 0.
    name
        `$PnN` without outer blanks.
    label
        `$PnS`, `""` for none. It is free text and may name a person: it is not part of the repr.
    bits
        `$PnB`; of ASCII digits 8 for each character, 0 where they end with a delimiter.
    range
        `$PnR`, NaN where it is unknown.
    amplification
        `$PnE` as decades and the value at channel 0; (0, 0) is linear.
    gain
        `$PnG`, None where it is absent or unknown.
    voltage
        `$PnV`, likewise.
    datatype
        `"I"`, `"F"`, `"D"` or `"A"`.
    """

    index: int
    name: str
    label: str = field(repr=False)
    bits: int
    range: float
    amplification: tuple[float, float]
    gain: float | None
    voltage: float | None
    datatype: DataType

    @property
    def is_time(self) -> bool:
        """Whether this is a clock, which is neither compensated nor transformed."""
        return _TIME.fullmatch(self.name) is not None

    @property
    def is_logarithmic(self) -> bool:
        """Whether stored values are channel numbers of a logarithmic amplifier."""
        return self.datatype in ("I", "A") and self.amplification[0] > 0 and not self.is_time


def read_channels(words: Mapping[str, str], notes: Notes) -> tuple[FcsChannel, ...]:
    """Read and check the keywords of all parameters."""
    n_parameters = integer(require(words, "$PAR", notes))
    if n_parameters is None or n_parameters < 1:
        raise FcsError(notes.file, "$PAR", "not a positive integer", "The file is damaged: export it again.")
    if n_parameters > len(words):
        found = f"{n_parameters} parameters, but only {len(words)} keywords"
        raise FcsError(notes.file, "$PAR", found, "The file is damaged: export it again.")
    default = _data_type(require(words, "$DATATYPE", notes), "$DATATYPE", notes)
    _check_numbering(words, n_parameters, notes)
    channels = tuple(_channel(words, n, default, notes) for n in range(1, n_parameters + 1))
    _check_names([channel.name for channel in channels], notes)
    labels = Counter(channel.label.strip() for channel in channels if channel.label.strip())
    if any(count > 1 for count in labels.values()):
        notes.flag("labels_repeated")
    return channels


def _channel(words: Mapping[str, str], n: int, default: DataType, notes: Notes) -> FcsChannel:
    key = f"$P{n}"
    own = words.get(f"{key}DATATYPE", "").strip()
    datatype = _data_type(own, f"{key}DATATYPE", notes) if own else default
    amplification = _amplification(words.get(f"{key}E", ""), f"{key}E", notes)
    channel = FcsChannel(
        index=n - 1,
        name=_name(words.get(f"{key}N", ""), f"{key}N", notes),
        label=words.get(f"{key}S", ""),
        bits=_bits(require(words, f"{key}B", notes), datatype, f"{key}B", notes),
        range=_range(words.get(f"{key}R", ""), datatype, f"{key}R", notes),
        amplification=amplification,
        gain=_gain(words.get(f"{key}G"), f"{key}G", notes),
        voltage=number(words.get(f"{key}V", "")),
        datatype=datatype,
    )
    if amplification[0] > 0 and not channel.is_logarithmic:
        notes.flag("amplification_ignored", f"{key}E")
    if channel.is_logarithmic and channel.gain not in (None, 1.0):
        notes.flag("gain_with_log", f"{key}G")
    return channel


def _data_type(value: str, key: str, notes: Notes) -> DataType:
    if value != value.upper():
        notes.flag("datatype_case", key)
    kind = value.upper()
    for known in _DATA_TYPES:
        if kind == known:
            return known
    remedy = "Export the file with integers or floating-point numbers."
    raise FcsError(notes.file, key, "not one of I, F, D, A", remedy)


def _check_numbering(words: Mapping[str, str], n_parameters: int, notes: Notes) -> None:
    for key in words:
        match = _NUMBERED.match(key)
        if match and not 1 <= int(match.group(1)) <= n_parameters:
            found = f"keywords of parameter {match.group(1)[:6]}, but parameters run from 1 to {n_parameters}"
            raise FcsError(notes.file, "$PAR", found, "The file is damaged: export it again.")


def _name(value: str, key: str, notes: Notes) -> str:
    name = value.strip(" ")
    if not name.strip():
        raise FcsError(
            notes.file, key, "absent or empty", "Without it names and columns may slip: export the file again."
        )
    if "\x00" in name:
        raise FcsError(notes.file, key, "holds a NUL character", "Rename the channel and export the file again.")
    if name != value:
        notes.flag("name_trimmed", key)
    if "," in name:
        notes.flag("name_comma", key)
    return name


def _check_names(names: Sequence[str], notes: Notes) -> None:
    counts = Counter(names)
    repeated = [f"$P{n}N" for n, name in enumerate(names, start=1) if counts[name] > 1]
    if repeated:
        raise FcsError(
            notes.file, "$PnN", f"equal names in {', '.join(repeated[:6])}", "Give each channel a name of its own."
        )
    if len({unicodedata.normalize("NFKC", name).casefold() for name in names}) < len(names):
        notes.flag("names_alike")


def _bits(value: str, datatype: DataType, key: str, notes: Notes) -> int:
    if datatype == "A":
        return _characters(value, key, notes)
    bits = integer(value)
    if bits is None or not 1 <= bits <= _WIDEST_INTEGER:
        raise FcsError(notes.file, key, "not an integer from 1 to 64", "The file is damaged: export it again.")
    if bits != _WIDTH.get(datatype, bits):
        found = f"{bits} bits for data of type {datatype}, which has {_WIDTH[datatype]}"
        raise FcsError(notes.file, key, found, "The file contradicts itself: export it again.")
    return bits


def _characters(value: str, key: str, notes: Notes) -> int:
    if value.strip() == "*":
        return 0
    n_characters = integer(value)
    if n_characters is None or not 1 <= n_characters <= MOST_DIGITS:
        found = f"not * or a number of characters from 1 to {MOST_DIGITS}"
        raise FcsError(notes.file, key, found, "The file is damaged: export it again.")
    return 8 * n_characters


def _range(value: str, datatype: DataType, key: str, notes: Notes) -> float:
    top = number(value)
    if top is not None and top > 0 and (datatype != "I" or top.is_integer()):
        return top
    # Integers need it to mask the bits that are not part of the value.
    if datatype == "I":
        raise FcsError(notes.file, key, "absent or not a positive integer", "The file is damaged: export it again.")
    notes.flag("range_unreadable", key)
    return math.nan


def _amplification(value: str, key: str, notes: Notes) -> tuple[float, float]:
    parts = [number(part) for part in value.split(",")]
    if len(parts) != 2 or parts[0] is None or parts[1] is None or min(parts[0], parts[1]) < 0:
        notes.flag("amplification", key)
        return 0.0, 0.0
    if parts[0] > 0 and parts[1] == 0:
        notes.flag("amplification_repaired", key)
        return parts[0], 1.0
    return parts[0], parts[1]


def _gain(value: str | None, key: str, notes: Notes) -> float | None:
    if value is None:
        return None
    gain = number(value)
    if gain is None or gain <= 0:
        notes.flag("gain_unknown", key)
        return None
    return gain

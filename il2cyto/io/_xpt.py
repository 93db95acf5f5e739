"""SAS transport files, version 5, the form in which regulators take data sets (SAS technical note TS-140).

The format has fields for the time of writing; they hold SAS's epoch, so that the same table gives the same bytes and no date
leaves the house.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from il2cyto.errors import SchemaError
from il2cyto.io._atomic import replacing

if TYPE_CHECKING:
    from collections.abc import Mapping

_RECORD: Final = 80
_EPOCH: Final = "01JAN60:00:00:00"
_MISSING: Final = b"." + bytes(7)
_NAMESTR: Final = ">hhhh8s40s8shhh2s8shhi52s"


def write_xpt(frame: pl.DataFrame, path: str | Path, *, name: str, label: str, labels: Mapping[str, str]) -> Path:
    """Write a table as a SAS version 5 transport file with one data set.

    Parameters
    ----------
    frame
        Text and numeric columns; null and NaN become blank and SAS's missing value.
    path
        Where to, usually ``<name>.xpt``; missing folders are made.
    name, label
        Of the data set, at most 8 and 40 characters.
    labels
        Of the variables, at most 40 characters each.

    Returns
    -------
    The path.

    Raises
    ------
    SchemaError
        With everything that the format cannot hold: a name or value that is too long, or text that is not ASCII.
    """
    text = [column for column, dtype in frame.schema.items() if not dtype.is_numeric()]
    values = {column: [str(v if v is not None else "") for v in frame[column].to_list()] for column in text}
    _refuse_what_does_not_fit(frame.columns, {**labels, name: label}, values)
    widths = {c: max([1, *map(len, values[c])]) if c in values else 8 for c in frame.columns}
    columns = [
        [value.ljust(widths[c]).encode("ascii") for value in values[c]]
        if c in values
        else [_ibm(value) for value in frame[c].cast(pl.Float64).to_list()]
        for c in frame.columns
    ]
    parts = [
        _header("LIBRARY HEADER RECORD", "0" * 30),
        _text("SAS     SAS     SASLIB  9.4     ", f"{'':32}{_EPOCH}"),
        _text(_EPOCH, ""),
        _header("MEMBER  HEADER RECORD", "000000000000000001600000000140"),
        _header("DSCRPTR HEADER RECORD", "0" * 30),
        _text(f"SAS     {name:8}SASDATA 9.4     ", f"{'':32}{_EPOCH}"),
        _text(f"{_EPOCH}{'':16}{label:40}", ""),
        _header("NAMESTR HEADER RECORD", f"000000{len(widths):04}{'0' * 20}"),
        _padded(b"".join(_namestrs(widths, text, labels))),
        _header("OBS     HEADER RECORD", "0" * 30),
        _padded(b"".join(cell for row in zip(*columns, strict=True) for cell in row)),
    ]
    path = Path(path)
    with replacing(path) as draft:
        draft.write_bytes(b"".join(parts))
    return path


def _refuse_what_does_not_fit(names: list[str], labels: Mapping[str, str], values: Mapping[str, list[str]]) -> None:
    problems = [f"name {name!r} has {len(name)} characters; allowed 8" for name in names if len(name) > 8]
    problems += [
        f"label of {name} has {len(text)} characters; allowed 40" for name, text in labels.items() if len(text) > 40
    ]
    for name, column in values.items():
        longest = max(map(len, column), default=0)
        if longest > 200:
            problems.append(f"a value of {name} has {longest} characters; allowed 200")
        odd = sum(not value.isascii() for value in column)
        if odd:
            problems.append(f"{odd} values of {name} are not ASCII; the format has no other letters")
    if problems:
        msg = f"SAS transport file: {'; '.join(problems)}. Shorten or respell them, or use the CSV."
        raise SchemaError(msg)


def _namestrs(widths: Mapping[str, int], text: list[str], labels: Mapping[str, str]) -> list[bytes]:
    """Describe each variable: type, width, number, name, label, and where in an observation it lies."""
    found, position = [], 0
    for number, (name, width) in enumerate(widths.items(), start=1):
        kind = 2 if name in text else 1
        about = (kind, 0, width, number, f"{name:8}".encode(), f"{labels.get(name, ''):40}".encode())
        found.append(struct.pack(_NAMESTR, *about, b" " * 8, 0, 0, 0, bytes(2), b" " * 8, 0, 0, position, bytes(52)))
        position += width
    return found


def _ibm(value: float | None) -> bytes:
    """Give a number in IBM's base-16 floating point, whose 56 bits of fraction hold a double exactly."""
    if value is None or math.isnan(value):
        return _MISSING
    if value == 0:
        return bytes(8)
    mantissa, exponent = math.frexp(abs(value))
    power = math.ceil(exponent / 4)
    fraction = int(math.ldexp(mantissa, 56 - (4 * power - exponent)))
    return bytes([(value < 0) << 7 | (power + 64)]) + fraction.to_bytes(7, "big")


def _header(title: str, numbers: str) -> bytes:
    return _text(f"HEADER RECORD*******{title}!!!!!!!{numbers}", "")


def _text(left: str, right: str) -> bytes:
    return f"{left}{right}".ljust(_RECORD).encode("ascii")


def _padded(data: bytes) -> bytes:
    return data + b" " * (-len(data) % _RECORD)

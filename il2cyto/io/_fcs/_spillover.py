"""The spillover matrix that an FCS file carries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from il2cyto.errors import FcsError
from il2cyto.io._fcs._numbers import integer, number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from il2cyto.io._fcs._channels import FcsChannel
    from il2cyto.io._fcs._flags import Notes
    from il2cyto.io._fcs._types import FloatArray

_KEYWORDS: Final = ("$SPILLOVER", "SPILL", "SPILLOVER")
_LARGEST_CONDITION: Final = 1e4
_SUSPICIOUS_CONDITION: Final = 1e3
_DIAGONAL_TOLERANCE: Final = 1e-6
_REMEDY: Final = "Give the compensation matrix by the template or the sample sheet."


@dataclass(frozen=True, eq=False)
class Spillover:
    """Share of each fluorochrome's signal that every detector sees.

    Parameters
    ----------
    channels
        `$PnN` of the detectors; the order of rows and columns.
    matrix
        Square, float64, diagonal 1; row = the fluorochrome that spills, column = the detector that sees it.
    source
        Keyword that held it, such as `"$SPILLOVER"`.
    """

    channels: tuple[str, ...]
    matrix: FloatArray
    source: str = "$SPILLOVER"


def read_spillover(
    words: Mapping[str, str], channels: Sequence[FcsChannel], notes: Notes
) -> Spillover | FcsError | None:
    """Read the matrix of a data set: it, the error to raise when it is asked for, or None where there is none.

    An error is returned, not raised: the events of a file with a bad matrix can be read.
    """
    found: list[Spillover | FcsError] = []
    for key in _KEYWORDS:
        if key not in words:
            continue
        if not words[key].strip() or integer(words[key].split(",")[0]) == 0:
            notes.flag("spill_empty", key)
            continue
        try:
            found.append(_parse(words[key], key, channels, notes))
        except FcsError as error:
            found.append(error)
    if not found:
        if "$COMP" in words:
            notes.flag("comp_ignored")
        return None
    if any(not _same(found[0], other) for other in found[1:]):
        notes.flag("spill_differ")
    if isinstance(found[0], FcsError):
        notes.flag("spill_unusable", found[0].check)
        return found[0]
    _flag_oddities(found[0], notes)
    return found[0]


def _parse(value: str, key: str, channels: Sequence[FcsChannel], notes: Notes) -> Spillover:
    parts = [part.strip() for part in value.split(",")]
    n = integer(parts[0])
    if n is None or n < 1:
        raise FcsError(notes.file, key, "does not begin with the number of channels", _REMEDY)
    if len(parts) != 1 + n + n * n:
        raise FcsError(notes.file, key, f"{len(parts)} items, {n} channels need {1 + n + n * n}", _REMEDY)
    names = parts[1 : n + 1]
    known = {channel.name for channel in channels}
    n_unknown = sum(name not in known for name in names)
    if n_unknown or len(set(names)) < n:
        raise FcsError(
            notes.file, key, f"{n_unknown} of {n} names are no $PnN, {n - len(set(names))} repeated", _REMEDY
        )
    values = [number(part) for part in parts[n + 1 :]]
    if None in values:
        raise FcsError(notes.file, key, f"{values.count(None)} of {n * n} values are not finite numbers", _REMEDY)
    matrix = np.array(values, dtype=np.float64).reshape(n, n)
    if np.abs(np.diagonal(matrix) - 1).max() > _DIAGONAL_TOLERANCE:
        raise FcsError(notes.file, key, "the diagonal is not 1 (percent, or not a spillover matrix)", _REMEDY)
    condition = np.linalg.cond(matrix)
    if not condition < _LARGEST_CONDITION:
        raise FcsError(
            notes.file, key, f"condition number {condition:.1e}, allowed is {_LARGEST_CONDITION:.0e}", _REMEDY
        )
    if condition > _SUSPICIOUS_CONDITION:
        notes.flag("spill_condition", key)
    matrix.setflags(write=False)
    return Spillover(tuple(names), matrix, key)


def _flag_oddities(spillover: Spillover, notes: Notes) -> None:
    if (spillover.matrix < 0).any():
        notes.flag("spill_negative", spillover.source)
    if np.array_equal(spillover.matrix, np.eye(len(spillover.channels))):
        notes.flag("spill_identity", spillover.source)


def _same(one: Spillover | FcsError, other: Spillover | FcsError) -> bool:
    return (
        isinstance(one, Spillover)
        and isinstance(other, Spillover)
        and one.channels == other.channels
        and np.array_equal(one.matrix, other.matrix)
    )

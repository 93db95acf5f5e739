"""Which rows of a file are read: all, or so few that a look at a file is quick."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from il2cyto.io import FcsFile

    FloatArray = npt.NDArray[np.float64]

#: In how many stretches a part of a file is read: the events of a file may lie in an order.
_STRETCHES: Final = 256


def stretches_of(n: int, most: int | None) -> tuple[slice, ...]:
    """The rows to read: all `n`, or about `most` of them in stretches all over the file; packed bits start at a multiple of 8."""
    if most is None or most >= n:
        return (slice(0, n),)
    length = max(8, most // _STRETCHES)
    starts = np.unique(np.linspace(0, n - length, max(1, most // length)).astype(np.int64) // 8 * 8).tolist()
    return tuple(slice(start, min(start + length, end)) for start, end in zip(starts, [*starts[1:], n], strict=True))


def read_columns(file: FcsFile, columns: Sequence[int], stretches: Sequence[slice]) -> FloatArray:
    """Read the stretches of some columns, events x columns."""
    parts = [file.events(columns, rows=rows) for rows in stretches]
    return np.concatenate(parts).astype(np.float64, copy=False).reshape(-1, len(columns))

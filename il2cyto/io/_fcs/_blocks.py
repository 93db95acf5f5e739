"""Events in blocks of a fixed size, so that memory does not grow with the file."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from il2cyto.errors import FcsError
from il2cyto.io._fcs._scale import divisor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from il2cyto.io._fcs._channels import FcsChannel
    from il2cyto.io._fcs._file import FcsFile
    from il2cyto.io._fcs._types import FloatArray, IntArray

#: Bytes of a block: it stays in the cache between the kernel's passes over it.
BLOCK_BYTES: Final = 1 << 19
# Events of packed bits begin with a byte only every eighth.
_STEP: Final = 8


@dataclass(frozen=True, eq=False)
class Blocks:
    """The events of a file, block after block.

    Attributes
    ----------
    positions
        Where in a block's rows the columns asked for are.
    rows
        Events of a block; the last has fewer.
    step
        Events from the beginning of one block to that of the next.
    """

    file: FcsFile
    columns: tuple[int, ...]
    positions: IntArray
    rows: int
    step: int
    stored: np.dtype[np.floating] | None

    def thinned(self, parts: int) -> Blocks:
        """The beginning of every block, one part of so many: a glance at the whole file."""
        return replace(self, rows=self.rows // parts // _STEP * _STEP + _STEP)

    def __iter__(self) -> Iterator[tuple[int, FloatArray]]:
        """First event and the numbers of each block; the array is written over by the next one."""
        return self._raw(self.stored) if self.stored is not None else self._decoded()

    def _decoded(self) -> Iterator[tuple[int, FloatArray]]:
        for start in range(0, self.file.n_events, self.step):
            yield start, np.ascontiguousarray(self.file.events(self.columns, rows=slice(start, start + self.rows)))

    def _raw(self, stored: np.dtype[np.floating]) -> Iterator[tuple[int, FloatArray]]:
        layout, width = self.file._layout, len(self.file.channels)
        buffer = np.empty((self.rows, width), dtype=stored.newbyteorder("="))
        self.file._check_unchanged()
        with self.file._bytes.open("rb", buffering=0) as stream:
            for start in range(0, layout.n_events, self.step):
                block = buffer[: min(self.rows, layout.n_events - start)]
                self._fill(stream.fileno(), block, layout.begin + start * width * stored.itemsize)
                if not stored.isnative:
                    block.byteswap(inplace=True)
                yield start, block

    def _fill(self, descriptor: int, block: FloatArray, offset: int) -> None:
        left = block.data.cast("B")
        while left:
            n = os.preadv(descriptor, [left], offset)
            if n == 0:
                found = "ends before the last event"
                raise FcsError(self.file.name, "size", found, "Wait until the file is complete, and open it again.")
            left, offset = left[n:], offset + n


def plan_blocks(file: FcsFile, columns: tuple[int, ...]) -> Blocks:
    """Choose how to read: linear floating-point numbers as they are stored, everything else decoded block by block."""
    channels = [file.channels[i] for i in columns]
    stored = _stored(file)
    if stored is None or any(_is_scaled(channel, file._timestep) for channel in channels):
        rows = BLOCK_BYTES // (8 * max(len(columns), 1)) // _STEP * _STEP + _STEP
        return Blocks(file, columns, np.arange(len(columns)), rows, rows, None)
    rows = BLOCK_BYTES // (stored.itemsize * len(file.channels)) // _STEP * _STEP + _STEP
    return Blocks(file, columns, np.array(columns, dtype=np.int64), rows, rows, stored)


def _is_scaled(channel: FcsChannel, timestep: float | None) -> bool:
    return channel.is_logarithmic or divisor(channel) != 1 or (channel.is_time and timestep is not None)


def _stored(file: FcsFile) -> np.dtype[np.floating] | None:
    layout = file._layout
    kinds = {(column.datatype, column.bits) for column in layout.columns}
    if layout.order == "pdp" or kinds not in ({("F", 32)}, {("D", 64)}):
        return None
    return np.dtype(f"{'<' if layout.order == 'little' else '>'}f{layout.columns[0].bits // 8}")

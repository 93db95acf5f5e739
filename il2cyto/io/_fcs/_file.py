"""One data set of one FCS file: opened cheaply, decoded when asked."""

from __future__ import annotations

import hashlib
import stat
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, replace
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING

from il2cyto.errors import FcsError, FcsWarning
from il2cyto.io._fcs._channels import read_channels
from il2cyto.io._fcs._data import BadDigits, decode
from il2cyto.io._fcs._day import parse_day
from il2cyto.io._fcs._header import HEADER_BYTES
from il2cyto.io._fcs._inflate import Inflated, is_gzip
from il2cyto.io._fcs._keywords import SIMULATED, allowed_keywords
from il2cyto.io._fcs._layout import plan_layout
from il2cyto.io._fcs._numbers import integer
from il2cyto.io._fcs._scale import read_timestep, scale
from il2cyto.io._fcs._sets import read_data_sets
from il2cyto.io._fcs._spillover import read_spillover

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from il2cyto.io._fcs._blocks import Blocks
    from il2cyto.io._fcs._channels import FcsChannel
    from il2cyto.io._fcs._flags import FcsFlag
    from il2cyto.io._fcs._layout import Layout
    from il2cyto.io._fcs._sets import DataSet
    from il2cyto.io._fcs._spillover import Spillover
    from il2cyto.io._fcs._types import FloatArray
    from il2cyto.panel import Panel


@dataclass(frozen=True, eq=False, repr=False)
class FcsFile:
    """One data set of an FCS file. HEADER and TEXT are parsed; no file handle is held.

    Attributes
    ----------
    name, path
        The file, without and with its folder.
    version
        Such as `"FCS3.1"`.
    n_events
        Events that DATA holds.
    channels
        The parameters, in the order of the columns.
    n_data_sets
        Data sets of the file.
    simulated
        Whether the file says that its events are simulated (keyword `IL2CYTO_SIMULATED`).
    flags
        What was repaired or ignored while it was opened.
    """

    name: str
    path: Path
    version: str
    n_events: int
    channels: tuple[FcsChannel, ...]
    n_data_sets: int
    simulated: bool
    flags: tuple[FcsFlag, ...]
    _words: Mapping[str, str]
    _file_size: int
    _extent: tuple[int, int]
    _layout: Layout
    _timestep: float | None
    _spillover: Spillover | FcsError | None
    _inflated: Inflated | None = None

    @property
    def _bytes(self) -> Path:
        """Where HEADER, TEXT and DATA stand uncompressed."""
        return self.path if self._inflated is None else self._inflated.path

    def __repr__(self) -> str:
        return f"FcsFile({self.name!r}, {self.version}, {self.n_events} events x {len(self.channels)} channels)"

    @property
    def keywords(self) -> Mapping[str, str]:
        """The keywords that may leave the file; `$PnS` only as the markers it names."""
        return allowed_keywords(self._words, self.channels)

    @property
    def acquisition_day(self) -> date | None:
        """The day of `$DATE`, for telling batches apart only: it is never written or shown. None where it cannot be read."""
        return parse_day(self._words.get("$DATE", ""))

    def events(
        self, columns: Sequence[int] | None = None, *, preprocess: bool = True, rows: slice = slice(None)
    ) -> FloatArray:
        """Decode events.

        Parameters
        ----------
        columns
            Columns to decode, by number (`index` of its channel), in this order; all by default.
        preprocess
            Bring them to the linear scale: undo logarithmic amplification (`$PnE`), divide by the gain (`$PnG`), and give
            Time in seconds (`$TIMESTEP`). Otherwise the numbers as stored, after the bit mask of integers.
        rows
            Events to decode, all in between or every so many; for packed bits the first must be a multiple of 8.

        Returns
        -------
        Events x columns: float32 where that is exact (a time step apart), else float64. NaN only where the file has NaN.

        Raises
        ------
        FcsError
            The file was changed since it was opened, or cannot be read; or it has no such column.
        """
        chosen = range(len(self.channels)) if columns is None else columns
        wrong = [i for i in chosen if not isinstance(i, Integral) or not 0 <= i < len(self.channels)]
        if wrong:
            found = f"{', '.join(map(repr, wrong))}, the file has 0 to {len(self.channels) - 1}"
            raise FcsError(self.name, "columns", found, "Give numbers: each of file.channels has its name and index.")
        channels = [self.channels[i] for i in chosen]
        with one_error(self.name):
            self._check_unchanged()
            layout = self._layout.of_rows(rows)
            step = rows.indices(self.n_events)[2]
            events = decode(self._bytes, layout, [channel.index for channel in channels], step=step)
            return scale(events, channels, self._timestep) if preprocess else events

    def blocks(self, columns: Sequence[int]) -> Blocks:
        """Give the events in blocks of constant size, for kernels; `columns` are those that will be looked at."""
        from il2cyto.io._fcs._blocks import plan_blocks

        return plan_blocks(self, tuple(columns))

    def spillover(self) -> Spillover | None:
        """Return the spillover matrix of the file, None where it has none.

        Raises
        ------
        FcsError
            There is one, but it cannot be used: wrong count, unknown names, not finite, diagonal not 1, nearly singular.
        """
        if isinstance(self._spillover, FcsError):
            raise self._spillover
        return self._spillover

    def sha256(self) -> str:
        """SHA-256 of the whole file, in hexadecimal."""
        with one_error(self.name), self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def described(self) -> FcsFile:
        """Give the same file without the temporary copy of a compressed one: its events can then not be read."""
        return replace(self, _inflated=None)

    def panel(self, aliases: Mapping[str, str] | None = None) -> Panel:
        """Read the channels as markers; `aliases` are a lab's own spellings, label -> marker."""
        from il2cyto.panel import Panel

        names, labels, ranges = zip(*((c.name, c.label, c.range) for c in self.channels), strict=True)
        return Panel.from_labels(names, labels, ranges=ranges, aliases=aliases)

    def _check_unchanged(self) -> None:
        # Mapped memory behind the end of a file that shrank would kill the process.
        size = self._bytes.stat().st_size
        if size != self._file_size:
            found = f"{size} bytes, {self._file_size} when it was opened"
            raise FcsError(self.name, "size", found, "Wait until the file is complete, and open it again.")


def open_fcs(path: str | os.PathLike[str], *, dataset: int | None = None) -> FcsFile:
    """Open one data set of an FCS file (2.0 to 3.2): read HEADER and TEXT, and find out where DATA is.

    Nothing is guessed in silence: what was repaired or ignored is in `flags` of the result and warned of; what cannot be
    read for certain is an error.

    Parameters
    ----------
    path
        The file; one whose name ends in ``.gz`` may be compressed by gzip, and is inflated into a temporary file.
    dataset
        Data set to open, 1 for the first. Needed only where a file has several.

    Returns
    -------
    The data set; no events are read yet.

    Raises
    ------
    FcsError
        The only error: the file is missing, not an FCS file, damaged, contradicts itself, or has several data sets and
        `dataset` does not name one.

    Warns
    -----
    FcsWarning
        Once for each flag.

    Examples
    --------
    >>> from il2cyto import datasets, io
    >>> io.open_fcs(datasets.sample_data_path() / "fcs/SIM-001_W0.fcs")
    FcsFile('SIM-001_W0.fcs', FCS3.1, ... events x ... channels)
    """
    path = Path(path)
    with one_error(path.name):
        file = _open(path, dataset)
    warn_of(file.flags, file.name)
    return file


def warn_of(flags: Iterable[FcsFlag], name: str) -> None:
    """Warn once for each flag."""
    for flag in flags:
        warnings.warn(f"{name}: {flag.message} [{flag.code}]", FcsWarning, stacklevel=3)


@contextmanager
def one_error(name: str) -> Iterator[None]:
    """Turn whatever goes wrong into FcsError, without the original text: it may hold a keyword's value or a path."""
    try:
        yield
    except FcsError:
        raise
    except BadDigits as error:
        raise FcsError(name, "DATA", str(error), "The file is damaged: export it again.") from None
    except FileNotFoundError:
        raise FcsError(name, "file", "not found", "Check the name and the folder.") from None
    except Exception as error:  # noqa: BLE001 - a damaged file can fail anywhere; the caller gets one kind of error
        raise FcsError(name, "file", f"cannot be read ({type(error).__name__})", "Copy or export it again.") from None


def _open(path: Path, dataset: int | None) -> FcsFile:
    status = path.stat()
    # Before it is opened: opening a pipe would wait for its other end.
    if not stat.S_ISREG(status.st_mode):
        raise FcsError(path.name or str(path), "file", "not a regular file", "Give the path of an FCS file.")
    if status.st_size < HEADER_BYTES:
        found = f"{status.st_size} bytes, HEADER alone has {HEADER_BYTES}"
        raise FcsError(path.name, "file", found, "The file is empty or truncated: copy it again.")
    inflated = Inflated(path) if is_gzip(path) else None
    plain = path if inflated is None else inflated.path
    size = plain.stat().st_size
    with plain.open("rb") as stream:
        sets = read_data_sets(stream, size, path.name)
    if dataset is None and len(sets) > 1:
        found = f"{len(sets)} data sets, none chosen"
        raise FcsError(path.name, "$NEXTDATA", found, f"Choose one by `dataset`, 1 to {len(sets)}.")
    if dataset is not None and not 1 <= dataset <= len(sets):
        raise FcsError(path.name, "dataset", f"{dataset}, the file has {len(sets)}", f"Choose 1 to {len(sets)}.")
    chosen = sets[(dataset or 1) - 1]
    if isinstance(chosen, FcsError):
        raise chosen
    file = _describe(path, chosen, n_data_sets=len(sets), file_size=size)
    return file if inflated is None else replace(file, _inflated=inflated)


def _describe(path: Path, source: DataSet, *, n_data_sets: int, file_size: int) -> FcsFile:
    words, notes = source.words, source.notes
    channels = read_channels(words, notes)
    layout = plan_layout(words, source.header, channels, start=source.start, size=source.size, notes=notes)
    timestep = read_timestep(words, channels, notes)
    spillover = read_spillover(words, channels, notes)
    return FcsFile(
        name=path.name,
        path=path,
        version=source.header.version,
        n_events=layout.n_events,
        channels=channels,
        n_data_sets=n_data_sets,
        simulated=SIMULATED in words,
        flags=notes.flags,
        _words=words,
        _file_size=file_size,
        _extent=(source.start, _last_byte(source, layout) + 1),
        _layout=layout,
        _timestep=timestep,
        _spillover=spillover,
    )


def _last_byte(source: DataSet, layout: Layout) -> int:
    """Last byte of the last segment, counted from the start of the file."""
    header = source.header
    data = layout.begin + layout.n_bytes - 1 if layout.n_events else 0
    analysis = header.analysis.end if header.analysis else 0
    supplemental = integer(source.words.get("$ENDSTEXT", "")) or 0
    return max(data, source.start + max(header.text.end, analysis, supplemental))

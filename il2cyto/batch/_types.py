"""What goes into a batch and what comes out of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from il2cyto.io import source_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from concurrent.futures import Executor

    from il2cyto.gt import GateResult
    from il2cyto.io import Source
    from il2cyto.panel import Channel
    from il2cyto.template import GatingTemplate

#: Called with the stage, the files done and the files in all.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Job:
    """One file to gate. Batch, subject and `control` are the only things gating may know about where it comes from.

    Attributes
    ----------
    path
        Where it is: a path, or a URL such as ``s3://bucket/a.fcs``.
    fmo
        The marker that the file was stained without: an FMO control, which has no result of its own.
    control
        A bridging control: one material, run in every batch.
    """

    sample: str
    path: Source
    batch: str | None = None
    subject: str | None = None
    fmo: str = ""
    control: bool = False

    @property
    def file(self) -> str:
        """Its name without the folder."""
        return source_name(self.path)


@dataclass(frozen=True, slots=True)
class Backend:
    """Where the work runs.

    Attributes
    ----------
    slots
        Tasks that run at the same time.
    remote
        Whether in other processes, which share nothing with this one but files.
    died
        What a future raises when the process that ran it is gone.
    """

    executor: Executor
    slots: int
    remote: bool = False
    died: tuple[type[Exception], ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that did not make it, and why."""

    sample: str
    file: str
    stage: str
    error: str
    message: str


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is known of a file beside its gates.

    Attributes
    ----------
    channels
        Marker as the template writes it -> channel.
    volume_nl
        The acquired volume (`$VOL`), None where the file does not say a positive one.
    """

    sample: str
    file: str
    sha256: str
    simulated: bool
    flags: tuple[str, ...]
    channels: Mapping[str, Channel] = field(default_factory=dict)  # marker as the template writes it -> channel
    volume_nl: float | None = None
    anomalous: float = math.nan  # share of the events in stretches in which the acquisition was not steady


@dataclass(frozen=True)
class GatedBatch:
    """All files of one panel, gated.

    Attributes
    ----------
    results
        One per readable file, sorted by sample.
    cuts
        The table of :func:`il2cyto.gt.reconcile`: own and final cut of every sample and fitted gate, with the reason.
    failures
        Files without a result, and files in which no endpoint could be evaluated.
    polygons
        Sample -> population -> the polygon that a person drew in place of its gate.
    """

    template: GatingTemplate
    results: tuple[GateResult, ...]
    cuts: pl.DataFrame
    facts: Mapping[str, FileFacts]
    failures: tuple[Failure, ...]
    polygons: Mapping[str, Mapping[str, tuple[tuple[float, float], ...]]] = field(default_factory=dict)


def failures_frame(failures: Iterable[Failure]) -> pl.DataFrame:
    """Failures as a table of text: sample, file, stage, error, message."""
    rows = [(f.sample, f.file, f.stage, f.error, f.message) for f in failures]
    columns = dict.fromkeys(("sample", "file", "stage", "error", "message"), pl.String)
    return pl.DataFrame(rows, schema=columns, orient="row")

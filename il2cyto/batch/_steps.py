"""The steps of a file: look at it, propose its cuts, apply the final ones. What each depends on, and what a shard keeps of it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import polars as pl

from il2cyto.batch._shards import Document, shard_key
from il2cyto.batch._types import FileFacts
from il2cyto.gt._apply import GateResult, apply
from il2cyto.gt._plan import Events, make_plan
from il2cyto.gt._propose import PROPOSAL_SCHEMA, propose
from il2cyto.io import Density, read_events_provenance, write_events
from il2cyto.panel import Channel
from il2cyto.pp import acquisition

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from il2cyto.batch._types import Job
    from il2cyto.io import FcsFile
    from il2cyto.template import GatingTemplate

    Detail = Mapping[str, Any]

T_co = TypeVar("T_co", covariant=True)
_FINAL = {"population": pl.String, "coordinate": pl.String, "final": pl.Float64, "final_spread": pl.Float64, "flags": pl.Int64}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Task:
    """One file of a step, with what only this file needs: JSON, and all of it part of the shard's key."""

    job: Job
    detail: Detail


class Step(Protocol[T_co]):
    """What is done to every file. It goes to the workers, so it must survive a process boundary."""

    def key(self, task: Task, content: str) -> str:
        """Name of the shard; `content` is the SHA-256 of the file."""

    def is_kept(self, task: Task, key: str) -> bool:
        """Whether what the step writes beside its shard is there."""

    def make(self, file: FcsFile, task: Task, key: str, content: str) -> Document:
        """Do the work: what goes into the shard. Nothing in it depends on the sample's name."""

    def read(self, document: Document, task: Task, content: str) -> T_co:
        """Turn a shard into the result for this sample."""


@dataclass(frozen=True)
class _OfTemplate(Generic[T_co]):
    template: GatingTemplate
    aliases: Mapping[str, str]

    def _events(self, file: FcsFile) -> Events:
        return Events(file, make_plan(self.template, file.panel(self.aliases), file=file.name))

    def _key(self, kind: str, task: Task, content: str, *settings: object) -> str:
        return shard_key(kind, self.template.digest, dict(self.aliases), content, dict(task.detail), *settings)


class Look(_OfTemplate[FileFacts]):
    """What a file is like as a whole: its flags, channels and volume, and how steadily it was acquired."""

    @staticmethod
    def task(job: Job) -> Task:
        """A file to look at."""
        return Task(job, {})

    def key(self, task: Task, content: str) -> str:
        """Name of the shard: template, aliases and content."""
        return self._key("look", task, content)

    def is_kept(self, task: Task, key: str) -> bool:
        """Nothing is written beside the shard, so nothing can be gone."""
        return True

    def make(self, file: FcsFile, task: Task, key: str, content: str) -> Document:
        """Look at the channels of the template; of a label ($PnS) only the markers that it names may leave the file."""
        del task, key, content
        plan = self._events(file).plan
        course = acquisition(file, sorted({channel.index for channel in plan.channels.values()}))
        return {
            "simulated": file.simulated,
            "flags": [*(flag.code for flag in file.flags), *course.codes],
            "anomalous": course.anomalous,
            "channels": {
                marker: {**asdict(channel), "label": channel.marker} for marker, channel in plan.channels.items()
            },
            "volume_nl": _volume(file),
        }

    def read(self, document: Document, task: Task, content: str) -> FileFacts:
        """The facts under this sample's name."""
        channels = {
            marker: Channel(**{**about, "markers": tuple(about["markers"])})
            for marker, about in document["channels"].items()
        }
        known = {**document, "channels": channels, "flags": tuple(document["flags"])}
        return FileFacts(task.job.sample, task.job.file, content, **known)


class Propose(_OfTemplate[pl.DataFrame]):
    """The cuts that a file would choose for itself; `given` are those settled already, `panel` what is known of its panel."""

    @staticmethod
    def task(job: Job, given: Mapping[str, Mapping[str, float]], *, panel: str | None = None) -> Task:
        """A file to propose."""
        settled = {name: dict(cuts) for name, cuts in given.items()}
        return Task(job, {"given": settled, "fmo": job.fmo, "panel": panel})

    def key(self, task: Task, content: str) -> str:
        """Name of the shard: template, aliases, content, the given cuts, and what is known of control and panel."""
        return self._key("propose", task, content)

    def is_kept(self, task: Task, key: str) -> bool:
        """Nothing is written beside the shard, so nothing can be gone."""
        return True

    def make(self, file: FcsFile, task: Task, key: str, content: str) -> Document:
        """Choose the cuts."""
        del key
        given, control, panel = (task.detail[name] for name in ("given", "fmo", "panel"))
        table = propose(self._events(file), sample="", content=content, given=given, control=control, panel=panel)
        return {"rows": table.drop("sample").rows()}

    def read(self, document: Document, task: Task, content: str) -> pl.DataFrame:
        """Rows of proposals under this sample's name."""
        del content
        schema = {name: kind for name, kind in PROPOSAL_SCHEMA.items() if name != "sample"}
        table = pl.DataFrame(document["rows"], schema=schema, orient="row")
        return table.select(pl.lit(task.job.sample).alias("sample"), pl.all()).select(*PROPOSAL_SCHEMA)


@dataclass(frozen=True)
class Apply(_OfTemplate[GateResult]):
    """Counts with the final cuts and with the polygons that a person drew; with `events`, also the events to that folder."""

    events: Path | None = None
    densities: bool = False

    @staticmethod
    def task(job: Job, cuts: pl.DataFrame, polygons: Mapping[str, Any]) -> Task:
        """A file to gate; `cuts` are its rows of the reconciled table."""
        return Task(job, {"cuts": cuts.select(*_FINAL).rows(), "polygons": dict(polygons)})

    def key(self, task: Task, content: str) -> str:
        """Name of the shard: template, aliases, content, the final cuts and polygons, and whether densities are kept."""
        return self._key("apply", task, content, self.densities)

    def is_kept(self, task: Task, key: str) -> bool:
        """Whether the file of events, where one is wanted, was made by this very step."""
        if self.events is None:
            return True
        made_of = read_events_provenance(self._target(task.job))
        return (made_of.get("shard"), made_of.get("batch")) == (key, task.job.batch)

    def make(self, file: FcsFile, task: Task, key: str, content: str) -> Document:
        """Count with the final cuts; write the events with their gates where they are wanted."""
        del content
        cuts = pl.DataFrame(task.detail["cuts"], schema=_FINAL, orient="row")
        result = apply(
            self._events(file),
            cuts.with_columns(sample=pl.lit(task.job.sample)),
            sample=task.job.sample,
            polygons=task.detail["polygons"],
            keep_masks=self.events is not None,
            keep_densities=self.densities,
        )
        if self.events is not None:
            job = task.job
            write_events(
                file.path,
                self._target(job),
                sample=job.sample,
                batch=job.batch,
                template=self.template,
                masks=result.masks,
                shard=key,
            )
        document = {f.name: getattr(result, f.name) for f in fields(result) if f.name not in ("sample", "masks")}
        # JSON has no pairs as keys.
        document["medians"] = [[*pair, value] for pair, value in result.medians.items()]
        document["densities"] = [asdict(density) for density in result.densities.values()]
        return document

    def read(self, document: Document, task: Task, content: str) -> GateResult:
        """Counts, medians and densities under this sample's name; masks are in the file of events alone."""
        del content
        medians = {(population, marker): value for population, marker, value in document["medians"]}
        densities = {about["population"]: _density(about) for about in document["densities"]}
        own = {"sample": task.job.sample, "medians": medians, "masks": {}, "densities": densities}
        return GateResult(**{**document, **own})

    def _target(self, job: Job) -> Path:
        assert self.events is not None
        return self.events / f"{job.sample}.h5ad"


def _volume(file: FcsFile) -> float | None:
    volume = float(file.keywords.get("$VOL", "nan"))
    return volume if 0 < volume < math.inf else None


def _density(about: Document) -> Density:
    limits = {name: tuple(about[name]) for name in ("x_limits", "y_limits")}
    return Density(**{**about, **limits})

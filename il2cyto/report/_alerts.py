"""What a reader has to see before any number: files that failed, flags by severity, cuts and markers that drift."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np
import polars as pl

from il2cyto import get, tl
from il2cyto._confounding import RUN_COLUMNS, confounded_arms
from il2cyto._keys import Obs
from il2cyto._tidy import sample_columns
from il2cyto.io._clinical import value_notices
from il2cyto.template import loss_without

if TYPE_CHECKING:
    from collections.abc import Iterator

    from il2cyto.report._results import Results

Level = Literal["fail", "warn", "info"]
#: Coordinates of a cut that are places on an axis; a slope, say, has no distance.
POSITIONS: Final = ("cut", "x", "y")
#: A marker that a panel lacks, and the flags that say so of single populations.
ABSENT: Final = "MARKER_ABSENT"
OF_ABSENT: Final = ("MISSING_PASS", "MISSING_ABOVE", "CHANNEL_MISSING")
#: Names listed before the rest is only counted.
NAMED: Final = 5
#: Coverage of the intervals of intensity shifts: there are dozens, and a false alarm tires.
SURE: Final = 0.999


class Alert(NamedTuple):
    """One line at the top of the report.

    Attributes
    ----------
    level
        fail, warn or info; written as a word, never by colour alone.
    code
        The flag or the kind of finding.
    text
        What was found, in a sentence.
    where
        The samples or populations concerned, the first few by name.
    """

    level: Level
    code: str
    text: str
    where: str


def alerts(results: Results) -> list[Alert]:
    """All alerts, the worst first."""
    own = (_failures, _implausible, _absent, _confounded, _flags, _drift, _brightening)
    found = [alert for kind in own for alert in kind(results)]
    order: dict[Level, int] = {"fail": 0, "warn": 1, "info": 2}
    return sorted(found, key=lambda alert: order[alert.level])


def _failures(results: Results) -> Iterator[Alert]:
    failures = results.table("failures")
    if failures is not None:
        for file, error, message in failures.select("file", "error", "message").iter_rows():
            yield Alert("fail", str(error), str(message), str(file))


def _implausible(results: Results) -> Iterator[Alert]:
    """Clinical values that fit another unit than that of their column."""
    queries = results.table("value_queries")
    for notice in () if queries is None else value_notices(queries):
        yield Alert("warn", "IMPLAUSIBLE", f"{notice}.", "value_queries.csv")


def _absent(results: Results) -> Iterator[Alert]:
    """A marker that a panel lacks is one finding, whatever it does to how many populations."""
    for panel, adata in results.cohorts.items():
        template = get.template(adata)
        for row in get.absent_markers(adata).iter_rows(named=True):
            text = (
                f"{row['marker']} is not in {row['absent']} of {row['samples']} samples of panel {panel or row['panel']}: "
                f"{loss_without(template, row['marker'])}. All other populations are gated as usual."
            )
            # That a whole panel does without an optional marker is its design; what some tubes lack, or what is lost, is for a person to see.
            level: Level = "warn" if row["lost"] or row["absent"] < row["samples"] else "info"
            yield Alert(level, ABSENT, text, row["marker"])


def _confounded(results: Results) -> Iterator[Alert]:
    """Arms that differ in how they were run; which arm is where is not said."""
    for panel, adata in results.cohorts.items():
        if not {Obs.ARM, Obs.SUBJECT} <= set(adata.obs.columns):
            continue
        facts = sample_columns(adata, Obs.SUBJECT, Obs.ARM, *(name for name in RUN_COLUMNS if name in adata.obs))
        facts = facts.with_columns(pl.selectors.exclude(Obs.SAMPLE).cast(pl.String))
        control = adata.obs[Obs.CONTROL].to_numpy(bool) if Obs.CONTROL in adata.obs else np.zeros(adata.n_obs, bool)
        for found in confounded_arms(facts.filter(~control), facts.filter(control)):
            bridges = "; bridging controls were run in both" if found.bridged else ""
            yield Alert("info" if found.bridged else "warn", "CONFOUNDED_BATCH", f"{found}{bridges}.", panel)


def _flags(results: Results) -> Iterator[Alert]:
    flags = results.flags()
    if any(get.absent_markers(adata).height for adata in results.cohorts.values()):
        flags = flags.filter(~pl.col("flag").is_in(OF_ABSENT))
    for (severity, flag, meaning), rows in flags.group_by("severity", "flag", "meaning", maintain_order=True):
        samples, populations = rows["sample"].n_unique(), rows["population"].unique(maintain_order=True).to_list()
        level: Level = severity if severity in ("fail", "warn") else "info"
        text = f"{str(meaning)[:1].upper()}{str(meaning)[1:]}: {samples} {'sample' if samples == 1 else 'samples'}."
        yield Alert(level, str(flag), text, _some(populations))


def _drift(results: Results) -> Iterator[Alert]:
    """Batches whose own cuts lie, in the median, further from the others than any cut may move unnoticed."""
    cuts = results.table("cuts")
    batches = _batches(results)
    if cuts is None or batches["batch"].n_unique() < 2:
        return
    positions = cuts.filter(pl.col("coordinate").is_in(POSITIONS), pl.col("own").is_finite())
    own = positions.join(batches, on="sample", maintain_order="left")
    keys = ["population", "coordinate"]
    centres = own.group_by(*keys, "batch").agg(pl.col("own").median(), pl.len().alias("n"), pl.col("delta").first())
    apart = centres.filter(pl.col("n") >= 3).with_columns(
        away=(pl.col("own") - pl.col("own").median().over(keys)).abs()
    )
    for row in apart.filter(pl.col("away") > 4 * pl.col("delta")).sort("away", descending=True).iter_rows(named=True):
        text = f"Own cuts of batch {row['batch']} lie {row['away']:.3f} from the median of all batches, on the axis of the gate."
        yield Alert("warn", "BATCH_DRIFT", text, f"{row['population']}, {row['coordinate']}")


def _brightening(results: Results) -> Iterator[Alert]:
    """Markers of locked gates that moved in one arm by more than a cut may move unnoticed: the largest shift of each."""
    for adata in results.cohorts.values():
        if Obs.BASELINE not in adata.obs or not adata.obs[Obs.BASELINE].any():
            continue
        start = adata.obs[Obs.VISIT][adata.obs[Obs.BASELINE].to_numpy(bool)]
        adapt = get.template(adata).adapt
        shifts = tl.intensity_shifts(adata, baseline=str(start.iloc[0]), level=SURE)
        moved = shifts.filter(
            pl.max_horizontal("ci_low", -pl.col("ci_high")) > 0, pl.col("shift").abs() > adapt.delta_min
        )
        for row in (
            moved.sort(pl.col("shift").abs(), descending=True)
            .unique(["population", "marker"], keep="first", maintain_order=True)
            .iter_rows(named=True)
        ):
            text = (
                f"The median of {row['marker']} on {row['population']} moved by {row['shift']:+.3f} more in {row['arm']} than in "
                f"{row['control']} at {row['visit']}, on the axis of the gate. A locked cut does not follow: what lies beyond it may "
                "have changed without a cell changing its kind."
            )
            yield Alert("warn", "INTENSITY_SHIFT", text, row["cuts"].replace(";", ", "))


def _batches(results: Results) -> pl.DataFrame:
    frames = [
        pl.DataFrame({"sample": list(map(str, a.obs_names)), "batch": [str(batch) for batch in a.obs["batch"]]})
        for a in results.cohorts.values()
        if "batch" in a.obs
    ]
    return pl.concat(frames) if frames else pl.DataFrame(schema={"sample": pl.String, "batch": pl.String})


def _some(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")

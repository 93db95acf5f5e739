"""Flags: what an analyst should know about a number. Bits are stored in files and never reused."""

from __future__ import annotations

from enum import IntFlag
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    import polars as pl

Severity = Literal["info", "warn", "fail"]


class Flag(IntFlag):
    """One bit per finding; 0 means nothing to say."""

    NONE = 0
    LOCKED = 1 << 0
    SHRUNK = 1 << 1
    CLAMPED = 1 << 2
    MANUAL = 1 << 3
    NO_VALLEY = 1 << 4
    UNSTABLE = 1 << 5
    OUTLIER_CUT = 1 << 6
    CONSENSUS = 1 << 7
    SMALL_GROUP = 1 << 8
    FIXED = 1 << 9
    FMO_MISSING = 1 << 10
    AT_EDGE = 1 << 11
    NONFINITE = 1 << 12
    LOW_PARENT = 1 << 13
    DETECTABLE = 1 << 14
    BELOW_DETECTION = 1 << 15
    IMPLAUSIBLE = 1 << 16
    DISCORDANT_REPLICATE = 1 << 17
    MISSING_PASS = 1 << 18
    CHANNEL_MISSING = 1 << 19
    NO_PARENT = 1 << 20
    GATE_FAILED = 1 << 21
    PARENT_FAILED = 1 << 22
    PANEL_IMPLAUSIBLE = 1 << 23
    FLOW_INTERRUPTED = 1 << 24
    MISSING_ABOVE = 1 << 25


LEGEND: Final[dict[Flag, tuple[Severity, str]]] = {
    Flag.LOCKED: ("info", "the group's cut was used because the template locks this gate"),
    Flag.SHRUNK: ("info", "own cut moved towards the group's by more than delta"),
    Flag.CLAMPED: ("info", "cut moved to the nearest bound of the template"),
    Flag.MANUAL: ("info", "a person set this gate in the overrides file"),
    Flag.MISSING_ABOVE: ("info", "a step before this one was passed through (MISSING_PASS), its marker being absent"),
    Flag.NO_VALLEY: ("warn", "no accepted valley; the template's one_peak policy ran"),
    Flag.UNSTABLE: ("warn", "the cut varies by more than a quarter decade, or is missing, under resampling"),
    Flag.OUTLIER_CUT: ("warn", "own cut lies far from its group; the group's cut was used"),
    Flag.CONSENSUS: ("warn", "no usable own cut; the group's cut was used"),
    Flag.SMALL_GROUP: ("warn", "too few usable cuts in the group; a higher level was used"),
    Flag.FIXED: ("warn", "the template's last-resort cut was used"),
    Flag.FMO_MISSING: ("warn", "FMO control absent or with too few events"),
    Flag.AT_EDGE: ("warn", "more than 1 % of the parent lies at the edge of a channel's range"),
    Flag.NONFINITE: ("warn", "events with a non-finite value were left out"),
    Flag.LOW_PARENT: ("warn", "the parent has fewer events than the template's warning floor"),
    Flag.DETECTABLE: ("warn", "20-49 events: detectable, not quantifiable"),
    Flag.BELOW_DETECTION: ("warn", "fewer than 20 events"),
    Flag.IMPLAUSIBLE: ("warn", "the fraction lies outside the template's plausible range"),
    Flag.DISCORDANT_REPLICATE: ("warn", "replicates differ by more than counting explains"),
    Flag.FLOW_INTERRUPTED: ("warn", "the event rate fell below a fifth for a while: a clog, or a pause"),
    Flag.MISSING_PASS: ("warn", "marker or channel absent: the step was passed through"),
    Flag.CHANNEL_MISSING: ("fail", "marker or channel absent, here or at a step before: not evaluable"),
    Flag.NO_PARENT: ("fail", "the parent has too few events for a fraction"),
    Flag.GATE_FAILED: ("fail", "no cut at any level"),
    Flag.PARENT_FAILED: ("fail", "an ancestor or operand is not evaluable"),
    Flag.PANEL_IMPLAUSIBLE: ("fail", "the markers of this file do not behave as their names say"),
}

FAIL: Final = Flag(sum(flag for flag, (severity, _) in LEGEND.items() if severity == "fail"))


def flag_names(flags: int) -> str:
    """The names of the bits that are set, joined by ``;``, in order of their bits.

    Examples
    --------
    >>> flag_names(Flag.SHRUNK | Flag.UNSTABLE)
    'SHRUNK;UNSTABLE'
    """
    return ";".join(flag.name or "" for flag in LEGEND if flags & flag)


def legend() -> pl.DataFrame:
    """The legend as a frame: flag, bit, severity, meaning.

    Examples
    --------
    >>> legend().columns
    ['flag', 'bit', 'severity', 'meaning']
    """
    import polars as pl

    return pl.DataFrame(
        [(f.name, f.bit_length() - 1, severity, meaning) for f, (severity, meaning) in LEGEND.items()],
        schema={"flag": pl.String, "bit": pl.Int64, "severity": pl.String, "meaning": pl.String},
        orient="row",
    )

"""How steadily a file was acquired: flow rate, pauses and signal over time, tested at a stated rate of false alarms."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import polars as pl
from scipy.stats import norm, rankdata

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from il2cyto.io import FcsFile

    FloatArray = npt.NDArray[np.floating]
    BoolArray = npt.NDArray[np.bool_]

Kind = Literal["change_point", "flow_rate", "signal_drift", "time_gap"]

#: The chance that a steadily acquired file gets any of the codes.
FALSE_ALARMS: Final = 0.01
#: A file is cut into at most so many bins of equal events, each of at least so many.
MOST_BINS, SMALLEST_BIN = 200, 200
#: Fewer bins than this are no course over time.
FEWEST_BINS: Final = 10
#: Events of a bin whose signals are looked at, its first.
SAMPLED: Final = 256
#: Smaller departures harm no result: a rate off by this factor, a signal that exceeds the file's with a probability of 0.5
#: +- this, a pause of this share of the whole acquisition.
RATE_FACTOR, SHIFT, PAUSE = 1.5, 0.1, 0.01
#: A rate below the usual one by this factor is no rate any more, but a clog.
CLOGGED: Final = 5.0
#: A file is of two parts where each has at least this share of the bins: a smaller one is a stretch that departs from the rest.
SMALLEST_PART: Final = 1 / 3
# Events of packed bits begin with a byte only every eighth.
_STEP: Final = 8


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive events between which something was not as in the rest of the file.

    Attributes
    ----------
    kind
        ``flow_rate``, ``signal_drift``, ``time_gap`` (no event for too long; no event is anomalous for that), or ``change_point``
        (the signal changed here for good: before and after it the file is another one).
    start, stop
        First event, and the one after the last. Of a change point: the events after it.
    begin, end
        Time of these events, in seconds where the file says how long its ticks are.
    channels
        The channels whose signal drifted or changed.
    size
        Of a change point the probability that an event after it exceeds one before it, in the channel where that is furthest from 0.5;
        of ``flow_rate`` the lowest rate as a share of the usual one where it fell, the highest where it rose; else NaN.
    """

    kind: Kind
    start: int
    stop: int
    begin: float
    end: float
    channels: tuple[str, ...] = ()
    size: float = math.nan


@dataclass(frozen=True)
class Acquisition:
    """The course of a file over time.

    Attributes
    ----------
    bins
        One row per bin of consecutive events: start, stop, time (its middle), rate (events per unit of Time, without pauses), and for each
        channel the probability that one of its events exceeds one of the whole file, 0.5 where nothing changes. Empty where
        nothing could be tested.
    stretches
        What departs, in order of events.
    anomalous
        Fraction of the events in stretches of ``flow_rate`` or ``signal_drift``, or in the smaller part of a file with a change point;
        NaN where nothing could be tested.
    """

    bins: pl.DataFrame
    stretches: tuple[Stretch, ...]
    anomalous: float

    @property
    def codes(self) -> tuple[str, ...]:
        """The kinds of stretches found, each once, in alphabetical order."""
        return tuple(sorted({stretch.kind for stretch in self.stretches}))

    @property
    def interrupted(self) -> bool:
        """Whether the flow paused, or its rate fell below a fifth of the usual one."""
        return _interrupted(self.stretches)

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that were looked at."""
        return tuple(self.bins.columns[4:])


def acquisition(file: FcsFile, columns: Sequence[int]) -> Acquisition:
    """Test how steadily a file was acquired; its events are neither changed nor removed.

    A file is cut into at most 200 bins of equally many consecutive events (at least 200). Three things are looked at:

    - the flow rate: the logarithm of a bin's duration against the median of all, in units of its spread, which is that of a
      Poisson process or, if larger, that of the bins themselves (MAD). It must be off by a factor of 1.5 as well;
    - pauses: longer than a Poisson process would make, and than 1 % of the acquisition;
    - the signal of each channel: the mean rank of the first 256 events of a bin among those of all bins, centred by the median
      of the bins, against its exact variance when events are exchangeable (Wilcoxon). An event of the bin must also exceed
      one of the file with a probability below 0.4 or above 0.6.

    Each of the three may err with a third of 1 %, shared among bins and channels (Bonferroni): of steadily acquired files,
    at most 1 % get a code.

    Parameters
    ----------
    file
        From :func:`il2cyto.io.open_fcs`.
    columns
        Channels whose signal is looked at, Time left out. Compensation does not matter: a detector that drifts is seen in its own signal.

    Returns
    -------
    The course and what departs from it. Nothing is tested in a file of fewer than 2,000 events, without one Time channel, or
    whose Time stands still or runs backwards: the order of its events need not be that of the acquisition.

    Examples
    --------
    >>> from il2cyto import datasets, io, pp
    >>> file = io.open_fcs(next((datasets.sample_data_path() / "fcs").glob("*.fcs")))
    >>> pp.acquisition(file, range(len(file.channels))).codes
    ()
    """
    starts, n_each = _bins(file.n_events)
    columns = [i for i in columns if not file.channels[i].is_time]
    names = [file.channels[i].name for i in columns]
    clocks = [channel.index for channel in file.channels if channel.is_time]
    if len(starts) < FEWEST_BINS or len(clocks) != 1:
        return Acquisition(pl.DataFrame(), (), math.nan)
    time = file.events(clocks)[:, 0].astype(np.float64)
    if not (np.isfinite(time).all() and (np.diff(time) >= 0).all() and time[0] < time[-1]):
        return Acquisition(pl.DataFrame(), (), math.nan)
    n_sampled = min(SAMPLED, n_each)
    signals = np.stack([file.events(columns, rows=slice(start, start + n_sampled)) for start in starts])
    return course(time, signals, starts=starts, names=names)


def course(time: FloatArray, signals: FloatArray, *, starts: Sequence[int], names: Sequence[str]) -> Acquisition:
    """Test the bins of a file, see :func:`acquisition`.

    Parameters
    ----------
    time
        Of all events, increasing.
    signals
        Bins x events of a bin x channels.
    starts
        First event of each bin.
    names
        Of the channels.
    """
    n_events, n_each = len(time), signals.shape[1]
    stops = np.array([*starts[1:], n_events])
    sizes = stops - np.array(starts)
    edges = time[[*starts, n_events - 1]]
    shares = {name: _exceedance(signals[:, :, i]) for i, name in enumerate(names)}
    n_tests = len(starts) * len(names)
    drifting = {name: _odd_shares(share, n_each, n_tests=n_tests) for name, share in shares.items()}
    intervals = np.diff(time)
    tick = intervals[intervals > 0].min()
    pauses = _pauses(time, intervals, tick)
    durations = np.diff(edges)
    for pause in pauses:  # which is no change of the rate
        durations[np.searchsorted(starts, pause.start, "right") - 1] -= pause.end - pause.begin
    odd_rate = _odd_rates(durations, sizes, tick)
    odd_signal = np.any([*drifting.values(), np.zeros(len(starts), np.bool_)], axis=0)
    stretches = [
        *(_stretch("flow_rate", first, last, starts, stops, edges) for first, last in _runs(odd_rate)),
        *(_stretch("signal_drift", first, last, starts, stops, edges, drifting) for first, last in _runs(odd_signal)),
        *pauses,
    ]
    with np.errstate(divide="ignore"):
        bins = {"start": starts, "stop": stops, "time": (edges[1:] + edges[:-1]) / 2, "rate": sizes / durations}
    ordered = tuple(sorted(stretches, key=lambda stretch: (stretch.start, stretch.kind)))
    return Acquisition(pl.DataFrame(bins | shares), ordered, float(sizes[odd_rate | odd_signal].sum() / n_events))


def _stretch(
    kind: Kind,
    first: int,
    last: int,
    starts: Sequence[int],
    stops: npt.NDArray[np.integer],
    edges: FloatArray,
    drifting: Mapping[str, BoolArray] | None = None,
) -> Stretch:
    channels = tuple(name for name, odd in (drifting or {}).items() if odd[first : last + 1].any())
    return Stretch(kind, starts[first], int(stops[last]), float(edges[first]), float(edges[last + 1]), channels)


def _bins(n_events: int) -> tuple[list[int], int]:
    """First events of the bins, and the events of each but the last, which takes the rest."""
    n_each = -(-max(SMALLEST_BIN, -(-n_events // MOST_BINS)) // _STEP) * _STEP
    return [i * n_each for i in range(n_events // n_each)], n_each


def _exceedance(values: FloatArray) -> FloatArray:
    """For each bin the probability that one of its events exceeds one of all, half of the ties counted; bins x events in."""
    ranks = rankdata(values, nan_policy="omit").reshape(values.shape)
    n = np.isfinite(ranks).sum()
    shares: FloatArray = (np.nanmean(ranks, axis=1) - 0.5) / n
    return shares


def _odd_shares(shares: FloatArray, n_each: int, *, n_tests: int) -> BoolArray:
    # Mean of n ranks drawn without replacement from N, over N: variance (N + 1)(N - n) / (12 n N^2).
    n_all = n_each * len(shares)
    sd = math.sqrt((n_all + 1) * (n_all - n_each) / (12 * n_each)) / n_all
    away = np.abs(shares - np.median(shares))
    odd: BoolArray = (away > SHIFT) & (away > _limit(n_tests) * sd)
    return odd


def _odd_rates(durations: FloatArray, sizes: npt.NDArray[np.integer], tick: float) -> BoolArray:
    # Events of one tick lasted half a tick, as far as the clock can say.
    logs = np.log(np.maximum(durations, tick / 2) / sizes)
    away = np.abs(logs - np.median(logs))
    spread = np.maximum(1 / np.sqrt(sizes), np.median(away) / norm.ppf(0.75)) + tick / np.median(durations)
    odd: BoolArray = (away > math.log(RATE_FACTOR)) & (away > _limit(len(logs)) * spread)
    return odd


def _pauses(time: FloatArray, intervals: FloatArray, tick: float) -> list[Stretch]:
    """Intervals between events that are too long for a Poisson process of this file's mean rate."""
    length = time[-1] - time[0]
    longest = max(math.log(3 * len(time) / FALSE_ALARMS) * length / len(time), PAUSE * length) + tick
    return [
        Stretch("time_gap", int(i), int(i) + 2, float(time[i]), float(time[i + 1]))
        for i in np.flatnonzero(intervals > longest)
    ]


def _limit(n_tests: int) -> float:
    return float(norm.isf(FALSE_ALARMS / 3 / n_tests / 2))


def _runs(odd: BoolArray) -> Iterator[tuple[int, int]]:
    """First and last bin of each run of odd ones."""
    edges = np.flatnonzero(np.diff(odd.astype(np.int8), prepend=0, append=0))
    for first, after in zip(edges[::2], edges[1::2], strict=True):
        yield int(first), int(after) - 1

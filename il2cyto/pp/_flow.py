"""How evenly a sample flowed, read from the times of its events alone: rates, pauses, clogs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np
from scipy.stats import norm

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
#: Smaller departures harm no result: a rate off by this factor, a pause of this share of the whole acquisition.
RATE_FACTOR, PAUSE = 1.5, 0.01
#: Where the rate falls below the usual one by this factor, the flow is interrupted.
CLOGGED: Final = 5.0
# Events of packed bits begin with a byte only every eighth.
_STEP: Final = 8


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive events between which something was not as in the rest of the file.

    Attributes
    ----------
    kind
        ``flow_rate``, ``signal_drift``, ``time_gap`` (no event for too long; no event is anomalous for that), or ``change_point``
        (from here on the signal is another one for good).
    start, stop
        First event, and the one after the last; of a change point, the first event after it and the end of the file.
    begin, end
        Time of these events, in seconds where the file says how long its ticks are.
    channels
        The channels whose signal drifted or changed.
    size
        Of ``flow_rate`` the rate that is furthest from the usual one, as a multiple of it; of a change point the probability that an
        event after it exceeds one before it, in the channel where that is furthest from 0.5; else NaN.
    """

    kind: Kind
    start: int
    stop: int
    begin: float
    end: float
    channels: tuple[str, ...] = ()
    size: float = math.nan


@dataclass(frozen=True, slots=True)
class Flow:
    """The flow of a sample, bin by bin.

    Attributes
    ----------
    starts, stops
        First event of each bin, and the one after its last.
    edges
        Times of the bins' first events, and of the last event of all.
    rates
        Events per unit of Time, without pauses.
    odd
        Whether a bin's rate departs.
    stretches
        What departs: ``flow_rate`` and ``time_gap``.
    """

    starts: npt.NDArray[np.integer]
    stops: npt.NDArray[np.integer]
    edges: FloatArray
    rates: FloatArray
    odd: BoolArray
    stretches: tuple[Stretch, ...]

    @property
    def interrupted(self) -> bool:
        """Whether no event came for too long, or the rate fell below a fifth of the usual one: a pause, or a clog."""
        return any(stretch.kind == "time_gap" or stretch.size < 1 / CLOGGED for stretch in self.stretches)

    def stretch(self, kind: Kind, first: int, last: int, **about: Any) -> Stretch:
        """Name the bins from `first` to `last`."""
        place = int(self.starts[first]), int(self.stops[last]), float(self.edges[first]), float(self.edges[last + 1])
        return Stretch(kind, *place, **about)


def flow_of(file: FcsFile) -> Flow | None:
    """Test how evenly a file flowed, see :func:`il2cyto.pp.acquisition`; None where nothing can be tested.

    Memory does not grow with the file.
    """
    n, clocks = file.n_events, [channel.index for channel in file.channels if channel.is_time]
    if len(bins_of(n)[0]) < FEWEST_BINS or len(clocks) != 1:
        return None
    first, last = (float(file.events(clocks, rows=slice(i, i + 1))[0, 0]) for i in (0, n - 1))
    blocks = file.blocks(clocks)
    return flow((block[:, blocks.positions[0]] for _, block in blocks), n, first, last)


def flow(times: Iterable[FloatArray], n: int, first: float, last: float) -> Flow | None:
    """Test the rate of each bin and every interval between two of `n` events, from their times in pieces.

    None where the times are not finite, do not increase from `first` to `last`, or decrease anywhere.
    """
    if not first < last:
        return None
    starts, _ = bins_of(n)
    clock = _read_clock(times, np.array(starts), _longest(n, last - first))
    if clock is None:
        return None
    stops = np.array([*starts[1:], n])
    durations = np.diff(clock.edges)
    for pause in clock.pauses:  # which is no change of the rate
        durations[np.searchsorted(starts, pause.start, "right") - 1] -= pause.end - pause.begin
    # Events of one tick lasted half a tick, as far as the clock can say.
    sizes = stops - np.array(starts)
    logs = np.log(sizes / np.maximum(durations, clock.tick / 2))
    away = logs - np.median(logs)
    odd = _odd_rates(np.abs(away), sizes, clock.tick / float(np.median(durations)))
    with np.errstate(divide="ignore"):
        found = Flow(np.array(starts), stops, clock.edges, sizes / durations, odd, ())
    slow_or_fast = [
        found.stretch("flow_rate", one, other, size=math.exp(max(away[one : other + 1], key=abs)))
        for one, other in runs(odd)
    ]
    return replace(found, stretches=(*slow_or_fast, *clock.pauses))


class _Clock(NamedTuple):
    """Times of the bins' first events and of the last event of all, the shortest interval, and intervals that are too long."""

    edges: FloatArray
    tick: float
    pauses: tuple[Stretch, ...]


def _read_clock(times: Iterable[FloatArray], starts: npt.NDArray[np.integer], longest: float) -> _Clock | None:
    edges, tick, n, before = np.empty(len(starts) + 1), math.inf, 0, None
    pauses: list[Stretch] = []
    for piece in times:
        time = np.concatenate([[] if before is None else [before], piece])
        begin = n if before is None else n - 1  # the first event of `time`
        intervals = np.diff(time)
        if not (np.isfinite(time).all() and (intervals >= 0).all()):
            return None
        tick = min(tick, intervals.min(where=intervals > 0, initial=math.inf))
        pauses += [
            Stretch("time_gap", begin + i, begin + i + 2, float(time[i]), float(time[i + 1]))
            for i in np.flatnonzero(intervals > longest).tolist()
        ]
        here = (starts >= n) & (starts < n + len(piece))
        edges[:-1][here] = piece[starts[here] - n]
        n, before = n + len(piece), float(piece[-1])
    edges[-1] = before
    return _Clock(edges, tick, tuple(pause for pause in pauses if pause.end - pause.begin > longest + tick))


def _longest(n: int, length: float) -> float:
    """The longest interval that a Poisson process of this mean rate may have, but for the tick of the clock."""
    return max(math.log(3 * n / FALSE_ALARMS) * length / n, PAUSE * length)


def bins_of(n_events: int) -> tuple[list[int], int]:
    """First events of the bins, and the events of each but the last, which takes the rest."""
    n_each = -(-max(SMALLEST_BIN, -(-n_events // MOST_BINS)) // _STEP) * _STEP
    return [i * n_each for i in range(n_events // n_each)], n_each


def _odd_rates(away: FloatArray, sizes: npt.NDArray[np.integer], tick: float) -> BoolArray:
    spread = np.maximum(1 / np.sqrt(sizes), np.median(away) / norm.ppf(0.75)) + tick
    odd: BoolArray = (away > math.log(RATE_FACTOR)) & (away > limit(len(away)) * spread)
    return odd


def limit(n_tests: int) -> float:
    """Give the standard deviations that one of so many tests may exceed by chance in a third of the false alarms."""
    return float(norm.isf(FALSE_ALARMS / 3 / n_tests / 2))


def runs(odd: BoolArray) -> Iterator[tuple[int, int]]:
    """First and last bin of each run of odd ones."""
    edges = np.flatnonzero(np.diff(odd.astype(np.int8), prepend=0, append=0))
    for first, after in zip(edges[::2], edges[1::2], strict=True):
        yield int(first), int(after) - 1

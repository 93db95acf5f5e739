"""How steadily a file was acquired: flow rate, pauses and signal over time, tested at a stated rate of false alarms."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from il2cyto.pp._flow import Stretch, flow_of, limit, runs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from il2cyto.io import FcsFile
    from il2cyto.pp._flow import Flow, Kind

    FloatArray = npt.NDArray[np.floating]
    IntArray = npt.NDArray[np.integer]
    BoolArray = npt.NDArray[np.bool_]

#: Events of a bin whose signals are looked at, its first.
SAMPLED: Final = 256
#: Smaller departures harm no result: a signal that exceeds the file's with a probability of 0.5 +- this.
SHIFT: Final = 0.1
#: A file is of two parts if both have at least this share of its bins, and of either no more than the second share departs from it.
SMALLEST_PART, MOST_ODD = 1 / 3, 0.2


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

    def share_of(self, *kinds: Kind) -> float:
        """Fraction of the events in stretches of these kinds; NaN where nothing could be tested."""
        if self.bins.is_empty():
            return math.nan
        start, stop = self.bins["start"].to_numpy(), self.bins["stop"].to_numpy()
        inside = [(start >= s.start) & (start < s.stop) for s in self.stretches if s.kind in kinds]
        return float((stop - start)[np.any([np.zeros(len(start), np.bool_), *inside], axis=0)].sum() / stop[-1])

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that were looked at."""
        return tuple(self.bins.columns[4:])


def acquisition(file: FcsFile, columns: Sequence[int]) -> Acquisition:
    """Test how steadily a file was acquired; its events are neither changed nor removed.

    A file is cut into at most 200 bins of equally many consecutive events (at least 200). Four things are looked at:

    - the flow rate: the logarithm of a bin's duration against the median of all, in units of its spread, which is that of a
      Poisson process or, if larger, that of the bins themselves (MAD). It must be off by a factor of 1.5 as well;
    - pauses: longer than a Poisson process would make, and than 1 % of the acquisition;
    - the signal of each channel: the mean rank of the first 256 events of a bin among those of all bins, centred by the median
      of the bins, against its exact variance when events are exchangeable (Wilcoxon). An event of the bin must also exceed
      one of the file with a probability below 0.4 or above 0.6;
    - whether the file falls into two parts, each of at least a third of the bins and even within itself, between which an event of one
      exceeds one of the other with a probability above 0.7 in some channel: a change point, and drift is then judged within each part.

    Each of the first three may err with a third of 1 %, shared among bins and channels (Bonferroni): of steadily acquired files,
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
    columns = [i for i in columns if not file.channels[i].is_time]
    found = flow_of(file)
    if found is None:
        return Acquisition(pl.DataFrame(), (), math.nan)
    signals = _first_of_bins(file, columns, found.starts, min(SAMPLED, int(found.stops[0])))
    return course(found, signals, names=[file.channels[i].name for i in columns])


def _first_of_bins(file: FcsFile, columns: Sequence[int], starts: IntArray, n: int) -> FloatArray:
    """The first `n` events of each bin: bins x events x channels."""
    rows = (starts[:, np.newaxis] + np.arange(n)).ravel()
    blocks = file.blocks(columns)
    parts = []
    for start, block in blocks:
        first, last = np.searchsorted(rows, [start, start + len(block)])
        parts.append(block[np.ix_(rows[first:last] - start, blocks.positions)])
    return np.concatenate(parts).reshape(len(starts), n, len(columns))


def course(flow: Flow, signals: FloatArray, *, names: Sequence[str]) -> Acquisition:
    """Test the bins of a file, see :func:`acquisition`; `signals` are bins x events of a bin x channels."""
    n_each, n_bins = signals.shape[1], len(flow.starts)
    shares = {name: _exceedance(signals[:, :, i]) for i, name in enumerate(names)}
    odd_away = max(SHIFT, limit(n_bins * max(len(names), 1)) * _sd_of_share(n_each, n_bins))
    level = {name: np.full(n_bins, np.median(share)) for name, share in shares.items()}
    change = _change_point(shares, odd_away)
    anomalous = flow.odd.copy()
    stretches = list(flow.stretches)
    if change is not None:
        at, after = change
        for name in after:
            level[name] = _levels(shares[name], at)
        furthest = max(after.values(), key=lambda share: abs(share - 0.5))
        stretches.append(flow.stretch("change_point", at, n_bins - 1, channels=tuple(after), size=furthest))
        anomalous[slice(at) if at < n_bins - at else slice(at, None)] = True
    drifting = {name: np.abs(share - level[name]) > odd_away for name, share in shares.items()}
    odd_signal = np.any([*drifting.values(), np.zeros(n_bins, np.bool_)], axis=0)
    for first, last in runs(odd_signal):
        channels = tuple(name for name, odd in drifting.items() if odd[first : last + 1].any())
        stretches.append(flow.stretch("signal_drift", first, last, channels=channels))
    sizes, middles = flow.stops - flow.starts, (flow.edges[1:] + flow.edges[:-1]) / 2
    bins = {"start": flow.starts, "stop": flow.stops, "time": middles, "rate": flow.rates}
    ordered = tuple(sorted(stretches, key=lambda stretch: (stretch.start, stretch.kind)))
    share = float(sizes[anomalous | odd_signal].sum() / flow.stops[-1])
    return Acquisition(pl.DataFrame(bins | shares), ordered, share)


def _change_point(shares: Mapping[str, FloatArray], odd_away: float) -> tuple[int, dict[str, float]] | None:
    """Where a file falls into two parts, and for each channel that differs P(an event after exceeds one before).

    The bin that leaves the least sum of squares within two parts, over all channels; None unless both parts are large and even.
    """
    if not shares:
        return None
    table = np.column_stack(list(shares.values()))
    n = len(table)
    before = np.arange(1, n)[:, np.newaxis]
    sums = np.cumsum(table, axis=0)[:-1]
    apart = (table.sum(axis=0) - sums) / (n - before) - sums / before
    at = int(np.argmax(np.nansum(before * (n - before) * apart**2, axis=1)))
    # The means of the two parts, weighted, are 0.5: their difference is what one part exceeds the other by.
    after = {name: 0.5 + float(by) for name, by in zip(shares, apart[at], strict=True) if abs(by) > 2 * SHIFT}
    at += 1
    if not after or min(at, n - at) < SMALLEST_PART * n:
        return None
    odd = np.array([np.abs(shares[name] - _levels(shares[name], at)) > odd_away for name in after])
    return None if max(odd[:, :at].mean(1).max(), odd[:, at:].mean(1).max()) > MOST_ODD else (at, after)


def _levels(share: FloatArray, at: int) -> FloatArray:
    """The median of each of two parts."""
    return np.repeat([np.median(share[:at]), np.median(share[at:])], [at, len(share) - at])


def _exceedance(values: FloatArray) -> FloatArray:
    """For each bin the probability that one of its events exceeds one of all, half of the ties counted; bins x events in.

    NaN are left out. From mean ranks, as `scipy.stats.rankdata` gives them, in an eighth of its time.
    """
    n_bins, n_each = values.shape
    order = np.argsort(values, axis=None)
    ascending = values.ravel()[order]
    n = ascending.size - int(np.count_nonzero(np.isnan(ascending)))  # which are the last
    order, ascending = order[:n], ascending[:n]
    ranks = np.arange(1.0, n + 1)
    differs = ascending[1:] != ascending[:-1]
    if not differs.all():
        edges = np.flatnonzero(np.concatenate([[True], differs, [True]]))
        sizes = np.diff(edges)
        ranks = np.repeat(edges[:-1] + (sizes + 1) / 2, sizes)
    of_bin = order // n_each
    with np.errstate(invalid="ignore"):  # a bin of NaN
        means = np.bincount(of_bin, ranks, n_bins) / np.bincount(of_bin, minlength=n_bins)
    shares: FloatArray = (means - 0.5) / n
    return shares


def _sd_of_share(n_each: int, n_bins: int) -> float:
    # Mean of n ranks drawn without replacement from N, over N: variance (N + 1)(N - n) / (12 n N^2).
    n_all = n_each * n_bins
    return math.sqrt((n_all + 1) * (n_all - n_each) / (12 * n_each)) / n_all

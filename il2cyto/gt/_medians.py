"""Exact medians in memory that does not grow with the file: a histogram, then the values of the bin that holds the median."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from il2cyto.gt._engine import Engine, Sink
from il2cyto.gt._kernels._ops import GATHER, HISTOGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt

    from il2cyto.gt._plan import Events
    from il2cyto.gt._program import Program

    IntArray = npt.NDArray[np.int64]

#: Values gathered in one pass over the file: 16 MB.
_AT_ONCE = 1 << 21


def medians(events: Events, program: Program, histograms: npt.NDArray[np.uint32]) -> Mapping[tuple[str, str], float]:
    """Find the median of each marker in each population for which the first pass filled a histogram; NaN without events."""
    totals = histograms.sum(axis=1, dtype=np.int64)
    # The two middle ranks, the same one for an odd number, and the bins that hold them.
    ranks = np.stack([(totals - 1) // 2, totals // 2], axis=1)
    bins = np.zeros((len(totals), 2), dtype=np.int64)
    below, sizes = np.zeros_like(totals), np.zeros_like(totals)
    for h in np.flatnonzero(totals).tolist():
        upto = np.cumsum(histograms[h], dtype=np.int64)
        bins[h] = np.searchsorted(upto, ranks[h], side="right")
        below[h] = upto[bins[h, 0] - 1] if bins[h, 0] else 0
        sizes[h] = upto[bins[h, 1]] - below[h]
    found = np.full(len(totals), np.nan)
    for chosen in _portions(sizes):
        for h, values in _gather(events, program, chosen, bins, sizes).items():
            at = ranks[h] - below[h]
            found[h] = np.mean(np.partition(values, at)[at])
    return {pair: float(found[h]) for pair, h in program.histograms.items()}


def _portions(sizes: IntArray) -> Iterator[list[int]]:
    """Split the histograms so that the values of each portion fit in memory."""
    portion: list[int] = []
    for h in np.flatnonzero(sizes).tolist():
        if portion and sizes[portion].sum() + sizes[h] > _AT_ONCE:
            yield portion
            portion = []
        portion.append(h)
    if portion:
        yield portion


def _gather(
    events: Events, program: Program, chosen: list[int], bins: IntArray, sizes: IntArray
) -> dict[int, npt.NDArray[np.float64]]:
    """Gate the file again and keep the values in the bins of the medians."""
    kinds = program.ops[:, 0]
    ops = program.ops[(kinds != HISTOGRAM) | np.isin(program.ops[:, 3], chosen)].copy()
    ops[ops[:, 0] == HISTOGRAM, 0] = GATHER
    ends = np.zeros_like(sizes)
    ends[chosen] = np.cumsum(sizes[chosen])
    starts = ends - sizes
    sink = Sink(np.zeros((1, 1), dtype=np.uint32), bins, starts.copy(), np.empty(int(sizes[chosen].sum())))
    for _ in Engine(events, replace(program, ops=ops), sink).run():
        pass
    return {h: sink.values[starts[h] : ends[h]] for h in chosen}

"""The compiled form of a template for one kind of file: a table of operations, and where its answers are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from il2cyto.gt._curves import band_curve
from il2cyto.gt._linear import last_below, linear_cuts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from il2cyto.gt._curves import Curve
    from il2cyto.gt._scale import Scale
    from il2cyto.gt._types import Decision
    from il2cyto.gt._views import View
    from il2cyto.template import Population, SingletGate

    IntArray = npt.NDArray[np.int64]
    FloatArray = npt.NDArray[np.float64]
    ByteArray = npt.NDArray[np.uint8]

#: Versions of a gate: its cut moved towards fewer events, its cut, its cut moved towards more.
STRICT, EXACT, LOOSE = 0, 1, 2


class Asked(NamedTuple):
    """A shape that numpy decides where the kernel cannot, and the columns it looks at."""

    curve: Curve
    columns: tuple[int, ...]


class FittedCut(NamedTuple):
    """Where the parameters of a fitted cut stand: those of one version of a population's gate on a scale."""

    at: int
    population: Population
    version: int
    scale: Scale


class FittedBand(NamedTuple):
    """Where the parameters of a fitted singlet band stand, and the columns it looks at."""

    at: int
    population: Population
    gate: SingletGate
    scales: tuple[Scale, Scale]
    columns: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Program:
    """What the kernel needs to gate any block of a file, and where to find its answers.

    Files of one panel with one spillover share all of it but what :func:`bind` puts in: the numbers of their own cuts.

    Attributes
    ----------
    columns, finite
        Columns of the file that are read, and those of them in which an event must be finite.
    groups
        For each COLUMNS the columns of the file and their weights in up to four columns on the linear scale.
    rows
        Population -> its rows of membership, by version; populations that cannot be evaluated are absent.
    lists
        Population -> the list of its events in a block, where it has one.
    counters
        (population, version) or (population, channel) -> where its count is.
    histograms
        (population, marker) -> the histogram of its values, of which the median is found; empty if not asked for.
    views, tables
        What is drawn of each gate, and the bins of each axis at the steps of float32; empty if not asked for.
    asked
        Place of its parameters -> the shape in numpy, which decides when the kernel is not sure.
    cuts, bands
        What differs from file to file.
    """

    columns: tuple[int, ...]
    finite: tuple[int, ...]
    groups: tuple[tuple[tuple[int, tuple[float, ...]], ...], ...]
    n_columns: int
    ops: IntArray
    parameters: FloatArray
    grids: tuple[IntArray, ByteArray, ByteArray]
    rows: Mapping[str, tuple[int, int, int]]
    lists: Mapping[str, int]
    counters: Mapping[tuple[str, int | str], int]
    histograms: Mapping[tuple[str, str], int]
    asked: Mapping[int, Asked]
    cuts: tuple[FittedCut, ...]
    bands: tuple[FittedBand, ...]
    views: tuple[View, ...]
    tables: npt.NDArray[np.float32]
    n_rows: int
    n_lists: int
    n_bins: int


def bind(program: Program, decide: Callable[[Population], Decision]) -> Program:
    """Put one file's own cuts into a program."""
    if not program.cuts and not program.bands:
        return program
    parameters, asked = program.parameters.copy(), dict(program.asked)
    sides = []
    for at, population, version, scale in program.cuts:
        decision = decide(population)
        cut, keep = (decision.cuts or {})["cut"], getattr(population.gate, "keep", "above")
        if version != EXACT:
            s = decision.spread["cut"]
            stricter = cut + s if keep == "above" else cut - s
            cut = stricter if version == STRICT else 2 * cut - stricter
        sides.append((at, scale, *side(cut, keep)))
    place_intervals(parameters, sides)
    for band in program.bands:
        curve = band_curve(*band.scales, decide(band.population).cuts, band.gate.side)
        parameters[band.at : band.at + len(curve.parameters)] = curve.parameters
        asked[band.at] = Asked(curve, band.columns)
    return replace(program, parameters=parameters, asked=asked)


def side(cut: float, keep: str) -> tuple[float, float | None]:
    """The positions kept by a cut, as from (included) and to (excluded): those at either infinity lie on a side too."""
    return (cut, None) if keep == "above" else (-np.inf, cut)


def place_intervals(parameters: FloatArray, intervals: Sequence[tuple[int, Scale, float, float | None]]) -> None:
    """Write intervals low <= position < high into the parameters as closed intervals on the linear scale."""
    for scale in {scale for _, scale, _, _ in intervals}:
        own = [(at, low, high) for at, s, low, high in intervals if s == scale]
        at, lows, highs = zip(*own, strict=True)
        parameters[list(at)] = linear_cuts(lows, scale)
        parameters[[place + 1 for place in at]] = np.inf
        closed = [(place + 1, high) for place, high in zip(at, highs, strict=True) if high is not None]
        if closed:
            places, highs = zip(*closed, strict=True)
            parameters[list(places)] = last_below(highs, scale)

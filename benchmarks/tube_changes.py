"""What can happen to a tube: another instrument, another stain, another patient. Cells keep their labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float64]
    Rows = npt.NDArray[np.intp]
    Change: TypeAlias = "Callable[[Tube, np.random.Generator], Tube]"

LYMPHOCYTES = ("CD4", "CD8", "NK", "B", "gdT", "DN", "lymphocytes")
#: Spillover of neighbouring detectors, as a share; its error is what a wrong compensation leaves.
SPILL, SPILL_ERROR = 0.15, 0.2


@dataclass(frozen=True)
class Tube:
    """Events of one file: fluorescence (n, c) and scatter (n, s) on the linear scale, and which events are which population."""

    fluorescence: FloatArray
    scatter: FloatArray
    truth: dict[str, npt.NDArray[np.bool_]]
    markers: tuple[str, ...]

    def rows(self, rows: Rows) -> Tube:
        """Some events, perhaps several times."""
        truth = {name: of[rows] for name, of in self.truth.items()}
        return replace(self, fluorescence=self.fluorescence[rows], scatter=self.scatter[rows], truth=truth)

    def of(self, *names: str) -> npt.NDArray[np.bool_]:
        """Events of any of some populations; those that the tube does not tell are empty."""
        nobody = np.zeros(len(self.scatter), np.bool_)
        return np.any([self.truth.get(name, nobody) for name in names], axis=0)


def only(share: float, *names: str) -> Change:
    """Keep a share of some populations' events, or of all."""

    def change(tube: Tube, rng: np.random.Generator) -> Tube:
        among = tube.of(*names) if names else np.ones(len(tube.scatter), np.bool_)
        return tube.rows(np.flatnonzero(~among | (rng.random(among.size) < share)))

    return change


def to_share(share: float, names: tuple[str, ...], of: tuple[str, ...]) -> Change:
    """Thin or repeat some populations' events until they are a share of others' (which include them)."""

    def change(tube: Tube, rng: np.random.Generator) -> Tube:
        here, rest = tube.of(*names), tube.of(*of) & ~tube.of(*names)
        if not here.any():
            return tube
        wanted = int(share / (1 - share) * rest.sum())
        drawn = rng.choice(np.flatnonzero(here), wanted, replace=wanted > here.sum())
        grown = tube.rows(np.concatenate([np.flatnonzero(~here), drawn]))
        again = np.zeros(len(grown.scatter), np.bool_)
        again[len(again) - wanted :] = wanted > here.sum()
        # Cells that stand for several differ a little, or the density would be one of needles.
        return blurred(grown, again, 0.1, rng)

    return change


def blurred(tube: Tube, which: npt.NDArray[np.bool_], cv: float, rng: np.random.Generator) -> Tube:
    """Measure some events less well: a relative error, and one as wide as the dimmest tenth of the file is."""
    out = []
    for values in (tube.fluorescence, tube.scatter):
        values = values.copy()
        dark = np.percentile(np.abs(values), 10, axis=0)
        shape = values[which].shape
        values[which] += cv * rng.normal(size=shape) * np.abs(values[which]) + cv * dark * rng.normal(size=shape)
        out.append(values)
    return replace(tube, fluorescence=out[0], scatter=out[1])


def events(n: int) -> Change:
    """Keep n events."""
    return lambda tube, rng: tube.rows(np.sort(rng.permutation(len(tube.scatter))[:n]))


def resampled(tube: Tube, rng: np.random.Generator) -> Tube:
    """Draw as many events with replacement."""
    return tube.rows(np.sort(rng.integers(len(tube.scatter), size=len(tube.scatter))))


def gain(most: float, marker: str = "") -> Change:
    """Amplify one marker by a factor, or all by factors at random up to it, or down to its reciprocal."""

    def change(tube: Tube, rng: np.random.Generator) -> Tube:
        factors = np.exp(rng.uniform(-1, 1, len(tube.markers)) * np.log(most))
        if marker:
            factors = np.where([marker == name for name in tube.markers], most, 1.0)
        return replace(tube, fluorescence=tube.fluorescence * factors)

    return change


def scatter_gain(factor: float) -> Change:
    return lambda tube, rng: replace(tube, scatter=tube.scatter * factor)


def offset(tube: Tube, rng: np.random.Generator) -> Tube:
    """Move each channel's zero by up to half of how far its noise reaches below it."""
    reach = np.abs(np.percentile(tube.fluorescence, 0.1, axis=0))
    return replace(tube, fluorescence=tube.fluorescence + reach * rng.uniform(-0.5, 0.5, reach.size))


def wrong_spillover(tube: Tube, rng: np.random.Generator) -> Tube:
    """Compensate with coefficients that are off by 20 %: neighbours spill 15 %, others less the further apart they are."""
    c = len(tube.markers)
    apart = np.abs(np.subtract.outer(np.arange(c), np.arange(c)))
    spill = np.where(apart == 0, 0.0, SPILL / 4.0 ** (apart - 1))
    return replace(
        tube, fluorescence=tube.fluorescence @ (np.eye(c) + spill * rng.uniform(-SPILL_ERROR, SPILL_ERROR, (c, c)))
    )


def noisy(tube: Tube, rng: np.random.Generator) -> Tube:
    """Measure everything with another 15 % of error."""
    return blurred(tube, np.ones(len(tube.scatter), np.bool_), 0.15, rng)


def doublets(share: float) -> Change:
    """Add pairs of events that passed the laser together; they are of no population."""

    def change(tube: Tube, rng: np.random.Generator) -> Tube:
        first, second = (tube.rows(rng.integers(len(tube.scatter), size=int(share * len(tube.scatter)))) for _ in "ab")
        pairs = replace(
            first, fluorescence=first.fluorescence + second.fluorescence, scatter=first.scatter + second.scatter
        )
        return both(tube, nobody(pairs))

    return change


def debris(share: float) -> Change:
    """Add fragments: a twentieth to a half of an event's scatter and fluorescence; they are of no population."""

    def change(tube: Tube, rng: np.random.Generator) -> Tube:
        n = int(share / (1 - share) * len(tube.scatter))
        pieces = tube.rows(rng.integers(len(tube.scatter), size=n))
        size = np.exp(rng.uniform(np.log(0.05), np.log(0.5), (n, 1)))
        pieces = replace(pieces, fluorescence=pieces.fluorescence * size, scatter=pieces.scatter * size)
        return both(tube, nobody(pieces))

    return change


def clipped(tube: Tube, rng: np.random.Generator) -> Tube:
    """Cut fluorescence off at each channel's 98th percentile, as a detector at its limit does."""
    return replace(tube, fluorescence=np.minimum(tube.fluorescence, np.percentile(tube.fluorescence, 98, axis=0)))


def leukaemic(tube: Tube, rng: np.random.Generator) -> Tube:
    """Make B cells 80 % of the lymphocytes, with the little CD19 and CD20 and the much CD5 of chronic lymphocytic leukaemia."""
    grown = to_share(0.8, ("B",), LYMPHOCYTES)(tube, rng)
    factor = np.array(
        [0.4 if "CD19" in m else 0.4 if "CD20" in m else 8.0 if "CD5" in m.split("+") else 1.0 for m in tube.markers]
    )
    changed = np.where(grown.of("B")[:, None], grown.fluorescence * factor, grown.fluorescence)
    return replace(grown, fluorescence=changed)


def in_turn(*changes: Change) -> Change:
    def change(tube: Tube, rng: np.random.Generator) -> Tube:
        for one in changes:
            tube = one(tube, rng)
        return tube

    return change


def both(a: Tube, b: Tube) -> Tube:
    truth = {name: np.concatenate([a.truth[name], b.truth[name]]) for name in a.truth}
    together = partial(np.concatenate, axis=0)
    return replace(
        a,
        fluorescence=together([a.fluorescence, b.fluorescence]),
        scatter=together([a.scatter, b.scatter]),
        truth=truth,
    )


def nobody(tube: Tube) -> Tube:
    return replace(tube, truth={name: np.zeros_like(of) for name, of in tube.truth.items()})


def changes(markers: tuple[str, ...]) -> Iterator[tuple[str, Change, int]]:
    """Name, change, and how often it is drawn."""
    yield "unchanged", lambda tube, rng: tube, 1
    yield "drawn with replacement", resampled, 3
    for n in (50_000, 20_000, 10_000, 5_000):
        yield f"{n:,} events", events(n), 3
    for marker in markers:
        for factor in (0.5, 2.0):
            yield f"{marker} x {factor:g}", gain(factor, marker), 1
    yield "all channels x 0.67-1.5", gain(1.5), 4
    yield "all channels x 0.5-2", gain(2.0), 6
    yield "offset", offset, 4
    yield "spillover wrong by 20 %", wrong_spillover, 4
    yield "noise 15 %", noisy, 1
    yield "top cut off", clipped, 1
    for factor in (0.8, 1.25):
        yield f"scatter x {factor:g}", scatter_gain(factor), 1
    for share in (0.05, 0.1):
        yield f"{share:.0%} doublets", doublets(share), 1
    for share in (0.1, 0.3):
        yield f"{share:.0%} debris", debris(share), 1
    yield "half the lymphocytes", only(0.5, *LYMPHOCYTES), 1
    yield "a tenth of the lymphocytes", only(0.1, *LYMPHOCYTES), 1
    for share in (0.02, 0.1):
        yield f"CD4 {share:.0%} of lymphocytes", to_share(share, ("CD4",), LYMPHOCYTES), 1
        yield f"CD8 {share:.0%} of lymphocytes", to_share(share, ("CD8",), LYMPHOCYTES), 1
    for share in (0.01, 0.03, 0.5):
        yield f"NK {share:.0%} of lymphocytes", to_share(share, ("NK",), LYMPHOCYTES), 1
    yield "CD8 70 % of lymphocytes", to_share(0.7, ("CD8",), LYMPHOCYTES), 1
    yield "B 0.2 % of lymphocytes", to_share(0.002, ("B",), LYMPHOCYTES), 1
    yield "B 70 % of lymphocytes", to_share(0.7, ("B",), LYMPHOCYTES), 1
    yield "B 80 %, leukaemic", leukaemic, 1
    for share in (0.01, 0.05, 0.1, 0.2):
        yield f"CD56bright {share:.0%} of NK", to_share(share, ("CD56bright",), ("NK",)), 1
    yield "another lab", in_turn(gain(1.6), offset, doublets(0.03), debris(0.15), wrong_spillover), 6
    yield "another lab, 30,000 events", in_turn(gain(1.6), offset, doublets(0.03), debris(0.15), events(30_000)), 6

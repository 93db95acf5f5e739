"""How far does brightening alone raise Treg, if the cuts are held? Two gates over a range of assumptions, simulated.

Each row draws the same CD4+ and CD8+ T cells twice, without the drug and with it, as brightness of CD25 and CD127 alone: no other marker,
no spillover. Cuts are placed without the drug and held. Numbers of gating/tnk/README.md: `python benchmarks/treg_gate.py`, some seconds.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from il2cyto import pp
from il2cyto.template import Logicle

EVENTS: Final = {"CD4": 1_000_000, "CD8": 400_000}
SCALE: Final = Logicle(method="logicle", t=262144, w=0.5, m=4.5, a=0)
#: Electronic noise, autofluorescence and photon noise as simulate_trial has them.
NOISE, BACKGROUND, PHOTONS = 45.0, 65.0, 2.5


class Level(NamedTuple):
    """Mean and SD of log10 brightness."""

    mean: float
    sd: float


class Cells(NamedTuple):
    """Levels as in simulate_trial, and what the drug adds to them."""

    treg: float = 0.055
    treg_cd25: Level = Level(3.5, 0.22)
    treg_cd127: Level = Level(2.7, 0.25)
    other_cd25: Level = Level(2.7, 0.35)
    other_cd127: Level = Level(3.5, 0.22)
    cd8_cd25: Level = Level(2.2, 0.30)
    brighter_treg: float = 0.20
    brighter_other: float = 0.05
    cd127: float = 0.0


class Gate(NamedTuple):
    """CD25: median + k25 MAD of CD8+ T cells; CD127: median + k127 MAD of CD25- CD4+ T cells, rising by `slant` degrees."""

    k25: float
    k127: float
    slant: float


GATES: Final = {"tnk": Gate(2, -2.25, 0), "tnk 1.1": Gate(3, -2, 20), "tnk 1.1, level": Gate(3, -2, 0)}
CELLS: Final = {
    "as simulate_trial has it": Cells(),
    "brightening half as large": Cells(brighter_treg=0.10, brighter_other=0.025),
    "brightening twice as large": Cells(brighter_treg=0.40, brighter_other=0.10),
    "other T cells do not brighten": Cells(brighter_other=0.0),
    "other T cells brighten by 0.10": Cells(brighter_other=0.10),
    "Treg dimmer: CD25 3.3 for 3.5": Cells(treg_cd25=Level(3.3, 0.22)),
    "Treg wider: CD25 SD 0.30 for 0.22": Cells(treg_cd25=Level(3.5, 0.30)),
    "Treg have more CD127: 2.9 for 2.7": Cells(treg_cd127=Level(2.9, 0.25)),
    "CD8+ T cells have more CD25: 2.5 for 2.2": Cells(cd8_cd25=Level(2.5, 0.30)),
    "Treg 3 % of CD4": Cells(treg=0.03),
    "no brightening, CD127 of CD4 lower by 0.05": Cells(brighter_treg=0.0, brighter_other=0.0, cd127=-0.05),
}


class Drawn(NamedTuple):
    """CD25 and CD127 of CD4+ T cells and CD25 of CD8+ T cells, on the logicle scale."""

    x: np.ndarray
    y: np.ndarray
    reference: np.ndarray


def draw(cells: Cells) -> Drawn:
    """The same cells and the same noise for the same numbers of events."""
    rng = np.random.default_rng(1)
    treg = np.arange(EVENTS["CD4"]) < cells.treg * EVENTS["CD4"]

    def signal(mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
        light = 10 ** (mean + sd * rng.standard_normal(len(mean))) + BACKGROUND
        noise = np.sqrt(PHOTONS**2 * light + NOISE**2) * rng.standard_normal(len(mean))
        return pp.transform(light + noise, SCALE)

    def mixed(first: Level, second: Level) -> np.ndarray:
        return signal(*(np.where(treg, a, b) for a, b in zip(first, second, strict=True)))

    x, y = mixed(cells.treg_cd25, cells.other_cd25), mixed(cells.treg_cd127, cells.other_cd127)
    return Drawn(x, y, signal(*(np.full(EVENTS["CD8"], value) for value in cells.cd8_cd25)))


def on_drug(cells: Cells) -> Cells:
    """The levels after the drug."""

    def moved(level: Level, by: float) -> Level:
        return level._replace(mean=level.mean + by)

    return cells._replace(
        treg_cd25=moved(cells.treg_cd25, cells.brighter_treg),
        other_cd25=moved(cells.other_cd25, cells.brighter_other),
        treg_cd127=moved(cells.treg_cd127, cells.cd127),
        other_cd127=moved(cells.other_cd127, cells.cd127),
    )


def mad(x: np.ndarray) -> float:
    return 1.4826 * float(np.median(np.abs(x - np.median(x))))


def counts(gate: Gate, before: Drawn, after: Drawn) -> tuple[int, int]:
    """Treg before and after, by cuts placed before."""
    cut = np.median(before.reference) + gate.k25 * mad(before.reference)
    negative = before.y[before.x < cut]
    height = np.median(negative) + gate.k127 * mad(negative)
    slope = np.tan(np.radians(gate.slant)) * mad(before.y) / mad(before.x)
    first, second = (
        int(np.count_nonzero((x >= cut) & (y < height + slope * (x - cut)))) for x, y, _ in (before, after)
    )
    return first, second


def main() -> None:
    print(f"simulated | {' | '.join(f'{name}: rise, found of true Treg' for name in GATES)}")
    for name, cells in CELLS.items():
        before, after = draw(cells), draw(on_drug(cells))
        found = [counts(gate, before, after) for gate in GATES.values()]
        true = cells.treg * EVENTS["CD4"]
        print(f"| {name} | {' | '.join(f'{b / a - 1:+.1%}, {a / true:.2f}' for a, b in found)} |", flush=True)


if __name__ == "__main__":
    main()

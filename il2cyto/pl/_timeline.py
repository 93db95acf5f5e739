"""The x axis that all figures over visits share: scheduled weeks, treatment periods, number of subjects below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from il2cyto._keys import Obs, Uns
from il2cyto.pl._theme import PERIOD, TICK_SIZE, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt
    from anndata import AnnData
    from matplotlib.axes import Axes

    from il2cyto.pl._theme import ArmStyle

    FloatArray = npt.NDArray[np.float64]

#: In points: size of the counts, and what tick marks and the title take above them.
COUNT_SIZE: Final = 5.5
ABOVE_COUNTS: Final = 17.0
#: Width of a character of DejaVu Sans as a share of its size: that of a digit.
EM: Final = 0.64


@dataclass(frozen=True)
class Timeline:
    """The visits along the x axis: at their weeks, or one after the other where these are unknown."""

    position: dict[str, float]
    labels: tuple[str, ...]
    title: str
    periods: FloatArray

    @classmethod
    def of(cls, adata: AnnData, summary: pl.DataFrame) -> Timeline:
        """Read visits and treatment periods; without a week of its own for every visit there is no scale for periods."""
        return cls.of_table(summary, adata.uns[Uns.IL2CYTO].get(Uns.TREATMENT_WEEKS, []))

    @classmethod
    def of_table(cls, table: pl.DataFrame, periods: Iterable[Sequence[float]]) -> Timeline:
        """Read the visits from the columns `visit` and `week` of a table."""
        visits = table.select(pl.col(Obs.VISIT).cast(pl.String), Obs.WEEK).unique(maintain_order=True)
        names, weeks = visits[Obs.VISIT].to_list(), visits[Obs.WEEK].to_list()
        if None in weeks or len(set(weeks)) < len(weeks):
            labels = tuple(printable(name, limit=10) for name in names)
            return cls({name: float(i) for i, name in enumerate(names)}, labels, "Visit", np.empty((0, 2)))
        position = dict(sorted(zip(names, weeks, strict=True), key=lambda item: item[1]))
        shaded = np.asarray(list(periods), np.float64).reshape(-1, 2)
        return cls(position, tuple(f"{week:g}" for week in position.values()), "Week", shaded)

    def along(self, frame: pl.DataFrame) -> FloatArray:
        """Place the visits of a frame on the axis."""
        return np.array([self.position[visit] for visit in frame[Obs.VISIT].cast(pl.String)])

    def draw(self, ax: Axes) -> None:
        """Shade the treatment periods, set limits and label every visit; upright, or not at all, where it is crowded."""
        for start, end in self.periods:
            ax.axvspan(start, end, color=PERIOD, linewidth=0, zorder=0)
        x = np.array(list(self.position.values()))
        margin = 0.04 * (np.ptp(x) or 1)
        ax.set_xlim(x.min() - margin, x.max() + margin)
        upright, shown = self._fit(ax, self.labels, TICK_SIZE)
        labels = [label if i in shown else "" for i, label in enumerate(self.labels)]
        ax.set_xticks(x, labels, rotation=90 if upright else 0)
        ax.set_xlabel(self.title, labelpad=1)

    def write_counts(self, ax: Axes, counts: Mapping[str, Sequence[int]], styles: Mapping[str, ArmStyle]) -> float:
        """Write how many subjects stand behind each visit of each arm, below the axis that `draw` has made.

        A visit whose tick has no room for its label has none for its count either. Returns how far down the rows reach,
        in points.
        """
        upright, labelled = self._fit(ax, self.labels, TICK_SIZE)
        below = ABOVE_COUNTS + (EM * TICK_SIZE * max(map(len, self.labels)) if upright else TICK_SIZE)
        for arm, row in counts.items():
            texts = [str(n) for n in row]
            upright, shown = self._fit(ax, texts, COUNT_SIZE)
            step = EM * COUNT_SIZE * max(map(len, texts)) + 3 if upright else COUNT_SIZE + 2
            colour = styles[arm].colour
            name = f"n {printable(arm, limit=14)}" if len(counts) > 1 else "n"
            self._below(ax, 0.0, below + (step - COUNT_SIZE - 2) / 2, name, colour, upright=False, side=True)
            # A number below a tick without its label would be read as that of a neighbour.
            for i in set(shown) & set(labelled):
                self._below(ax, list(self.position.values())[i], below, texts[i], colour, upright=upright)
            below += step
        return below

    @staticmethod
    def _below(ax: Axes, x: float, points: float, text: str, colour: str, *, upright: bool, side: bool = False) -> None:
        ax.annotate(
            text,
            (x, 0),
            (-6 if side else 0, -points),
            "axes fraction" if side else ax.get_xaxis_transform(),
            "offset points",
            ha="right" if side else "center",
            va="top",
            rotation=90 if upright else 0,
            size=COUNT_SIZE,
            color=colour,
            annotation_clip=False,
        )

    def _fit(self, ax: Axes, texts: Sequence[str], size: float) -> tuple[bool, list[int]]:
        """Say whether the texts have to stand upright to fit beside each other, and which fit even then."""
        low, high = ax.get_xlim()
        # Before the layout runs the axes are a little narrower than after it: the estimate errs on the safe side.
        points = 72 * ax.get_position().width * ax.figure.get_figure(root=True).get_figwidth() / (high - low)
        x = points * np.array(list(self.position.values()))
        width = EM * size * np.array([len(text) for text in texts])
        if (np.diff(x) >= (width[1:] + width[:-1]) / 2 + 0.5).all():
            return False, list(range(len(texts)))
        shown = [0]
        for i in range(1, len(texts)):
            if x[i] - x[shown[-1]] >= 1.1 * size:
                shown.append(i)
        return True, shown

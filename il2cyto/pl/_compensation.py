"""A spillover matrix as a map, with its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.figure import Figure

from il2cyto.errors import SchemaError
from il2cyto.io import FcsFile
from il2cyto.pl._theme import DOUBLE_COLUMN, INK, MM, SINGLE_COLUMN, add_footer, printable, theme

if TYPE_CHECKING:
    from il2cyto.io import Spillover

#: Less than this, in percent, is not written.
LEAST: Final = 0.05


def compensation(source: FcsFile | Spillover, *, title: str = "", simulated: bool = False) -> Figure:
    """Draw a spillover matrix: which detector sees how much of which fluorochrome, in percent.

    Parameters
    ----------
    source
        An opened FCS file, whose own matrix is drawn, or a matrix.
    title
        Above the map; the file's name if empty.
    simulated
        Write SIMULATED DATA at the foot; files know it by themselves.

    Returns
    -------
    The figure, 89 to 183 mm wide: rows spill into columns. The diagonal, 100 % by definition, is grey; values below 0.05 % are
    not written; negative ones, which no spillover is, are blue with a minus.

    Raises
    ------
    SchemaError
        The file has no spillover matrix.
    FcsError
        The file's matrix cannot be used.
    """
    if isinstance(source, FcsFile):
        found, title, simulated = source.spillover(), title or source.name, simulated or source.simulated
        if found is None:
            msg = f"compensation: {source.name} has no spillover matrix; give a Spillover, or a file that was acquired with one."
            raise SchemaError(msg)
        source = found
    percent = 100 * np.asarray(source.matrix, np.float64)
    off = np.where(np.eye(len(percent), dtype=bool), np.nan, percent)
    names = [printable(name, limit=16) for name in source.channels]
    cell = min(7 * MM, (DOUBLE_COLUMN - 38 * MM) / len(names))
    side = cell * len(names)
    with theme():
        size = (max(SINGLE_COLUMN, side + 38 * MM), max(40 * MM, side + 34 * MM))
        figure = Figure(figsize=size, layout="constrained")
        ax = figure.subplots()
        # From grey to colour both ways: a negative share is seen at once.
        reach = float(np.nanmax(np.abs(off), initial=0.0)) or 1.0
        ax.patch.set(facecolor="#DDDDDD")
        image = ax.imshow(np.ma.masked_invalid(off), cmap="RdBu_r", vmin=-reach, vmax=reach, aspect="equal")
        letters = float(np.clip(72 * cell / 3.4, 3, 5.5))
        for (row, column), value in np.ndenumerate(off):
            if abs(value) >= LEAST:
                colour = "white" if abs(value) > 0.6 * reach else INK
                text = f"{value:.1f}".replace("-", "−")
                ax.text(column, row, text, ha="center", va="center", size=letters, color=colour)
        ticks: dict[str, Any] = {"size": min(6.5, 72 * cell * 0.75)}
        ax.set_xticks(range(len(names)), names, rotation=90, **ticks)
        ax.set_yticks(range(len(names)), names, **ticks)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        ax.set_xlabel("seen by detector")
        ax.set_ylabel("fluorochrome of")
        ax.set_title(printable(title, limit=50), loc="left", weight="bold")
        bar = figure.colorbar(image, ax=ax, shrink=0.8, aspect=25)
        bar.set_label("% of the signal")
        bar.ax.set_ylim(min(0.0, float(np.nanmin(off, initial=0.0))), reach)
        add_footer(figure, "Spillover in percent; blank: below 0.05 %.", simulated=simulated)
    return figure

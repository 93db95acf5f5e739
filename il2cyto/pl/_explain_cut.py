"""Why a cut lies where it does, drawn: the events, the own cut with its spread, the group's, and the final one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter1d

from il2cyto.pl._gates import CUT
from il2cyto.pl._theme import GREY, INK, MM, SINGLE_COLUMN, add_footer, printable, theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from il2cyto.gt import CutExplanation

GROUP: Final = "#0072B2"


def explain_cut(explanation: CutExplanation, *, simulated: bool = False) -> Figure:
    """Draw the explanation of a cut.

    Parameters
    ----------
    explanation
        From :func:`il2cyto.explaining.explain`.
    simulated
        Say SIMULATED DATA below the picture.

    Returns
    -------
    The figure, 89 mm wide: the gate's parent on its channel (grey; without densities there is none), the file's own cut with a band
    of one spread on both sides (dotted), the group's centre with a band of tau (dashed), the final cut (full line) and
    the template's bounds (shaded outside). The x axis is the template's scale, so that the numbers of the text can be read off.
    What is missing is not drawn.
    """
    with theme():
        figure = Figure(figsize=(SINGLE_COLUMN, 62 * MM), layout="constrained")
        ax = figure.subplots()
        _draw_events(ax, explanation)
        _draw_bounds(ax, explanation.bounds)
        _draw_position(ax, explanation.final, np.nan, INK, "-", "final cut")
        _draw_position(ax, explanation.own, explanation.spread, CUT, ":", "own cut ± spread")
        centre = explanation.centre if explanation.group_size else np.nan
        label = f"{explanation.level}, {explanation.group_size} cuts ± τ"
        _draw_position(ax, centre, explanation.tau, GROUP, "--", label)
        ax.set_xlabel(printable(f"{explanation.channel or explanation.coordinate}, template's scale", limit=50))
        ax.set_ylabel("events per bin")
        ax.set_title(printable(f"{explanation.population} in {explanation.sample}", limit=60), loc="left")
        if ax.get_legend_handles_labels()[0]:
            figure.legend(loc="outside upper left", ncols=3, fontsize=6, handlelength=1.6, columnspacing=1.0)
        add_footer(figure, printable(" ".join(explanation.steps), limit=300), simulated=simulated)
    return figure


def _draw_events(ax: Axes, explanation: CutExplanation) -> None:
    if not explanation.counts.sum():
        ax.set_ylim(0, 1)
        return
    edges, counts = explanation.edges, gaussian_filter1d(explanation.counts, 1.0)
    ax.fill_between((edges[1:] + edges[:-1]) / 2, counts, color=GREY, alpha=0.45, linewidth=0)
    ax.set_xlim(edges[0], edges[-1])
    ax.set_ylim(0, 1.08 * counts.max())


def _draw_bounds(ax: Axes, bounds: tuple[float, float]) -> None:
    left, right = ax.get_xlim()
    for start, end in ((left, bounds[0]), (bounds[1], right)):
        if np.isfinite(start) and np.isfinite(end) and start < end:
            ax.axvspan(start, end, color=GREY, alpha=0.12, linewidth=0)
    ax.set_xlim(left, right)


def _draw_position(ax: Axes, at: float, spread: float, colour: str, dashes: str, label: str) -> None:
    if not np.isfinite(at):
        return
    if np.isfinite(spread) and spread > 0:
        ax.axvspan(at - spread, at + spread, color=colour, alpha=0.18, linewidth=0)
    ax.axvline(at, color=colour, linestyle=dashes, linewidth=1.2, label=label)

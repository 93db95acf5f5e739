"""A gating template as a picture: its tree, and beside each population the gate in words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from il2cyto._keys import ROOT
from il2cyto.io import read_template
from il2cyto.pl._theme import DOUBLE_COLUMN, GREY, INK, printable, theme
from il2cyto.template import (
    BoundaryGate,
    CornerGate,
    Cut1D,
    FixedGate,
    FmoGate,
    RefAxis,
    ReferenceLineGate,
    RefGate,
    SingletGate,
    TMix1dGate,
    TMix2dGate,
)
from il2cyto.template._cuts import QuantileRule, ReferenceRule, TailRule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

    from il2cyto.template import Gate, GatingTemplate, Population

ENDPOINT: Final = "#D55E00"
#: Inches: height of a row, indentation of a level, where the gates in words begin.
ROW, INDENT, RULES = 0.165, 0.15, 2.9


def template_tree(template: GatingTemplate | str | Path) -> Figure:
    """Draw the populations of a template, one a line below its parent.

    A filled dot is a population that is reported, an open one a step on the way, an orange one an endpoint. Beside it stands its
    gate in words.

    Parameters
    ----------
    template
        From :func:`il2cyto.io.read_template`, or what that takes: the name of a shipped one, or the path of a YAML file.

    Examples
    --------
    >>> figure = template_tree("tbnk")
    >>> "CD4" in [text.get_text() for text in figure.axes[0].texts]
    True
    """
    from matplotlib.figure import Figure

    if isinstance(template, (str, Path)):
        template = read_template(template)
    rows = list(_rows(template, ROOT, 0))
    height = ROW * (len(rows) + 2)
    with theme():
        figure = Figure(figsize=(DOUBLE_COLUMN, height))
        ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        ax.set_axis_off()
        ax.set_xlim(0, DOUBLE_COLUMN)
        ax.set_ylim(height, 0)
        ax.text(0.1, ROW, printable(f"{template.name} {template.version}", limit=60), va="center", weight="bold")
        last_at: dict[int, float] = {0: ROW}
        for i, (population, depth) in enumerate(rows):
            y, x = ROW * (i + 2), 0.1 + INDENT * (depth + 1)
            if depth:
                trunk = x - INDENT
                ax.plot([trunk, trunk, x], [last_at[depth], y, y], color=GREY, linewidth=0.6, zorder=1)
            last_at[depth + 1] = y
            colour = ENDPOINT if population.endpoint else INK
            face = colour if population.report else "white"
            ax.plot(x, y, marker="o", markersize=3.5, color=face, markeredgecolor=colour, markeredgewidth=0.7, zorder=2)
            ax.text(x + 0.08, y, printable(population.name, limit=40), va="center", color=colour)
            ax.text(RULES, y, printable(rule_in_words(population), limit=110), va="center", color=GREY, size=6)
    return figure


def _rows(template: GatingTemplate, parent: str, depth: int) -> Iterator[tuple[Population, int]]:
    for population in template.populations:
        if population.parent == parent:
            yield population, depth
            yield from _rows(template, population.name, depth + 1)


def rule_in_words(population: Population) -> str:
    """Say what a population's gate keeps, in the words of a methods section."""
    gate = population.gate
    match gate:
        case None:
            return population.where or ""
        case RefGate():
            other = "" if gate.keep is None else f", {gate.keep}"
            return f"gate of {gate.of}{other}"
        case CornerGate():
            slant = f", slanted by {gate.slant:g}°" if gate.slant else ""
            return f"{_cut(gate.x, gate.keep[0])}; {_cut(gate.y, gate.keep[1])}{slant}"
        case Cut1D() | FixedGate():
            return _cut(gate, gate.keep)
        case SingletGate():
            return f"{gate.level:.1%} band of {gate.height} on {gate.area}"
        case TMix2dGate():
            return (
                f"{' and '.join(gate.keys)}: {gate.quantile:.0%} of component {gate.target + 1} of {len(gate.centers)}"
            )
        case ReferenceLineGate():
            x, y = gate.channels
            return f"{y} {gate.keep} a line in {x}, {_above_line(gate)} the line of {gate.reference}"
        case BoundaryGate():
            return f"{' and '.join(gate.keys)}: not at an edge of the range"
        case _:
            return f"{gate.method} in {' and '.join(gate.keys)}"


def _above_line(gate: ReferenceLineGate) -> str:
    steps = [f"{gate.k:g} MAD"] * (gate.k != 0) + [f"{gate.shift:g}"] * (gate.shift != 0)
    return f"{' + '.join(steps)} above"


def _cut(gate: Gate, keep: str) -> str:
    return f"{gate.keys[0] if gate.keys else getattr(gate, 'channel', '')} {keep} {_position(gate)}"


def _position(gate: Gate) -> str:
    match gate:
        case RefAxis():
            return f"the cut of {gate.of}"
        case FixedGate():
            return f"{gate.at:g}"
        case ReferenceRule():
            at = (
                f"quantile {gate.q:g}"
                if gate.k is None
                else f"median {'+' if gate.k >= 0 else '−'} {abs(gate.k):g} MAD"
            )
            return f"{at} of {gate.reference}"
        case QuantileRule():
            return f"quantile {gate.q:g}"
        case TailRule():
            return f"the {gate.side} tail of the {gate.peak} peak"
        case FmoGate():
            return f"quantile {gate.quantile:g} of the FMO control"
        case TMix1dGate():
            return f"the crossing of components {gate.between[0]} and {gate.between[1]} of {gate.components}"
        case _:
            return f"the {gate.method}"

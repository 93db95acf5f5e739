"""The whole gating hierarchy of one sample on one sheet."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Final

from matplotlib.figure import Figure

from il2cyto._keys import ROOT
from il2cyto.pl._gated import GatedCohort
from il2cyto.pl._sample_events import SampleEvents, open_sample
from il2cyto.pl._theme import DOUBLE_COLUMN, GREY, INK, MM, add_footer, printable, theme
from il2cyto.template import RefGate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from anndata import AnnData
    from matplotlib.axes import Axes

    from il2cyto.io import Density

COLUMNS: Final = 5
TILE: Final = 38 * MM


def gate_sheet(
    adata: AnnData,
    densities: Mapping[str, Mapping[str, Density]],
    *,
    sample: str,
    file: str | Path | None = None,
) -> Figure:
    """Draw every gate of a sample, parents before their children.

    One tile for each gate: its parent's events in pseudocolour with the gate on them, the population's name and its percentage
    of the parent. The line is the final cut; where this file's own was another, it is dotted. Gates that a person set are
    dashed. A flagged tile has a frame and names its flags. A boolean population is a tile of text.

    Parameters
    ----------
    adata
        Cohort object.
    densities
        Of :func:`il2cyto.io.read_densities`, or of the gated study.
    sample
        Which one.
    file
        The sample's FCS file. With it, events are drawn one by one in place of the stored bins, and a boolean of gates on two
        channels is drawn on both of them.

    Returns
    -------
    The figure, 183 mm wide.

    Raises
    ------
    SchemaError
        The sample is not in the object, or has no densities.
    FcsError, PanelError
        The file cannot be read, or is not of the sample's panel.
    """
    cohort = GatedCohort.of(adata, densities)
    cohort.require(caller="gate_sheet", sample=sample)
    events = None if file is None else SampleEvents.of(cohort, open_sample(cohort, file, sample=sample), sample=sample)
    names = [name for name in _tree_order(cohort, ROOT) if not _is_complement(cohort, name)]
    rows = -(-len(names) // COLUMNS)
    with theme():
        figure = Figure(figsize=(DOUBLE_COLUMN, rows * TILE + 8 * MM), layout="constrained")
        panels = list(figure.subplots(rows, COLUMNS, squeeze=False).flat)
        for ax, name in zip(panels, names, strict=False):
            drawn = events is not None and events.draw(ax, name)
            if drawn or name in cohort.gated:
                if not drawn:
                    _draw_bins(ax, cohort, sample, name)
                _mark(ax, cohort, sample, name)
            else:
                _write_boolean(ax, cohort, sample, name)
        for ax in panels[len(names) :]:
            ax.set_axis_off()
        figure.suptitle(printable(sample), x=0.01, ha="left", size=8, weight="bold")
        caption = (
            "Black: final gate; dotted: the file's own cut where it differs; dashed: set by a person; framed: flagged. "
            "Percentages are of the parent, whose name heads the tile; ≈ read from the histogram."
        )
        add_footer(figure, caption, simulated=cohort.simulated)
    return figure


def _tree_order(cohort: GatedCohort, parent: str) -> list[str]:
    found = []
    for population in cohort.template.populations:
        if population.parent == parent:
            found += [population.name, *_tree_order(cohort, population.name)]
    return found


def _is_complement(cohort: GatedCohort, name: str) -> bool:
    """Whether a population is the other side of a gate that is drawn already."""
    gate = cohort.template.by_name[name].gate
    return isinstance(gate, RefGate) and name in cohort.complements(gate.of)


def _draw_bins(ax: Axes, cohort: GatedCohort, sample: str, name: str) -> None:
    view = cohort.densities[sample].get(name)
    cohort.draw(ax, sample, name)
    if view is None:
        return
    across, up = cohort.scales(name)
    across.draw(ax.xaxis, size=5)
    up.draw(ax.yaxis)
    ax.set_xlabel(printable(view.x, limit=20))
    ax.set_ylabel(printable(view.y, limit=20))
    counts = view.counts if view.y or view.histogram is None else view.histogram
    ax.set_title(f"{int(counts.sum()):,}", loc="right")


def _mark(ax: Axes, cohort: GatedCohort, sample: str, name: str) -> None:
    ax.tick_params(labelsize=5, pad=1)
    for axis in (ax.xaxis, ax.yaxis):
        axis.label.set_fontsize(6)
        axis.labelpad = 1
    ax.set_title(ax.get_title(loc="right").removeprefix("n = "), loc="right", size=5, color=GREY)
    parent = cohort.template.by_name[name].parent
    ax.set_title("all events" if parent == ROOT else printable(parent, limit=20), loc="left", size=6.5, weight="bold")
    flags = cohort.warnings(sample, name)
    if flags:
        cohort.frame(ax)
        text = "\n".join(printable(flag, limit=24) for flag in flags[:3])
        ax.text(0.02, 0.02, text, size=4.5, va="bottom", transform=ax.transAxes, zorder=5, weight="bold").set_bbox(
            {"facecolor": "white", "alpha": 0.85, "linewidth": 0, "pad": 1}
        )


def _write_boolean(ax: Axes, cohort: GatedCohort, sample: str, name: str) -> None:
    population = cohort.template.by_name[name]
    ax.set_axis_off()
    rule = textwrap.fill(printable(population.where or "not seen in this panel", limit=90), 24)
    share = cohort.share(sample, name) if (sample, name) in cohort.fractions else ""
    parent = "all events" if population.parent == ROOT else printable(population.parent, limit=18)
    look: dict[str, Any] = {"transform": ax.transAxes, "va": "top", "color": INK}
    ax.text(0, 0.95, f"{printable(name, limit=18)}  {share}".rstrip(), weight="bold", size=7, **look)
    text = "\n".join([f"of {parent}:", rule, *(f"[{flag}]" for flag in cohort.warnings(sample, name)[:3])])
    ax.text(0, 0.8, text, size=6, linespacing=1.3, **look)

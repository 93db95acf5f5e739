"""A sample beside its FMO control: what the marker's own stain adds to the spread of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter1d

from il2cyto._populations import require_populations
from il2cyto.errors import FcsError, PopulationError, SchemaError
from il2cyto.io import open_fcs
from il2cyto.pl._gated import HALO, GatedCohort
from il2cyto.pl._gates import CUT, density, percent
from il2cyto.pl._outlines import owned_gate
from il2cyto.pl._sample_events import SECOND, SampleEvents, open_sample
from il2cyto.pl._scales import Scale, spec_of
from il2cyto.pl._theme import DOUBLE_COLUMN, GREY, INK, MM, add_footer, printable, theme
from il2cyto.pp import transform

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    from anndata import AnnData
    from matplotlib.axes import Axes

    FloatArray = npt.NDArray[np.float64]

BINS = 256


def fmo(adata: AnnData, *, population: str, sample: str, file: str | Path, control: str | Path) -> Figure:
    """Draw a gate on a sample's events, on those of the control stained without its marker, and both as densities.

    Parameters
    ----------
    adata
        Cohort object.
    population
        Whose gate: a cut on one channel.
    sample
        The sample; its final cuts gate both files.
    file
        The sample's FCS file.
    control
        The FMO control's FCS file, of the same channels in the same order.

    Returns
    -------
    The figure, 183 mm wide. Percentages are of the parent: what lies beyond the cut in the control is background.

    Raises
    ------
    PopulationError
        The population is unknown, or its gate is not a cut on one channel.
    SchemaError
        The sample is not in the object.
    FcsError
        A file cannot be read, is not the sample's, or the control's channels are others than the sample's.
    """
    cohort = GatedCohort.of(adata, {})
    require_populations(cohort.template.by_name, [population], caller="fmo")
    gate, _, keep = owned_gate(cohort.template, population)
    if gate is None or len(gate.keys) != 1 or keep not in ("above", "below"):
        msg = f"fmo: the gate of {population!r} is not a cut on one channel; choose a population with such a gate."
        raise PopulationError(msg)
    if sample not in adata.obs_names:
        msg = f"fmo: no sample {sample!r}; the object has {', '.join(map(str, adata.obs_names))}."
        raise SchemaError(msg)
    opened, other = open_sample(cohort, file, sample=sample), open_fcs(control)
    if [channel.name for channel in opened.channels] != [channel.name for channel in other.channels]:
        remedy = "Give the control that was acquired with the sample's settings."
        raise FcsError(other.name, "$PnN", f"other channels than {opened.name}", remedy)
    stained = SampleEvents.of(cohort, opened, sample=sample)
    minus_one = SampleEvents.of(cohort, other, sample=sample, plan=stained.tree.plan)
    with theme():
        figure = Figure(figsize=(DOUBLE_COLUMN, 66 * MM), layout="constrained")
        panels = figure.subplots(1, 3)
        shares = []
        second = _second(stained, gate.keys[0])
        heights = Scale.within(
            spec_of(adata, cohort.template, second), _range((stained, minus_one), second, population)
        )
        for ax, events, title in zip(panels, (stained, minus_one), ("Sample", "FMO control"), strict=False):
            share = _share(events, population)
            shares.append(share)
            _draw_events(ax, events, population, (gate.keys[0], second), title, share, right=keep == "above")
            heights.draw(ax.yaxis)
        _draw_densities(panels[2], cohort, stained, minus_one, population, gate.keys[0])
        parent = printable(cohort.template.by_name[population].parent, limit=24)
        name = printable(population, limit=30)
        caption = (
            f"{printable(sample, limit=40)}: {name}, % of {parent}: {percent(shares[0])} in the sample, {percent(shares[1])} in the "
            "control without this stain. Both are gated with the sample's cuts."
        )
        add_footer(figure, caption, simulated=cohort.simulated or opened.simulated)
    return figure


def _share(events: SampleEvents, population: str) -> float:
    node = events.tree.nodes[population]
    return node.count / node.parent_count if node.evaluable and node.parent_count else float("nan")


def _second(events: SampleEvents, key: str) -> str:
    found = [name for name in SECOND if name in events.tree.plan.channels and name != key]
    if not found:
        msg = f"fmo: neither {' nor '.join(SECOND)} is in the files, so there is no second axis; use pl.histogram."
        raise SchemaError(msg)
    return found[0]


def _range(both: tuple[SampleEvents, ...], key: str, population: str) -> tuple[float, float]:
    """Where the parent's events lie on an axis in either file, on the template's scale."""
    cohort = both[0].cohort
    parent = cohort.template.by_name[population].parent
    values = np.concatenate([events.linear(key, parent) for events in both])
    found = transform(values, spec_of(cohort.adata, cohort.template, key))
    found = found[np.isfinite(found)]
    low, high = (float(found.min()), float(found.max())) if found.size else (0.0, 1.0)
    margin = 0.1 * (high - low) or 0.1
    return low - margin, high + 3 * margin


def _draw_events(
    ax: Axes, events: SampleEvents, population: str, keys: tuple[str, str], title: str, share: float, *, right: bool
) -> None:
    cohort = events.cohort
    parent = cohort.template.by_name[population].parent
    spec_x, spec_y = (spec_of(cohort.adata, cohort.template, name) for name in keys)
    x, y = (events.linear(name, parent) for name in keys)
    density(ax, x, y, spec_x=spec_x, spec_y=spec_y, label_x=keys[0], label_y=keys[1], title=title)
    cohort.draw_gate(ax, events.sample, population, keys)
    text = f"{printable(population, limit=20)}\n{percent(share)}" if np.isfinite(share) else "not evaluable"
    look: dict[str, Any] = {"transform": ax.transAxes, "va": "top", "size": 6.5, "path_effects": list(HALO)}
    ax.text(0.98 if right else 0.02, 0.98, text, ha="right" if right else "left", zorder=4, **look)


def _draw_densities(
    ax: Axes, cohort: GatedCohort, stained: SampleEvents, minus_one: SampleEvents, population: str, key: str
) -> None:
    parent = cohort.template.by_name[population].parent
    spec = spec_of(cohort.adata, cohort.template, key)
    values = [transform(events.linear(key, parent), spec) for events in (stained, minus_one)]
    scale = Scale.of(spec, np.concatenate(values))
    edges = np.linspace(scale.low, scale.high, BINS + 1)
    middle = (edges[1:] + edges[:-1]) / 2
    for x, colour, dashes, label in zip(values, (CUT, GREY), ("-", "--"), ("sample", "FMO control"), strict=True):
        counts, _ = np.histogram(np.clip(x, scale.low, scale.high), edges)
        curve = gaussian_filter1d(counts / max(len(x), 1), 2.0)
        ax.fill_between(middle, curve, color=colour, alpha=0.25, linewidth=0)
        ax.plot(middle, curve, color=colour, linestyle=dashes, linewidth=1.0, label=label)
    cohort.draw_gate(ax, stained.sample, population, (key, ""))
    scale.draw(ax.xaxis)
    ax.set(xlabel=printable(key, limit=30), yticks=[], ylabel=f"density of {printable(parent, limit=24)}")
    ax.set_ylim(0, ax.get_ylim()[1] * 1.2)
    ax.legend(handles=[line for line in ax.lines if line.get_label() in ("sample", "FMO control")], fontsize=6)
    ax.set_title("Overlay", loc="left")
    ax.yaxis.label.set_color(INK)

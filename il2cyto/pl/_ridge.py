"""Densities of one channel stacked in a ridge, with the cuts on them: whether a batch drifts, and whether its cut follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.ndimage import gaussian_filter1d

from il2cyto._keys import Obs
from il2cyto.errors import PopulationError
from il2cyto.pl._gated import GatedCohort
from il2cyto.pl._gates import CUT
from il2cyto.pl._order import ordered
from il2cyto.pl._outlines import owned_gate
from il2cyto.pl._theme import GREY, INK, MM, SINGLE_COLUMN, add_footer, printable, theme
from il2cyto.template._cuts import Cut1D

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt
    from anndata import AnnData
    from matplotlib.axes import Axes

    from il2cyto.io import Density

    FloatArray = npt.NDArray[np.float64]

#: How far a ridge reaches above its line, in distances of lines.
REACH: Final = 1.6
SMOOTH: Final = 2.0


def ridge(
    adata: AnnData,
    densities: Mapping[str, Mapping[str, Density]],
    *,
    population: str,
    by: Literal["batch", "sample"] = "batch",
) -> Figure:
    """Stack the densities of a gate's channel, one ridge for each batch or sample, with their final and own cuts.

    Parameters
    ----------
    adata
        Cohort object.
    densities
        Of :func:`il2cyto.io.read_densities`, or of the gated study.
    population
        Whose gate: one on a single channel.
    by
        One ridge for each batch, in which every sample weighs the same, or for each sample.

    Returns
    -------
    The figure, 89 mm wide: lines are final cuts, ticks below the files' own, the band within the template's bounds is pale.
    Ridges have the same area, smoothed a little.

    Raises
    ------
    PopulationError
        The population is unknown, or its gate is not on a single channel.
    SchemaError
        The object has no batches.
    """
    cohort = GatedCohort.of(adata, densities)
    cohort.require(caller="ridge", population=population)
    gate = owned_gate(cohort.template, population).gate
    if gate is None or len(gate.keys) != 1:
        msg = f"ridge: the gate of {population!r} is on {', '.join(gate.keys) if gate else 'no channel'}; choose one on a single channel."
        raise PopulationError(msg)
    groups = _groups(cohort, population, by)
    with theme():
        step = 9 * MM if by == "batch" else 4.5 * MM
        figure = Figure(figsize=(SINGLE_COLUMN, step * (len(groups) + REACH) + 22 * MM), layout="constrained")
        ax = figure.subplots()
        if isinstance(gate, Cut1D):
            ax.axvspan(*gate.bounds, color="#F0F0F0", linewidth=0, zorder=0)
        for row, samples in enumerate(reversed(groups.values())):
            _draw_ridge(ax, cohort, samples, population, row)
        across, _ = cohort.scales(population)
        across.draw(ax.xaxis)
        ax.set_yticks(range(len(groups)), [printable(name, limit=20) for name in reversed(groups)])
        ax.set_ylim(-0.35, len(groups) - 1 + REACH + 0.1)
        ax.tick_params(axis="y", length=0, labelsize=6.5 if by == "batch" else 5)
        ax.spines["left"].set_visible(False)
        ax.set_xlabel(printable(gate.keys[0], limit=30))
        parent = printable(cohort.template.by_name[population].parent, limit=24)
        ax.set_title(f"{printable(population, limit=30)} of {parent}", loc="left", weight="bold")
        handles = [
            Line2D([], [], color=INK, linewidth=1.2, label="final cut"),
            Line2D([], [], color=CUT, marker="|", linestyle="none", markersize=5, label="own cut"),
        ]
        figure.legend(handles=handles, loc="outside upper right", ncols=2, fontsize=6)
        shown = "pale band: bounds of the template. " if isinstance(gate, Cut1D) else ""
        caption = f"Densities of {parent}, equal areas, by {by}; {shown}"
        add_footer(figure, f"{caption.rstrip('; ').rstrip('.')}.", simulated=cohort.simulated)
    return figure


def _groups(cohort: GatedCohort, population: str, by: str) -> dict[str, list[str]]:
    samples = [sample for sample in cohort.samples if population in cohort.densities[sample]]
    if by == "sample":
        key = (Obs.BATCH,) if Obs.BATCH in cohort.adata.obs else ()
        return {sample: [sample] for sample in ordered(cohort.adata, samples, key, caller="ridge")}
    found: dict[str, list[str]] = {}
    for sample in ordered(cohort.adata, samples, (by,), caller="ridge"):
        found.setdefault(str(cohort.adata.obs.at[sample, by]), []).append(sample)
    return found


def _draw_ridge(ax: Axes, cohort: GatedCohort, samples: list[str], population: str, row: int) -> None:
    curves = [_density_of(cohort.densities[sample][population]) for sample in samples]
    x, height = curves[0][0], np.mean([y for _, y in curves], axis=0)
    scale = REACH / max(float(height.max()), 1e-12)
    zorder = 3 - 0.001 * row
    ax.fill_between(x, row, row + height * scale, color="#C9D5E0", alpha=0.85, linewidth=0, zorder=zorder)
    ax.plot(x, row + height * scale, color=GREY, linewidth=0.6, zorder=zorder, label="_density")
    found = [cohort.cuts_of(sample, population) for sample in samples]
    final, own = (
        np.array([_finite(positions.get("cut")) for positions in kind])
        for kind in zip(*((c.final, c.own) for c in found), strict=True)
    )
    # Cuts lie over all ridges: one that is hidden by its neighbour cannot be compared.
    ax.vlines(final, row - 0.02, row + 0.75, color=INK, linewidth=0.7, zorder=4, label="_final")
    look: dict[str, Any] = {"marker": "|", "linestyle": "none", "markersize": 4, "markeredgewidth": 0.6, "alpha": 0.7}
    ax.plot(own, np.full(len(own), row - 0.15), color=CUT, zorder=4, label="_own", **look)


def _density_of(view: Density) -> tuple[FloatArray, FloatArray]:
    """Centres of the bins and the density of their events, with area 1; 0 where there is no event."""
    counts = view.counts.sum(axis=1, dtype=np.float64) if view.histogram is None else view.histogram.astype(np.float64)
    edges = np.linspace(*view.x_limits, len(counts) + 1)
    total = max(float(counts.sum()), 1.0)
    return (edges[1:] + edges[:-1]) / 2, gaussian_filter1d(counts, SMOOTH * len(counts) / 256) / total


def _finite(value: float | None) -> float:
    return float("nan") if value is None else value

"""A gated cohort as pictures: each gate on the stored, binned events of each sample."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.patches import Polygon
from matplotlib.patheffects import withStroke

from il2cyto import get
from il2cyto._keys import ROOT, Obs, Uns
from il2cyto._populations import require_populations
from il2cyto.errors import SchemaError
from il2cyto.pl._gates import CUT, PALETTE, percent
from il2cyto.pl._outlines import AXES, NOTICES, Cuts, corners_of, owned_gate
from il2cyto.pl._scales import Scale, spec_of
from il2cyto.pl._theme import GREY, INK, printable
from il2cyto.template import FixedGate, ReferenceLineGate, RefGate

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt
    from anndata import AnnData
    from matplotlib.axes import Axes

    from il2cyto.io import Density
    from il2cyto.template import GatingTemplate

    FloatArray = npt.NDArray[np.float64]
    Densities = Mapping[str, Mapping[str, Density]]

HALO: Final = (withStroke(linewidth=1.5, foreground="white"),)
#: A flag is a frame of another colour and the word itself: colour is never alone.
FLAGGED: Final = CUT


@dataclass(frozen=True)
class GatedCohort:
    """What is known of each gate in each sample of a cohort object."""

    adata: AnnData
    densities: Densities
    template: GatingTemplate
    cuts: Mapping[tuple[str, str], Cuts]
    fractions: Mapping[tuple[str, str], float]
    flags: Mapping[tuple[str, str], tuple[str, ...]]
    polygons: Mapping[str, Mapping[str, list[tuple[float, float]]]]
    _limits: dict[str, tuple[float, float]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, adata: AnnData, densities: Densities) -> GatedCohort:
        """Collect cuts, fractions, flags and hand-drawn gates out of a cohort object."""
        frame = get.frequencies(adata).select(Obs.SAMPLE, "population", "frequency", "flags")
        rows = frame.rows()
        return cls(
            adata,
            densities,
            get.template(adata),
            _cuts(adata),
            {(sample, population): frequency for sample, population, frequency, _ in rows},
            {(sample, population): tuple(filter(None, flags.split(";"))) for sample, population, _, flags in rows},
            json.loads(str(adata.uns[Uns.IL2CYTO].get(Uns.POLYGONS, "{}"))),
        )

    @property
    def simulated(self) -> bool:
        """Whether no patient gave these data."""
        return bool(self.adata.uns[Uns.IL2CYTO].get(Uns.SIMULATED, False))

    @cached_property
    def _serious(self) -> set[str]:
        legend = self.adata.uns[Uns.IL2CYTO][Uns.FLAGS]
        return set(legend.index[legend["severity"] != "info"])

    def require(self, *, caller: str, population: str | None = None, sample: str | None = None) -> None:
        """Raise one error for a population without a gate to look at, or a sample without densities."""
        if population is not None:
            require_populations(self.gated, [population], caller=caller)
        if sample is not None and sample not in self.samples:
            msg = f"{caller}: no sample {sample!r} with densities; choose one of {', '.join(self.samples)}."
            raise SchemaError(msg)

    @property
    def samples(self) -> list[str]:
        """Samples of the object that have densities, in its order."""
        return [str(name) for name in self.adata.obs_names if str(name) in self.densities]

    @cached_property
    def gated(self) -> list[str]:
        """Populations whose gate can be seen in some sample, in the order of the template."""
        seen = {name for sample in self.samples for name in self.densities[sample]}
        return [p.name for p in self.template.populations if p.name in seen]

    def complements(self, population: str) -> list[str]:
        """Populations of the same parent that are the other side of a population's gate."""
        own = self.template.by_name[population]
        return [
            p.name
            for p in self.template.populations
            if isinstance(p.gate, RefGate) and p.gate.of == population and p.parent == own.parent and p.gate.keep
        ]

    def label(self, population: str) -> str:
        """The name that a population has on paper."""
        if population == ROOT:
            return "all events"
        return self.template.by_name[population].label or population

    def cuts_of(self, sample: str, population: str) -> Cuts:
        """Cuts of the gate of a population, which may stand under the name of another one."""
        return self.cuts.get((sample, owned_gate(self.template, population).owner), Cuts())

    def manual(self, sample: str, population: str) -> bool:
        """Whether a person set the gate in this sample."""
        found = {*self.flags.get((sample, population), ()), *self.cuts_of(sample, population).flags}
        return "MANUAL" in found or population in self.polygons.get(sample, {})

    def warnings(self, sample: str, population: str) -> list[str]:
        """Flags of a gate or its population that are worth a look, without notices."""
        found = (*self.cuts_of(sample, population).flags, *self.flags.get((sample, population), ()))
        return [flag for flag in dict.fromkeys(found) if flag in self._serious]

    def share(self, sample: str, population: str) -> str:
        """Write the fraction of the parent; where it is not among the results, what the histogram says of the cut, as "≈"."""
        fraction = self.fractions.get((sample, population))
        if fraction is not None:
            return percent(fraction) if np.isfinite(fraction) else "not evaluable"
        gate, _, keep = owned_gate(self.template, population)
        view, cut = self.densities[sample].get(population), self.cuts_of(sample, population).final.get("cut")
        if gate is None or view is None or view.histogram is None or cut is None or keep not in ("above", "below"):
            return ""
        above = share_above(view.histogram, view.x_limits, cut)
        return f"≈ {percent(above if keep == 'above' else 1 - above)}" if np.isfinite(above) else ""

    def draw(self, ax: Axes, sample: str, population: str, *, size: float = 5.5, names: bool = True) -> None:
        """Draw one gate on its parent's binned events: image, outline or cuts, names with their share, frame if flagged."""
        view = self.densities[sample].get(population)
        if view is None:
            ax.set_xticks([])
            ax.set_yticks([])
            ax.text(0.5, 0.5, "not evaluable", ha="center", va="center", size=size, transform=ax.transAxes, color=GREY)
        else:
            draw_density(ax, view)
            if view.y:
                ax.set_ylim(self.occupied(population))
            self.draw_gate(ax, sample, population, (view.x, view.y))
            if names:
                self.write_names(ax, sample, population, size)
        if self.warnings(sample, population):
            self.frame(ax)

    @staticmethod
    def frame(ax: Axes) -> None:
        """Put the frame of a flag around a tile."""
        for spine in ax.spines.values():
            spine.set(color=FLAGGED, linewidth=1.6, visible=True)

    def view(self, population: str) -> Density:
        """The axes on which a gate is seen, which are the same in all samples."""
        return next(own[population] for own in map(self.densities.__getitem__, self.samples) if population in own)

    def scales(self, population: str) -> tuple[Scale, Scale]:
        """Axes of a gate's picture, with ticks in the units of the cytometer; the second without any where it has no channel."""
        view = self.view(population)
        x = Scale.within(spec_of(self.adata, self.template, view.x), view.x_limits)
        if not view.y:
            return x, Scale(0.0, 1.3, np.empty(0), (), np.empty(0))
        return x, Scale.within(spec_of(self.adata, self.template, view.y), self.occupied(population))

    def occupied(self, population: str) -> tuple[float, float]:
        """Limits of the second axis: where a gate is on the first alone, what no sample has events in is cut off."""
        if population not in self._limits:
            self._limits[population] = self._occupied(population)
        return self._limits[population]

    def _occupied(self, population: str) -> tuple[float, float]:
        view, gate = self.view(population), owned_gate(self.template, population).gate
        seen = [self.densities[sample][population] for sample in self.samples if population in self.densities[sample]]
        filled = np.flatnonzero(np.any([own.counts.any(axis=0) for own in seen], axis=0))
        if gate is None or len(gate.keys) > 1 or not filled.size:
            return view.y_limits
        edges = np.linspace(*view.y_limits, view.counts.shape[1] + 1)
        return float(edges[max(filled[0] - 1, 0)]), float(edges[min(filled[-1] + 2, len(edges) - 1)])

    def draw_gate(self, ax: Axes, sample: str, population: str, keys: tuple[str, str]) -> None:
        """Draw a gate on axes that show two channels: its outline, or its cuts as lines across the one that they divide."""
        gate = owned_gate(self.template, population).gate
        if gate is None:
            return
        cuts, drawn = self.cuts_of(sample, population), self.polygons.get(sample, {}).get(population)
        style = "--" if self.manual(sample, population) else "-"
        corners = np.array(drawn) if drawn else corners_of(gate, cuts.final, ax.get_xlim(), ax.get_ylim())
        look: dict[str, Any] = {"linestyle": style, "linewidth": 0.8, "zorder": 3, "path_effects": HALO}
        if corners is not None:
            # Outlines of one channel's interval are boxes over both; on swapped axes they turn.
            turned = corners[:, ::-1] if gate.keys[0] != keys[0] else corners
            ax.add_patch(Polygon(turned, fill=False, edgecolor=INK, **look))
            return
        if isinstance(gate, ReferenceLineGate):
            return  # its cut is the height of a slanted line
        final = {"cut": gate.at} if isinstance(gate, FixedGate) else cuts.final
        for name, value in final.items():
            if name not in AXES:
                continue
            across = (AXES[name] == "x") == (gate.keys[0] == keys[0])
            line, own = ax.axvline if across else ax.axhline, cuts.own.get(name)
            if own is not None and np.isfinite(own) and own != value:
                line(own, color=CUT, **{**look, "linestyle": ":", "zorder": 2.9}, label="own")
            if value is not None and np.isfinite(value):
                line(value, color=INK, **look, label="final")

    def write_names(self, ax: Axes, sample: str, population: str, size: float = 5.5) -> None:
        """Write the population's name and share on the side that it lies on, and what lies on the other."""
        keep = owned_gate(self.template, population).keep
        manual = " (manual)" if self.manual(sample, population) else ""
        right = keep != "below"
        text = f"{printable(population, limit=18)}{manual}\n{self.share(sample, population)}".rstrip()
        self._write(ax, text, size, right=right)
        for other in self.complements(population):
            text = f"{printable(other, limit=18)}\n{self.share(sample, other)}".rstrip()
            self._write(ax, text, size, right=not right)

    def _write(self, ax: Axes, text: str, size: float, *, right: bool) -> None:
        look: dict[str, Any] = {"size": size, "transform": ax.transAxes, "path_effects": list(HALO), "zorder": 4}
        ax.text(0.98 if right else 0.02, 0.98, text, va="top", ha="right" if right else "left", **look)


def draw_density(ax: Axes, view: Density) -> None:
    """Draw stored bins: counts on a logarithmic scale, or bars where there is no second axis; the axes end with the bins."""
    if view.y:
        counts = view.counts.T.astype(np.float64)
        extent = (*view.x_limits, *view.y_limits)
        shown = np.ma.masked_equal(np.log1p(counts), 0)
        look: dict[str, Any] = {"cmap": PALETTE, "interpolation": "nearest", "aspect": "auto", "vmin": 0, "zorder": 1}
        ax.imshow(shown, extent=extent, origin="lower", **look)
        ax.set(xlim=view.x_limits, ylim=view.y_limits)
        return
    bars = np.zeros(1) if view.histogram is None else view.histogram.astype(np.float64)
    edges = np.linspace(*view.x_limits, len(bars) + 1)
    ax.stairs(bars / max(bars.max(), 1.0), edges, fill=True, color=GREY, alpha=0.6)
    ax.set(xlim=view.x_limits, ylim=(0, 1.3))


def share_above(histogram: npt.NDArray[np.uint32], limits: tuple[float, float], cut: float) -> float:
    """Share of a histogram above a cut, its bin divided in proportion; NaN without events.

    Examples
    --------
    >>> share_above(np.array([2, 2, 4], np.uint32), (0.0, 3.0), 1.5)
    0.625
    """
    total = float(histogram.sum())
    if not total or not np.isfinite(cut):
        return float("nan")
    edges = np.linspace(*limits, len(histogram) + 1)
    below = np.interp(cut, edges, np.concatenate([[0.0], np.cumsum(histogram, dtype=np.float64)]))
    return float(1 - below / total)


def _cuts(adata: AnnData) -> dict[tuple[str, str], Cuts]:
    found: dict[tuple[str, str], tuple[dict[str, float | None], dict[str, float | None], set[str]]] = {}
    columns = ("sample", "population", "coordinate", "value", "proposal", "flags")
    for sample, population, coordinate, value, proposal, flags in get.cuts(adata).select(columns).iter_rows():
        final, own, names = found.setdefault((sample, population), ({}, {}, set()))
        final[coordinate], own[coordinate] = value, proposal
        names |= set(filter(None, flags.split(";"))) - NOTICES
    return {key: Cuts(final, own, {}, tuple(sorted(names))) for key, (final, own, names) in found.items()}

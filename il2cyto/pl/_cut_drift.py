"""A gate's cuts in the order of the batches: where they drift, and what reconciling them did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from il2cyto import get
from il2cyto._keys import Obs, Uns
from il2cyto._populations import require_populations
from il2cyto.errors import PopulationError
from il2cyto.pl._gates import CUT
from il2cyto.pl._order import ordered
from il2cyto.pl._outlines import AXES
from il2cyto.pl._scales import Scale, spec_of
from il2cyto.pl._theme import DOUBLE_COLUMN, GREY, INK, MM, PERIOD, add_footer, printable, theme
from il2cyto.template import ReferenceLineGate

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes

CONTROL: Final = "#0072B2"
#: Flags of own cuts that had no say in their group's.
_UNUSABLE: Final = "OUTLIER_CUT|CONSENSUS|FIXED"


def cut_drift(adata: AnnData, *, population: str, coordinate: str | None = None) -> Figure:
    """Draw a gate's cut in every sample, batch after batch.

    Parameters
    ----------
    adata
        Cohort object.
    population
        Whose cut.
    coordinate
        Which number of the gate, where it has several: "cut", "x", "y", "intercept"; the first if None.

    Returns
    -------
    The figure, 183 mm wide. Open circles with their bootstrap spread are the files' own cuts, dots the final ones, diamonds
    those of bridging controls; a grey line is the median of the batch's own cuts without those flagged OUTLIER_CUT, CONSENSUS or
    FIXED; triangles were moved to a bound, crosses are files without a cut. Where cuts come near the template's bounds, those are dashed lines.

    Raises
    ------
    PopulationError
        The population is not in the object, or no cut of it was fitted; or it has no such coordinate.
    """
    cuts = get.cuts(adata)
    require_populations(cuts["population"].unique(maintain_order=True), [population], caller="cut_drift")
    own = cuts.filter(pl.col("population") == population)
    names = own["coordinate"].unique(maintain_order=True).to_list()
    if coordinate not in (None, *names):
        msg = f"cut_drift: {population!r} has no coordinate {coordinate!r}; choose one of {', '.join(names)}."
        raise PopulationError(msg)
    coordinate = coordinate or names[0]
    by = (Obs.BATCH,) if Obs.BATCH in adata.obs else ()
    order = ordered(adata, [str(name) for name in adata.obs_names], by, caller="cut_drift")
    place = {sample: i for i, sample in enumerate(order)}
    rows = own.filter(pl.col("coordinate") == coordinate).with_columns(
        pl.col("sample").replace_strict(place).alias("x"), pl.col(Obs.BATCH).fill_null("")
    )
    rows = rows.sort("x")
    with theme():
        figure = Figure(figsize=(DOUBLE_COLUMN, 62 * MM), layout="constrained")
        ax = figure.subplots()
        _draw_batches(ax, rows)
        _draw_cuts(ax, rows, _controls(adata))
        _label_axes(ax, adata, rows, population, coordinate)
        figure.legend(loc="outside upper right", ncols=6, fontsize=6, handletextpad=0.3, columnspacing=1.0)
        caption = (
            f"{rows.height} samples, batch after batch. Bars: bootstrap spread of the own cut. Grey line: median of the batch's own "
            "cuts, without outliers and files that had none. Dashed, where near: bounds of the template."
        )
        add_footer(figure, caption, simulated=bool(adata.uns[Uns.IL2CYTO].get(Uns.SIMULATED, False)))
    return figure


def _draw_batches(ax: Axes, rows: pl.DataFrame) -> None:
    centres, labels = [], []
    for i, ((batch,), part) in enumerate(rows.group_by(Obs.BATCH, maintain_order=True)):
        x = part["x"].to_numpy()
        low, high = float(x.min()) - 0.5, float(x.max()) + 0.5
        if i % 2:
            ax.axvspan(low, high, color=PERIOD, alpha=0.5, linewidth=0, zorder=0)
        usable = part.filter(~pl.col("flags").str.contains(_UNUSABLE))["proposal"].fill_nan(None).drop_nulls()
        if usable.len():
            ax.hlines(
                float(np.median(usable)), low, high, color=GREY, linewidth=1.6, zorder=1, label=f"_median {batch}"
            )
        centres.append((low + high) / 2)
        labels.append(printable(str(batch), limit=12))
    crowded = sum(map(len, labels)) > 90
    ax.set_xticks(centres, labels, rotation=90 if crowded else 0)
    ax.tick_params(axis="x", length=0)
    ax.set_xlim(-0.5, rows.height - 0.5)


def _draw_cuts(ax: Axes, rows: pl.DataFrame, controls: set[str]) -> None:
    size = float(np.clip(220 / max(rows.height, 1), 1.3, 3.5))
    own = rows.filter(pl.col("proposal").is_finite())
    ring: dict[str, Any] = {"linestyle": "none", "markersize": size, "markerfacecolor": "none", "markeredgewidth": 0.5}
    bars = own["spread"].fill_nan(0.0)
    ax.errorbar(
        own["x"], own["proposal"], yerr=bars, color=CUT, marker="o", elinewidth=0.4, zorder=2, label="own cut", **ring
    )
    final = rows.filter(pl.col("value").is_finite())
    clamped = pl.col("flags").str.contains("CLAMPED")
    control = pl.col("sample").is_in(list(controls))
    look: dict[str, Any] = {"linestyle": "none", "zorder": 3, "markeredgewidth": 0}
    for mask, colour, marker, larger, label in (
        (~control & ~clamped, INK, "o", 1.0, "final cut"),
        (control, CONTROL, "D", 1.8, "bridging control"),
        (~control & clamped, INK, "^", 1.8, "moved to a bound"),
    ):
        part = final.filter(mask)
        if part.height:
            ax.plot(
                part["x"], part["value"], color=colour, marker=marker, markersize=larger * size, label=label, **look
            )
    lost = rows.filter(~pl.col("value").is_finite())
    if lost.height:
        at = np.full(lost.height, 0.02)
        cross: dict[str, Any] = {"marker": "x", "color": CUT, "linestyle": "none", "markersize": 3.5}
        ax.plot(lost["x"], at, transform=ax.get_xaxis_transform(), label="no cut", **cross)


def _label_axes(ax: Axes, adata: AnnData, rows: pl.DataFrame, population: str, coordinate: str) -> None:
    template = get.template(adata)
    gate = template.by_name[population].gate if population in template.by_name else None
    keys = gate.keys if gate is not None else ()
    key = keys[-1 if coordinate == "y" else 0] if keys else ""
    finite = np.array([value for name in ("value", "proposal") for value in rows[name] if np.isfinite(value)])
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    bounds = getattr(gate, "bounds", None)
    if coordinate == "cut" and bounds is not None:
        for bound in bounds:
            ax.axhline(bound, color=GREY, linewidth=0.6, linestyle="--", zorder=1, label="_bound")
    # Bounds are far off as a rule; what counts is how the cuts move, so they show only where cuts come near.
    margin = 0.2 * (high - low) or 0.05
    limits = (low - margin, high + margin)
    line = coordinate in AXES and not isinstance(gate, ReferenceLineGate)
    if line:
        Scale.within(spec_of(adata, template, key), limits).draw(ax.yaxis)
    else:
        ax.set_ylim(limits)
    ax.set_ylabel(printable(key if line else coordinate, limit=30))
    ax.set_title(f"Cut of {printable(population, limit=40)}", loc="left", weight="bold")


def _controls(adata: AnnData) -> set[str]:
    if Obs.CONTROL not in adata.obs:
        return set()
    return {str(name) for name in adata.obs_names[adata.obs[Obs.CONTROL].to_numpy(bool)]}

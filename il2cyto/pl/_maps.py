"""Maps: how populations change over the visits of each arm, and what they express."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from il2cyto import get, tl
from il2cyto._keys import Obs, Obsm, Uns, Var
from il2cyto._tidy import panels, plain
from il2cyto.errors import SchemaError
from il2cyto.pl._scales import spec_of
from il2cyto.pl._theme import DOUBLE_COLUMN, INK, MM, SINGLE_COLUMN, add_footer, printable, theme
from il2cyto.pp import transform

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from anndata import AnnData
    from matplotlib.axes import Axes

    FloatArray = npt.NDArray[np.float64]

HATCH: dict[str, Any] = {"hatch": "////", "facecolor": "white", "edgecolor": "#CCCCCC"}


def population_map(
    adata: AnnData,
    *,
    populations: Sequence[str] | None = None,
    denominator: str | None = None,
    group: str = Obs.ARM,
) -> Figure:
    """Draw the change of each population's mean since the baseline visit, as a map of populations × visits for each arm.

    The means are those of :func:`il2cyto.tl.summarise_dynamics`: of all subjects with a value at a visit. What the arms differ by,
    with its tests, is in :func:`effect_map`.

    Parameters
    ----------
    adata
        Cohort object.
    populations, denominator, group
        As in :func:`il2cyto.tl.summarise_dynamics`.

    Returns
    -------
    The figure. Numbers are percent of the baseline mean, colour the binary logarithm of the ratio, so that halved and doubled are
    equally strong. Hatched: no value at the visit or at baseline, or a baseline of 0.

    Raises
    ------
    PopulationError, SchemaError
        As in :func:`il2cyto.tl.summarise_dynamics`; SchemaError also where there are no visits.
    """
    summary = tl.summarise_dynamics(adata, populations=populations, denominator=denominator, group=group)
    if not summary.height:
        msg = "population_map: no subject with a visit in the object; samples need `subject` and `visit`."
        raise SchemaError(msg)
    visits = summary[Obs.VISIT].cast(pl.String).unique(maintain_order=True).to_list()
    names = summary[Var.POPULATION].unique(maintain_order=True).to_list()
    baseline = _baseline(adata, visits)
    groups = summary[group].cast(pl.String).unique(maintain_order=True).to_list() if group in summary.columns else [""]
    grids = []
    for name in groups:
        part = summary.filter(pl.col(group).cast(pl.String) == name) if name else summary
        means = part["mean"].to_numpy().reshape(len(names), len(visits))
        first = means[:, [visits.index(baseline)]]
        grids.append(np.divide(means, first, out=np.full(means.shape, np.nan), where=first > 0))
    # A mean of 0 has no finite logarithm; it is drawn as the strongest fall there is.
    with np.errstate(divide="ignore"):
        logs = [np.log2(grid) for grid in grids]
    reach = max((float(np.abs(log[np.isfinite(log)]).max(initial=0.0)) for log in logs), default=0.0) or 1.0
    with theme():
        width = min(DOUBLE_COLUMN, 40 * MM + 10 * MM * len(visits) * len(groups))
        figure = Figure(figsize=(max(SINGLE_COLUMN, width), 7 * MM * len(names) + 30 * MM), layout="constrained")
        panels = figure.subplots(1, len(groups), squeeze=False, sharey=True)[0]
        for ax, name, grid, log in zip(panels, groups, grids, logs, strict=True):
            image = _map(ax, np.clip(log, -reach, reach), reach=reach)
            _write(ax, grid - 1, np.abs(log) > 0.45 * reach)
            ax.set_xticks(range(len(visits)), [printable(visit, limit=10) for visit in visits])
            ax.set_title(printable(name, limit=30), loc="left", weight="bold")
        panels[0].set_yticks(range(len(names)), [printable(str(name), limit=30) for name in names])
        bar = figure.colorbar(image, ax=list(panels), shrink=0.8)
        ticks = [tick for tick in (-3, -2, -1, -0.5, 0, 0.5, 1, 2, 3) if abs(tick) <= reach]
        bar.set_ticks(ticks, labels=[f"× {2.0**tick:.3g}" for tick in ticks])
        caption = f"Change of the mean since {printable(baseline, limit=12)}, % of it; hatched: no value."
        add_footer(figure, caption, simulated=bool(adata.uns[Uns.IL2CYTO].get(Uns.SIMULATED, False)))
    return figure


def median_map(adata: AnnData) -> Figure:
    """Draw what each population expresses: the median over samples of its markers' medians, on the template's scales.

    Parameters
    ----------
    adata
        Cohort object.

    Returns
    -------
    The figure: populations × markers without scatter. Colour is the position on the template's scale, the number the median in the
    units of the cytometer, in thousands where it has a k. Hatched: no sample has a value.

    Raises
    ------
    SchemaError
        The object has no medians.
    """
    panels(adata)
    if Obsm.MFI not in adata.obsm:
        msg = "median_map: no medians in the object (obsm['mfi']); gate the study with this version of il2cyto."
        raise SchemaError(msg)
    about = plain(adata.uns[Uns.IL2CYTO][Uns.MFI], index="mfi")
    template = get.template(adata)
    names = about["population"].unique(maintain_order=True).to_list()
    markers = [key for key in about["marker"].unique(maintain_order=True) if not key.startswith(("FSC", "SSC"))]
    linear = np.full((len(names), len(markers)), np.nan)
    for column, population, marker in about.filter(pl.col("marker").is_in(markers)).iter_rows():
        values = adata.obsm[Obsm.MFI][column].to_numpy(np.float64)
        if np.isfinite(values).any():
            linear[names.index(population), markers.index(marker)] = np.nanmedian(values)
    scaled = np.column_stack([transform(linear[:, i], spec_of(adata, template, m)) for i, m in enumerate(markers)])
    found = scaled[np.isfinite(scaled)]
    # One range for all markers: stretched to its own, a marker that nothing here expresses would look like one that is.
    low, high = (float(found.min()), float(found.max())) if found.size else (0.0, 1.0)
    with theme():
        size = (min(DOUBLE_COLUMN, 46 * MM + 9 * MM * len(markers)), 5.5 * MM * len(names) + 32 * MM)
        figure = Figure(figsize=size, layout="constrained")
        ax = figure.subplots()
        ax.patch.set(**HATCH)
        image = ax.imshow(np.ma.masked_invalid(scaled), cmap="cividis", vmin=low, vmax=high, aspect="auto")
        for (row, column), value in np.ndenumerate(linear):
            if np.isfinite(value):
                colour = "white" if scaled[row, column] < low + 0.55 * (high - low) else INK
                ax.text(column, row, _short(value), ha="center", va="center", size=5, color=colour)
        ax.set_xticks(range(len(markers)), [printable(m, limit=14) for m in markers], rotation=90)
        ax.set_yticks(range(len(names)), [printable(name, limit=30) for name in names])
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        bar = figure.colorbar(image, ax=ax, shrink=0.8)
        bar.set_label("position on the template's scale")
        caption = "Medians over samples of each population's medians, compensated values; k: thousands."
        add_footer(figure, caption, simulated=bool(adata.uns[Uns.IL2CYTO].get(Uns.SIMULATED, False)))
    return figure


def _baseline(adata: AnnData, visits: list[str]) -> str:
    """The schedule's baseline visit; the first one where there is no schedule."""
    schedule = adata.uns[Uns.IL2CYTO].get(Uns.SCHEDULE)
    planned = [] if schedule is None else [str(visit) for visit in schedule.index[schedule["baseline"].to_numpy(bool)]]
    return next((visit for visit in planned if visit in visits), visits[0])


def _map(ax: Axes, values: FloatArray, *, reach: float) -> Any:
    ax.patch.set(**HATCH)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax.imshow(np.ma.masked_invalid(values), cmap="RdBu_r", vmin=-reach, vmax=reach, aspect="auto")


def _write(ax: Axes, values: FloatArray, dark: npt.NDArray[np.bool_]) -> None:
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            text = f"{round(100 * value):+d}".replace("-", "−").replace("+0", "0")
            ax.text(column, row, text, ha="center", va="center", size=5, color="white" if dark[row, column] else INK)


def _short(value: float) -> str:
    """Write a fluorescence in few characters.

    Examples
    --------
    >>> _short(12345.6), _short(-38.2)
    ('12k', '−38')
    """
    text = (
        f"{value / 1000:.2g}k"
        if 1000 <= abs(value) < 10000
        else f"{value / 1000:.0f}k"
        if abs(value) >= 10000
        else f"{value:.0f}"
    )
    return text.replace("-", "−")

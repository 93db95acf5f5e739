"""Effects side by side: a forest plot, and a map of populations over visits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from il2cyto._tidy import require_frame
from il2cyto.pl._labels import ALPHA, p_column, p_text
from il2cyto.pl._theme import DOUBLE_COLUMN, GREY, INK, MM, SINGLE_COLUMN, add_footer, printable, theme

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes

    FloatArray = npt.NDArray[np.float64]

ROW: Final = 5.2 * MM
#: Ticks of a ratio axis, the sparser ones for wide axes.
_TICKS: Final = (
    (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0, 2.5, 3.0),
    (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0),
    (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0),
)


def forest(
    contrasts: pl.DataFrame,
    *,
    label: str = "population",
    estimate: str = "odds_ratio",
    low: str = "or_low",
    high: str = "or_high",
    log: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw each row's effect with its interval, the numbers and p beside it.

    Parameters
    ----------
    contrasts
        One row an effect, drawn from top to bottom, such as the rows of one visit of the table `population_contrasts`.
        A column `p` and, if it holds values, `p_adjusted` are written beside the interval.
    label
        Column with the names.
    estimate, low, high
        Columns with the effect and its interval.
    log
        Logarithmic axis with the line of no effect at 1 (ratios); else linear with 0 (differences).
    ax
        Where to draw; a new figure if None.

    Returns
    -------
    The axes. A row whose effect is not estimable keeps its place and says so.

    Raises
    ------
    ValueError
        There is no row.
    """
    require_frame(contrasts, caller="forest")
    if not contrasts.height:
        msg = "forest: the table has no rows; choose a visit or an analysis that it has."
        raise ValueError(msg)
    middle, below, above = (
        contrasts[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in (estimate, low, high)
    )
    rows = np.arange(contrasts.height)
    with theme():
        if ax is None:
            size = (DOUBLE_COLUMN * 0.75, ROW * contrasts.height + 16 * MM)
            ax = Figure(figsize=size, layout="constrained").subplots()
        ax.axvline(1.0 if log else 0.0, color=GREY, linewidth=0.7, zorder=0)
        ax.hlines(rows, below, above, color=INK, linewidth=1.0, label="_intervals")
        ax.plot(middle, rows, "s", color=INK, markersize=3.6, label="_effects")
        for row, line in enumerate(contrasts.iter_rows(named=True)):
            look: dict[str, Any] = {"textcoords": "offset points", "va": "center", "size": 6, "annotation_clip": False}
            ax.annotate(
                _numbers(middle[row], below[row], above[row], line),
                (1, row),
                (4, 0),
                xycoords=ax.get_yaxis_transform(),
                **look,
            )
        ax.set_yticks(rows, [printable(str(name), limit=30) for name in contrasts[label]])
        ax.set_ylim(contrasts.height - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        if log:
            _ratio_axis(ax, np.concatenate([middle, below, above]))
    return ax


def effect_map(
    contrasts: pl.DataFrame,
    *,
    label: str = "population",
    value: str = "estimate",
    title: str = "log odds ratio",
    simulated: bool = False,
) -> Figure:
    """Draw effects as a map of populations × visits: colour is the effect, a dot marks p < 0.05 after adjustment.

    Parameters
    ----------
    contrasts
        Table `population_contrasts`, at most one row per population and visit; `p_adjusted` is used where it has values,
        else `p`.
    label, value
        Columns of the names and of the effect.
    title
        What the colour bar says.
    simulated
        Write SIMULATED DATA at the foot.

    Returns
    -------
    The figure. Where there is no effect to show, the field is hatched.

    Raises
    ------
    ValueError
        There is no row, or two rows for one field.
    """
    require_frame(contrasts, caller="effect_map")
    wide = contrasts.with_columns(pl.col("visit").cast(pl.String))
    if not wide.height or wide.select(label, "visit").is_duplicated().any():
        msg = "effect_map: one row for each population and visit is needed; filter the table by model, denominator and role."
        raise ValueError(msg)
    names = wide[label].unique(maintain_order=True).to_list()
    visits = wide.sort("week", nulls_last=True, maintain_order=True)["visit"].unique(maintain_order=True).to_list()
    effect, p = (_grid(wide, label, column, names, visits) for column in (value, p_column(wide)))
    with theme():
        size = (min(DOUBLE_COLUMN, SINGLE_COLUMN * 0.6 + 9 * MM * len(visits)), 8 * MM * len(names) + 26 * MM)
        figure = Figure(figsize=size, layout="constrained")
        ax = figure.subplots()
        reach = float(np.nanmax(np.abs(effect), initial=0.0)) or 1.0
        ax.patch.set(hatch="////", facecolor="white", edgecolor="#CCCCCC")
        image = ax.imshow(np.ma.masked_invalid(effect), cmap="RdBu_r", vmin=-reach, vmax=reach, aspect="auto")
        for (row, column), chance in np.ndenumerate(p):
            if np.isfinite(effect[row, column]):
                dark = abs(effect[row, column]) > 0.6 * reach
                mark = " •" if chance < ALPHA else ""
                text = f"{effect[row, column]:+.2f}{mark}".replace("-", "−")
                ax.text(column, row, text, ha="center", va="center", size=5.5, color="white" if dark else INK)
        ax.set_xticks(range(len(visits)), [printable(visit, limit=10) for visit in visits])
        ax.set_yticks(range(len(names)), [printable(str(name), limit=30) for name in names])
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        figure.colorbar(image, ax=ax, shrink=0.8).set_label(printable(title))
        adjusted = "adjusted " if p_column(wide) == "p_adjusted" else ""
        add_footer(
            figure, f"Number and colour: {title}; •: {adjusted}p < 0.05; hatched: no estimate.", simulated=simulated
        )
    return figure


def _numbers(middle: float, low: float, high: float, row: dict[str, Any]) -> str:
    if not np.isfinite(middle):
        return "not estimable"
    parts = [f"{middle:.2f} ({low:.2f}, {high:.2f})".replace("-", "−")]
    parts += [p_text(row.get("p"))] if p_text(row.get("p")) else []
    adjusted = p_text(row.get("p_adjusted"))
    return "   ".join([*parts, *([f"adjusted {adjusted}"] if adjusted else [])])


def _ratio_axis(ax: Axes, values: FloatArray) -> None:
    finite = values[np.isfinite(values) & (values > 0)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.5, 2.0)
    low, high = min(low / 1.1, 0.8), max(high * 1.1, 1.25)
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    ticks = _TICKS[0 if high / low < 5 else 1 if high / low < 50 else 2]
    ax.xaxis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(lambda ratio, _: f"{ratio:g}")
    ax.set_xlabel("ratio, logarithmic axis")


def _grid(table: pl.DataFrame, label: str, value: str, names: list[str], visits: list[str]) -> FloatArray:
    grid = np.full((len(names), len(visits)), np.nan)
    for name, visit, number in table.select(label, "visit", value).iter_rows():
        grid[names.index(name), visits.index(visit)] = np.nan if number is None else number
    return grid

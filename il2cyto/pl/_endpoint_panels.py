"""Panels of clinical endpoints: rates as bars, rates and measurements as courses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
from matplotlib.ticker import MaxNLocator

from il2cyto.pl._curves import draw_course
from il2cyto.pl._labels import ALPHA, p_text
from il2cyto.pl._theme import INK, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt
    from matplotlib.axes import Axes

    from il2cyto.pl._theme import ArmStyle
    from il2cyto.pl._timeline import Timeline

    FloatArray = npt.NDArray[np.float64]

#: A bar narrower than this share of the axes carries its counts upright.
WIDE_BAR: Final = 0.16
#: Share of the axis below which a bar does not hold its counts.
LOW_BAR: Final = 0.2
#: Columns of a rate and of its interval.
RATE: Final = ("proportion", "ci_low", "ci_high")


def draw_bars(ax: Axes, rows: pl.DataFrame, styles: Mapping[str, ArmStyle], tests: pl.DataFrame | None) -> None:
    """Draw rates as bars, arm beside arm at each visit, with p above the visits."""
    visits = rows.unique("visit", maintain_order=True).sort("week", nulls_last=True, maintain_order=True)
    names = visits["visit"].cast(pl.String).to_list()
    width = 0.72 / len(styles)
    top = float(np.nanmax(_columns(rows, RATE)[2], initial=0.0))
    ax.set_ylim(0, max(top * 1.14, 0.3))
    for i, (arm, style) in enumerate(styles.items()):
        x = np.arange(len(names), dtype=np.float64) + (i - (len(styles) - 1) / 2) * width
        _bars(ax, _aligned(rows.filter(arm=arm), names), x, width, style, arm)
    for visit, p in () if tests is None else tests.select(pl.col("visit").cast(pl.String), "p").iter_rows():
        if visit in names and p_text(p):
            # Beside two others there is no room for "p = ".
            short = p_text(p).removeprefix("p = ").removeprefix("p ")
            _above(ax, names.index(visit), top, short if len(names) > 2 else p_text(p))
    weeks = visits["week"].to_list()
    labels = [printable(name, limit=10) for name in names] if None in weeks else [f"{week:g}" for week in weeks]
    ax.set_xticks(range(len(names)), labels)
    ax.set_xlabel("Visit" if None in weeks else "Week", labelpad=1)
    ax.set_xlim(-0.6, len(names) - 0.4)


def draw_courses(
    ax: Axes,
    rows: pl.DataFrame,
    timeline: Timeline,
    styles: Mapping[str, ArmStyle],
    columns: tuple[str, str, str],
    tests: pl.DataFrame | None,
) -> None:
    """Draw a middle with its bars over the visits, counts below the axis, and p where it is small above it."""
    names = list(timeline.position)
    counts = {}
    for arm, style in styles.items():
        mine = _aligned(rows.filter(arm=arm), names)
        counts[arm] = mine["n"].fill_null(0).to_list()
        middle, low, high = _columns(mine, columns)
        errors = np.abs([middle - low, high - middle])
        draw_course(ax, timeline.along(mine), middle, errors, style, label=f"_course {arm}")
    timeline.draw(ax)
    timeline.write_counts(ax, counts, styles)
    for visit, p in () if tests is None else tests.select(pl.col("visit").cast(pl.String), "p").iter_rows():
        if visit in timeline.position and p is not None and p < ALPHA:
            _above(ax, timeline.position[visit], 1.0, p_text(p).removeprefix("p = "), of_axes=True)


def percent_axis(ax: Axes) -> None:
    """Label fractions in percent; there is none above 100."""
    ax.yaxis.set_major_locator(MaxNLocator(5))
    ax.yaxis.set_major_formatter(lambda fraction, _: f"{100 * fraction:.6g}" if fraction <= 1 else "")


def _bars(ax: Axes, rows: pl.DataFrame, x: FloatArray, width: float, style: ArmStyle, arm: str) -> None:
    """Draw one arm's bars with intervals and counts on an axis that has its limits."""
    height, low, high = _columns(rows, RATE)
    bars: dict[str, Any] = {"color": style.colour, "alpha": 0.85, "linewidth": 0}
    ax.bar(x, height, 0.94 * width, label=f"_rate {arm}", zorder=2, **bars)
    errors = np.abs([height - low, high - height])
    ax.errorbar(x, height, yerr=errors, fmt="none", ecolor=INK, elinewidth=0.7, capsize=1.6, zorder=3)
    # Upright where two visits' bars leave no room for "16/29" along the axis.
    turn = 90 if width / rows.height < WIDE_BAR else 0
    low_bar = LOW_BAR * ax.get_ylim()[1]
    for at, share, count, n in zip(x, height, rows["x"], rows["n"], strict=True):
        if n:
            # White on the bar; where it is too low for that, in its colour on white beside the interval.
            look: dict[str, Any] = {"xytext": (0, 2), "color": "white", "ha": "center", "rotation": turn}
            if share < low_bar:
                paper = {"facecolor": "white", "edgecolor": "none", "pad": 0.3}
                look = {"xytext": (1.5, 2), "color": style.colour, "ha": "left", "rotation": 90, "bbox": paper}
            ax.annotate(f"{count}/{n}", (at, 0), textcoords="offset points", va="bottom", size=5, zorder=4, **look)


def _aligned(rows: pl.DataFrame, visits: list[str]) -> pl.DataFrame:
    frame = pl.DataFrame({"visit": visits}, schema={"visit": pl.String})
    rows = rows.with_columns(pl.col("visit").cast(pl.String))
    return frame.join(rows, on="visit", how="left", maintain_order="left")


def _columns(rows: pl.DataFrame, names: tuple[str, str, str]) -> list[FloatArray]:
    return [rows[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in names]


def _above(ax: Axes, x: float, y: float, text: str, *, of_axes: bool = False) -> None:
    where = ax.get_xaxis_transform() if of_axes else ax.transData
    look: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "va": "bottom", "annotation_clip": False}
    ax.annotate(text, (x, y), (0, 2), xycoords=where, size=5.5, **look)

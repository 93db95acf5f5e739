"""Curves over the visits: single subjects, and arms with their errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from il2cyto._keys import Obs, Uns
from il2cyto.pl._labels import ALPHA, FEWEST_FOR_INTERVAL, p_column
from il2cyto.pl._subjects import subject_styles
from il2cyto.pl._theme import INK, PERIOD, ArmStyle, arm_styles, printable
from il2cyto.pl._timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt
    from anndata import AnnData
    from matplotlib.axes import Axes

    FloatArray = npt.NDArray[np.float64]

#: Share of the axis over which groups stand beside each other where all have the same single visit.
ONE_VISIT: Final = 0.05


@dataclass(frozen=True)
class Curves:
    """Where the curves of a figure lie, and how each arm is drawn.

    Attributes
    ----------
    timeline
        The x axis.
    styles
        Arm -> style.
    aside
        Arm -> how far beside its visit it stands: not at all where there are courses to follow.
    """

    timeline: Timeline
    styles: dict[str, ArmStyle]
    aside: dict[str, float]

    @classmethod
    def of(cls, adata: AnnData, summary: pl.DataFrame) -> Curves:
        """Arrange the arms of a table of :func:`il2cyto.tl.summarise_dynamics`."""
        timeline, styles = Timeline.of(adata, summary), _styles(adata, summary)
        step = ONE_VISIT / len(styles) if len(timeline.position) == 1 else 0.0
        aside = {arm: step * (i - (len(styles) - 1) / 2) for i, arm in enumerate(styles)}
        return cls(timeline, styles, aside)


def draw_individuals(ax: Axes, values: pl.DataFrame, curves: Curves) -> None:
    """Draw every subject as a faint line; a value without a neighbour is a dot."""
    timeline, styles = curves.timeline, curves.styles
    columns = {visit: i for i, visit in enumerate(timeline.position)}
    beside = ONE_VISIT / 8 / len(styles) if len(columns) == 1 else 0.0  # not under the mean
    for arm, style in styles.items():
        rows = values.filter(pl.col(Obs.ARM) == arm)
        who = rows[Obs.SUBJECT].rank("dense").to_numpy() - 1
        # One line for the arm: a last column of NaN parts the subjects, and a visit without a sample stays a gap.
        y = np.full((rows[Obs.SUBJECT].n_unique(), len(columns) + 1), np.nan)
        y[who, [columns[visit] for visit in rows[Obs.VISIT].cast(pl.String)]] = rows["frequency"]
        x = np.tile([*timeline.position.values(), np.nan], len(y)) + curves.aside[arm] - beside
        ax.plot(x, y.ravel(), color=style.colour, alpha=0.25, linewidth=0.4, zorder=1.5, label=f"_subjects {arm}")
        known = np.isfinite(np.pad(y.ravel(), 1, constant_values=np.nan))
        alone = known[1:-1] & ~known[:-2] & ~known[2:]
        if alone.any():
            look: dict[str, Any] = {"color": style.colour, "alpha": 0.5, "markersize": 1.8, "markeredgewidth": 0}
            ax.plot(x[alone], y.ravel()[alone], "o", zorder=1.5, label=f"_lone values {arm}", **look)


def draw_highlighted(ax: Axes, values: pl.DataFrame, timeline: Timeline, highlight: Sequence[str]) -> None:
    """Draw the named subjects, each in its own style."""
    for subject, style in subject_styles(highlight).items():
        rows = values.filter(pl.col(Obs.SUBJECT) == subject)
        found = dict(rows.select(pl.col(Obs.VISIT).cast(pl.String), "frequency").iter_rows())
        y = [found.get(visit, np.nan) for visit in timeline.position]
        look: dict[str, Any] = {"color": style.colour, "marker": style.marker, "linestyle": style.dashes}
        ax.plot(
            list(timeline.position.values()),
            y,
            linewidth=0.8,
            markersize=2.2,
            zorder=2.5,
            label=f"_subject {subject}",
            **look,
        )


def draw_means(ax: Axes, summary: pl.DataFrame, curves: Curves, interval: str) -> None:
    """Draw the mean of every arm with the interval that was asked for."""
    for arm, style in curves.styles.items():
        rows = summary.filter(pl.col(Obs.ARM) == arm)
        mean = rows["mean"].to_numpy()
        limits = np.array([mean - rows["ci_low"], rows["ci_high"] - mean])
        limits[:, rows["n"] < FEWEST_FOR_INTERVAL] = np.nan
        errors = rows["sem"].to_numpy() if interval == "sem" else limits
        draw_course(ax, curves.timeline.along(rows) + curves.aside[arm], mean, errors, style, label=f"_mean {arm}")


def draw_course(
    ax: Axes, x: FloatArray, middle: FloatArray, errors: FloatArray, style: ArmStyle, *, label: str
) -> None:
    """Draw one arm over the visits, a marker with its error bar at each; NaN is a gap."""
    ax.errorbar(
        x,
        middle,
        yerr=errors,
        color=style.colour,
        marker=style.marker,
        linestyle=style.dashes,
        markeredgecolor="white",
        markeredgewidth=0.4,
        elinewidth=0.8,
        capsize=1.6,
        zorder=3,
        label=label,
    )


def mark_differences(ax: Axes, contrasts: pl.DataFrame, timeline: Timeline) -> None:
    """Put an asterisk above the visits at which the groups differ."""
    column = p_column(contrasts)
    for visit, p in contrasts.select(pl.col(Obs.VISIT).cast(pl.String), column).iter_rows():
        if visit in timeline.position and p is not None and p < ALPHA:
            ax.annotate(
                "*",
                (timeline.position[visit], 1),
                (0, 1),
                xycoords=ax.get_xaxis_transform(),
                textcoords="offset points",
                ha="center",
                va="center",
                size=9,
                weight="bold",
                annotation_clip=False,
            )


def curve_handles(
    styles: Mapping[str, ArmStyle], *, limit: int = 30, linewidth: float | None = None
) -> Iterator[Line2D]:
    """Give the lines of a legend, one for each arm or subject."""
    for name, style in styles.items():
        look: dict[str, Any] = {"color": style.colour, "marker": style.marker, "linestyle": style.dashes}
        yield Line2D([], [], linewidth=linewidth, label=printable(name, limit=limit), **look)


def interval_handle(interval: str, level: float = 0.95) -> Line2D:
    """Give what a legend shows of the bars: which interval they are."""
    label = f"{100 * level:g} % CI" if interval == "ci" else "SEM"
    return Line2D([], [], color=INK, marker="|", linestyle="none", markersize=6, markeredgewidth=0.8, label=label)


def period_handle() -> Patch:
    """Give what a legend shows of the treatment periods."""
    return Patch(color=PERIOD, linewidth=0, label="treatment period")


def _styles(adata: AnnData, summary: pl.DataFrame) -> dict[str, ArmStyle]:
    """Style the arms that occur; an arm keeps its colour when another one is absent."""
    present = summary[Obs.ARM].cast(pl.String).unique(maintain_order=True).to_list()
    planned = [str(arm) for arm in adata.uns[Uns.IL2CYTO].get(Uns.ARMS, ())]
    planned = planned if set(planned) & set(present) else []
    styles = arm_styles([*planned, *(arm for arm in present if arm not in planned)])
    return {arm: style for arm, style in styles.items() if arm in present}

"""Populations over the visits of a trial, by arm."""

from __future__ import annotations

import textwrap
from itertools import cycle
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from il2cyto import tl
from il2cyto._keys import ROOT, Obs, Uns, Var
from il2cyto._populations import endpoint_populations
from il2cyto.pl._labels import (
    ALPHA,
    FEWEST_FOR_INTERVAL,
    Interval,
    interval_key,
    interval_text,
    p_column,
    require_interval,
)
from il2cyto.pl._subjects import subject_styles
from il2cyto.pl._theme import (
    DOUBLE_COLUMN,
    MM,
    PERIOD,
    SINGLE_COLUMN,
    ArmStyle,
    add_footer,
    arm_styles,
    printable,
    theme,
)
from il2cyto.pl._timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

COLUMNS: Final = 3
#: A panel with its title, and the legend above the panels, without what stands below the axis.
PANEL_HEIGHT: Final = 47 * MM
LEGEND_HEIGHT: Final = 7 * MM
#: Points between the axes and the title where asterisks stand between them.
ABOVE_ASTERISKS: Final = 11.0
#: Share of the axis over which groups stand beside each other where all have the same single visit.
ONE_VISIT: Final = 0.05


def dynamics(
    adata: AnnData,
    *,
    populations: Sequence[str] | None = None,
    denominator: str | None = None,
    interval: Interval = "ci",
    individuals: bool = True,
    highlight: Sequence[str] = (),
    group: str = Obs.ARM,
    contrasts: pl.DataFrame | None = None,
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Draw each population's mean over the visits, arm by arm, with its interval and the number of subjects.

    The picture of :func:`il2cyto.tl.summarise_dynamics`, whose numbers it shows unchanged. Gaps stay gaps. Treatment
    periods are shaded; legend and caption name the bars. Studies without arms give one curve, studies without weeks an
    axis of visits; with one visit the groups stand beside each other. A population without any value says so.

    Parameters
    ----------
    adata
        Cohort object.
    populations
        One panel each; the endpoints in the object if None.
    denominator
        Divide by the events of this population in place of the parent's.
    interval
        What the bars show: ``ci``, the 95 % t interval of the mean, as tables and report have it, drawn from three subjects
        on; or ``sem``, its standard error, as many papers do: about a 68 % interval, half as wide.
    individuals
        Draw each subject as a faint line behind the mean; a value without a neighbour is a dot.
    highlight
        Subjects drawn in a style of their own, the same in every figure (:func:`subject_styles`).
    group
        Column of `obs` that parts the subjects; `arm`, or `responder` for the twin figure.
    contrasts
        Table `population_contrasts`; visits at which the groups differ with p < 0.05 (adjusted, where the table adjusts)
        carry an asterisk, and the caption says by which model.
    axes
        Draw into these, one per population; the caption then still goes to the foot of their figure.

    Returns
    -------
    The figure; a new one is 183 mm wide, 89 mm with one population. `save_figure` writes it.

    Raises
    ------
    PopulationError
        Unknown population or denominator, or no endpoint in the object.
    ValueError
        `interval` is unknown, `axes` are fewer than populations, or a subject of `highlight` is not in the object.
    """
    require_interval(interval, caller="dynamics")
    names = list(dict.fromkeys(populations or endpoint_populations(adata, denominator=denominator)))
    if axes is not None and len(axes) < len(names):
        msg = f"dynamics: {len(axes)} axes for {len(names)} populations ({', '.join(names)}); give one for each."
        raise ValueError(msg)
    absent = [subject for subject in highlight if subject not in set(adata.obs[Obs.SUBJECT])]
    if absent:
        msg = f"dynamics: highlight: no subject {', '.join(map(repr, absent))} in the object."
        raise ValueError(msg)
    frames = (
        of(adata, populations=names, denominator=denominator, group=group)
        for of in (tl.subject_dynamics, tl.summarise_dynamics)
    )
    # Whatever parts the subjects is drawn as arms are; a study without arms is one group.
    values, summary = (frame.rename({group: Obs.ARM}) if group in frame.columns else frame for frame in frames)
    timeline, styles = Timeline.of(adata, summary), _styles(adata, summary)
    aside = _asides(timeline, styles)
    with theme():
        panels = _new_panels(len(names)) if axes is None else list(axes)
        for letter, ax, name in zip(cycle(ascii_uppercase), panels, names, strict=False):
            of_population = pl.col(Var.POPULATION) == name
            if individuals:
                _draw_individuals(ax, values.filter(of_population), timeline, styles, aside)
            _draw_means(ax, summary.filter(of_population), timeline, styles, aside, interval)
            _draw_highlighted(ax, values.filter(of_population), timeline, highlight)
            title, unit = _titles(adata, name, denominator)
            _label_axes(ax, f"{letter}  {title}" if len(names) > 1 else title, unit, marked=contrasts is not None)
            timeline.draw(ax)
            if not summary.filter(of_population)["n"].sum():
                ax.text(0.5, 0.5, "not evaluable in any sample", transform=ax.transAxes, ha="center", va="center")
                ax.set_yticks([])
            depth = timeline.write_counts(ax, _counts(summary.filter(of_population), styles), styles)
            if contrasts is not None:
                _mark_differences(ax, contrasts.filter(of_population), timeline)
        figure = panels[0].figure.get_figure(root=True)
        spare = panels[len(names) :] if axes is None else []
        _add_legend(figure, spare, styles, timeline, highlight, interval)
        simulated = bool(adata.uns[Uns.IL2CYTO].get(Uns.SIMULATED, False))
        whose = "" if len(styles) == 1 else " of each arm" if group == Obs.ARM else f" by {group}{_pooled(adata)}"
        caption = _caption(interval, timeline, summary, individuals=individuals, whose=whose, tests=contrasts)
        if axes is None:
            rows = -(-len(names) // COLUMNS)
            figure.set_figheight(rows * (PANEL_HEIGHT + depth / 72) + (0 if spare else LEGEND_HEIGHT))
        add_footer(figure, caption, simulated=simulated)
    return figure


def _new_panels(count: int) -> list[Axes]:
    columns = min(COLUMNS, count)
    rows = -(-count // columns)
    width = DOUBLE_COLUMN if columns > 1 else SINGLE_COLUMN
    figure = Figure(figsize=(width, rows * PANEL_HEIGHT), layout="constrained")
    return list(figure.subplots(rows, columns, squeeze=False).flat)


def _styles(adata: AnnData, summary: pl.DataFrame) -> dict[str, ArmStyle]:
    """Style the arms that occur; an arm keeps its colour when another one is absent."""
    present = summary[Obs.ARM].cast(pl.String).unique(maintain_order=True).to_list()
    planned = [str(arm) for arm in adata.uns[Uns.IL2CYTO].get(Uns.ARMS, ())]
    planned = planned if set(planned) & set(present) else []
    styles = arm_styles([*planned, *(arm for arm in present if arm not in planned)])
    return {arm: style for arm, style in styles.items() if arm in present}


def _asides(timeline: Timeline, styles: dict[str, ArmStyle]) -> dict[str, float]:
    """Say how far beside its visit each group stands: not at all where there are courses to follow."""
    step = ONE_VISIT / len(styles) if len(timeline.position) == 1 else 0.0
    return {arm: step * (i - (len(styles) - 1) / 2) for i, arm in enumerate(styles)}


def _draw_individuals(
    ax: Axes, values: pl.DataFrame, timeline: Timeline, styles: dict[str, ArmStyle], aside: dict[str, float]
) -> None:
    columns = {visit: i for i, visit in enumerate(timeline.position)}
    beside = ONE_VISIT / 8 / len(styles) if len(columns) == 1 else 0.0  # not under the mean
    for arm, style in styles.items():
        rows = values.filter(pl.col(Obs.ARM) == arm)
        who = rows[Obs.SUBJECT].rank("dense").to_numpy() - 1
        # One line for the arm: a last column of NaN parts the subjects, and a visit without a sample stays a gap.
        y = np.full((rows[Obs.SUBJECT].n_unique(), len(columns) + 1), np.nan)
        y[who, [columns[visit] for visit in rows[Obs.VISIT].cast(pl.String)]] = rows["frequency"]
        x = np.tile([*timeline.position.values(), np.nan], len(y)) + aside[arm] - beside
        ax.plot(x, y.ravel(), color=style.colour, alpha=0.25, linewidth=0.4, zorder=1.5, label=f"_subjects {arm}")
        known = np.isfinite(np.pad(y.ravel(), 1, constant_values=np.nan))
        alone = known[1:-1] & ~known[:-2] & ~known[2:]
        if alone.any():
            look: dict[str, Any] = {"color": style.colour, "alpha": 0.5, "markersize": 1.8, "markeredgewidth": 0}
            ax.plot(x[alone], y.ravel()[alone], "o", zorder=1.5, label=f"_lone values {arm}", **look)


def _draw_highlighted(ax: Axes, values: pl.DataFrame, timeline: Timeline, highlight: Sequence[str]) -> None:
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


def _draw_means(
    ax: Axes,
    summary: pl.DataFrame,
    timeline: Timeline,
    styles: dict[str, ArmStyle],
    aside: dict[str, float],
    interval: str,
) -> None:
    for arm, style in styles.items():
        rows = summary.filter(pl.col(Obs.ARM) == arm)
        mean = rows["mean"].to_numpy()
        limits = np.array([mean - rows["ci_low"], rows["ci_high"] - mean])
        limits[:, rows["n"] < FEWEST_FOR_INTERVAL] = np.nan
        bars = rows["sem"].to_numpy() if interval == "sem" else limits
        ax.errorbar(
            timeline.along(rows) + aside[arm],
            mean,
            yerr=bars,
            color=style.colour,
            marker=style.marker,
            linestyle=style.dashes,
            markeredgecolor="white",
            markeredgewidth=0.4,
            elinewidth=0.8,
            capsize=1.6,
            capthick=0.8,
            zorder=3,
            label=f"_mean {arm}",
        )


def _mark_differences(ax: Axes, contrasts: pl.DataFrame, timeline: Timeline) -> None:
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


def _counts(summary: pl.DataFrame, styles: dict[str, ArmStyle]) -> dict[str, list[int]]:
    return {arm: summary.filter(pl.col(Obs.ARM) == arm)["n"].to_list() for arm in styles}


def _label_axes(ax: Axes, title: str, unit: str, *, marked: bool) -> None:
    # Frequencies end at 0 and 1; the interval of a mean of two subjects need not, and would flatten everything else.
    ax.set_ylim(0, min(ax.get_ylim()[1], 1.0))
    ax.yaxis.set_major_locator(MaxNLocator(5))
    # The data stay fractions; only the label is percent.
    ax.yaxis.set_major_formatter(lambda fraction, _: f"{100 * fraction:.6g}")
    ax.set_ylabel(unit)
    ax.set_title(title, loc="left", weight="bold", pad=ABOVE_ASTERISKS if marked else None)


def _titles(adata: AnnData, name: str, denominator: str | None) -> tuple[str, str]:
    """Say what is counted and of what it is a share."""
    parent = denominator or str(adata.var.at[name, Var.PARENT])
    # What a panel of a third of the page has room for.
    title = textwrap.fill(printable(_label(adata, name), limit=54), 28)
    whole = printable(_label(adata, parent), limit=24)
    # "Lymphocytes" begins a title with a capital, not the middle of a phrase; "CD4+" and "NK cells" stay as they are.
    return title, f"% of {whole[:1].lower() + whole[1:] if whole[1:2].islower() else whole}"


def _label(adata: AnnData, name: str) -> str:
    if name == ROOT:
        return "all events"
    labelled = Var.LABEL in adata.var and name in adata.var_names
    return (str(adata.var.at[name, Var.LABEL]) if labelled else "") or name


def _add_legend(
    figure: Figure,
    spare: list[Axes],
    styles: dict[str, ArmStyle],
    timeline: Timeline,
    highlight: Sequence[str],
    interval: str,
) -> None:
    handles: list[Artist] = [
        Line2D([], [], color=s.colour, marker=s.marker, linestyle=s.dashes, label=printable(arm, limit=30))
        for arm, s in styles.items()
        if len(styles) > 1
    ]
    handles += [
        Line2D(
            [],
            [],
            color=s.colour,
            marker=s.marker,
            linestyle=s.dashes,
            linewidth=0.8,
            label=printable(subject, limit=20),
        )
        for subject, s in subject_styles(highlight).items()
    ]
    handles.append(interval_key(interval))
    if len(timeline.periods):
        handles.append(Patch(color=PERIOD, linewidth=0, label="treatment period"))
    for ax in spare:
        ax.set_axis_off()
    if spare:
        spare[0].legend(handles=handles, loc="upper left")
    else:
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))


def _pooled(adata: AnnData) -> str:
    """Say that groups which are no arms hold subjects of several."""
    return ", arms together" if Obs.ARM in adata.obs and adata.obs[Obs.ARM].nunique() > 1 else ""


def _caption(
    interval: str,
    timeline: Timeline,
    summary: pl.DataFrame,
    *,
    individuals: bool,
    whose: str,
    tests: pl.DataFrame | None,
) -> str:
    few = interval == "ci" and summary["n"].is_between(1, FEWEST_FOR_INTERVAL - 1).any()
    from_on = f" (where there are {FEWEST_FOR_INTERVAL} or more)" if few else ""
    parts = [f"Mean and {interval_text(interval)} of the subjects{whose}{from_on}"]
    if individuals:
        parts.append(f"{'thin lines' if len(timeline.position) > 1 else 'dots'}: single subjects")
    if len(timeline.periods):
        parts.append("grey: on treatment")
    if tests is not None and tests.height:
        models = ", ".join(tests["model"].drop_nulls().unique(maintain_order=True).to_list())
        adjusted = " adjusted for multiplicity" if p_column(tests) == "p_adjusted" else ""
        parts.append(f"*: difference between the groups, p < {ALPHA:g}{adjusted} ({models})")
    return f"{'; '.join(parts)}. n: subjects with a value."

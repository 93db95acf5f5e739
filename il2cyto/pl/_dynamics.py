"""Populations over the visits of a trial, by arm."""

from __future__ import annotations

from itertools import cycle
from string import ascii_uppercase
from typing import TYPE_CHECKING, Final

import polars as pl
from matplotlib.figure import Figure

from il2cyto import tl
from il2cyto._keys import Obs, Uns, Var
from il2cyto._populations import endpoint_populations
from il2cyto.errors import SchemaError
from il2cyto.pl._curves import Curves, draw_highlighted, draw_individuals, draw_means, mark_differences
from il2cyto.pl._dynamics_text import add_legend, caption, label_axes, titles
from il2cyto.pl._labels import Interval, require_interval
from il2cyto.pl._theme import DOUBLE_COLUMN, MM, SINGLE_COLUMN, add_footer, theme

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anndata import AnnData
    from matplotlib.axes import Axes

    from il2cyto.pl._theme import ArmStyle

COLUMNS: Final = 3
#: A panel with its title, and the legend above the panels, without what stands below the axis.
PANEL_HEIGHT: Final = 47 * MM
LEGEND_HEIGHT: Final = 7 * MM


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
    _require(adata, names, highlight=highlight, axes=axes)
    values, summary = _tables(adata, names, denominator, group)
    curves = Curves.of(adata, summary)
    with theme():
        panels = _new_panels(len(names)) if axes is None else list(axes)
        for letter, ax, name in zip(cycle(ascii_uppercase), panels, names, strict=False):
            mine = pl.col(Var.POPULATION) == name
            if individuals:
                draw_individuals(ax, values.filter(mine), curves)
            draw_means(ax, summary.filter(mine), curves, interval)
            draw_highlighted(ax, values.filter(mine), curves.timeline, highlight)
            title, unit = titles(adata, name, denominator)
            label_axes(ax, f"{letter}  {title}" if len(names) > 1 else title, unit, marked=contrasts is not None)
            depth = _draw_visits(ax, summary.filter(mine), curves)
            if contrasts is not None:
                mark_differences(ax, contrasts.filter(mine), curves.timeline)
        figure = panels[0].figure.get_figure(root=True)
        spare = panels[len(names) :] if axes is None else []
        add_legend(figure, spare, curves.styles, curves.timeline, highlight, interval)
        if axes is None:
            rows = -(-len(names) // COLUMNS)
            figure.set_figheight(rows * (PANEL_HEIGHT + depth / 72) + (0 if spare else LEGEND_HEIGHT))
        whose = _whose(adata, curves.styles, group)
        text = caption(interval, curves.timeline, summary, individuals=individuals, whose=whose, tests=contrasts)
        add_footer(figure, text, simulated=bool(adata.uns[Uns.IL2CYTO].get(Uns.SIMULATED, False)))
    return figure


def _require(adata: AnnData, names: Sequence[str], *, highlight: Sequence[str], axes: Sequence[Axes] | None) -> None:
    if axes is not None and len(axes) < len(names):
        msg = f"dynamics: {len(axes)} axes for {len(names)} populations ({', '.join(names)}); give one for each."
        raise ValueError(msg)
    absent = [subject for subject in highlight if subject not in set(adata.obs[Obs.SUBJECT])]
    if absent:
        msg = f"dynamics: highlight: no subject {', '.join(map(repr, absent))} in the object."
        raise ValueError(msg)


def _tables(
    adata: AnnData, names: Sequence[str], denominator: str | None, group: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Make the table of single subjects and that of means; whatever parts the subjects is drawn as arms are."""
    values, summary = (
        of(adata, populations=names, denominator=denominator, group=group)
        for of in (tl.subject_dynamics, tl.summarise_dynamics)
    )
    if not summary.height:
        msg = f"dynamics: none of the {adata.n_obs} samples has a subject, a visit and a group; see obs, or choose others."
        raise SchemaError(msg)
    # A study without arms is one group, and has no column to rename.
    renamed = {group: Obs.ARM} if group in summary.columns else {}
    return values.rename(renamed), summary.rename(renamed)


def _new_panels(count: int) -> list[Axes]:
    columns = min(COLUMNS, count)
    rows = -(-count // columns)
    width = DOUBLE_COLUMN if columns > 1 else SINGLE_COLUMN
    figure = Figure(figsize=(width, rows * PANEL_HEIGHT), layout="constrained")
    return list(figure.subplots(rows, columns, squeeze=False).flat)


def _draw_visits(ax: Axes, summary: pl.DataFrame, curves: Curves) -> float:
    """Draw the axis of visits with the number of subjects below it; gives how far down that reaches, in points."""
    curves.timeline.draw(ax)
    if not summary["n"].sum():
        ax.text(0.5, 0.5, "not evaluable in any sample", transform=ax.transAxes, ha="center", va="center")
        ax.set_yticks([])
    counts = {arm: summary.filter(pl.col(Obs.ARM) == arm)["n"].to_list() for arm in curves.styles}
    return curves.timeline.write_counts(ax, counts, curves.styles)


def _whose(adata: AnnData, styles: Mapping[str, ArmStyle], group: str) -> str:
    """Say whose means are drawn; groups that are no arms hold subjects of several."""
    if len(styles) == 1:
        return ""
    if group == Obs.ARM:
        return " of each arm"
    pooled = Obs.ARM in adata.obs and adata.obs[Obs.ARM].nunique() > 1
    return f" by {group}{', arms together' if pooled else ''}"

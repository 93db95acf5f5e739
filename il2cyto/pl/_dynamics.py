"""Populations over the visits of a trial, by arm."""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_uppercase
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from il2cyto import tl
from il2cyto._keys import ROOT, Obs, Uns, Var
from il2cyto._populations import endpoint_populations
from il2cyto.pl._theme import DOUBLE_COLUMN, MM, PERIOD, ArmStyle, add_footer, arm_styles, printable, theme

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from anndata import AnnData
    from matplotlib.axes import Axes

    FloatArray = npt.NDArray[np.float64]

ERRORS: Final = {"sem": "SEM", "ci": "95 % confidence interval"}
COLUMNS: Final = 3
PANEL_HEIGHT: Final = 60 * MM
#: Points below the axis at which the counts begin, and from row to row; the size of their type.
N_TOP, N_STEP, N_SIZE = 23.0, 7.5, 5.5


@dataclass(frozen=True)
class Timeline:
    """The visits along the x axis: at their weeks, or one after the other where these are unknown."""

    position: dict[str, float]
    labels: list[str]
    title: str
    periods: FloatArray

    @classmethod
    def of(cls, adata: AnnData, summary: pl.DataFrame) -> Timeline:
        """Read visits and treatment periods; without a week of its own for every visit there is no scale for periods."""
        visits = summary.select(pl.col(Obs.VISIT).cast(pl.String), Obs.WEEK).unique(maintain_order=True)
        names, weeks = visits[Obs.VISIT].to_list(), visits[Obs.WEEK].to_list()
        if None in weeks or len(set(weeks)) < len(weeks):
            labels = [printable(name, limit=10) for name in names]
            return cls({name: float(i) for i, name in enumerate(names)}, labels, "Visit", np.empty((0, 2)))
        periods = np.asarray(adata.uns[Uns.IL2CYTO].get(Uns.TREATMENT_WEEKS, []), np.float64).reshape(-1, 2)
        return cls(dict(zip(names, weeks, strict=True)), [f"{week:g}" for week in weeks], "Week", periods)

    def along(self, frame: pl.DataFrame) -> FloatArray:
        """Place the visits of a frame on the axis."""
        return np.array([self.position[visit] for visit in frame[Obs.VISIT].cast(pl.String)])


def dynamics(
    adata: AnnData,
    *,
    populations: Sequence[str] | None = None,
    denominator: str | None = None,
    error: Literal["sem", "ci"] = "sem",
    individuals: bool = True,
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Draw each population's mean over the visits, arm by arm, with its error and the number of subjects.

    The picture of :func:`il2cyto.tl.summarise_dynamics`, whose numbers it shows unchanged. Gaps stay gaps. Treatment
    periods are shaded; the caption names the error bars. Studies without arms give one curve, studies without weeks an
    axis of visits.

    Parameters
    ----------
    adata
        Cohort object.
    populations
        One panel each; the endpoints in the object if None.
    denominator
        Divide by the events of this population in place of the parent's.
    error
        What the bars show: the standard error of the mean, or its 95 % t interval.
    individuals
        Draw each subject as a faint line behind the mean.
    axes
        Draw into these, one per population; the caption then still goes to the foot of their figure.

    Returns
    -------
    The figure, 183 mm wide if it is a new one; `save_figure` writes it.

    Raises
    ------
    PopulationError
        Unknown population or denominator, or no endpoint in the object.
    ValueError
        `error` is unknown, or `axes` are fewer than populations.
    """
    if error not in ERRORS:
        msg = f"dynamics: no error {error!r}; allowed are {', '.join(map(repr, ERRORS))}."
        raise ValueError(msg)
    names = list(dict.fromkeys(populations or endpoint_populations(adata, denominator=denominator)))
    values = tl.subject_dynamics(adata, populations=names, denominator=denominator)
    summary = tl.summarise_dynamics(adata, populations=names, denominator=denominator)
    timeline, styles = Timeline.of(adata, summary), _styles(adata, summary)
    with theme():
        panels = _new_panels(len(names)) if axes is None else list(axes)
        if len(panels) < len(names):
            msg = f"dynamics: {len(panels)} axes for {len(names)} populations ({', '.join(names)}); give one for each."
            raise ValueError(msg)
        for ax, name in zip(panels, names, strict=False):
            of_population = pl.col(Var.POPULATION) == name
            if individuals:
                _draw_individuals(ax, values.filter(of_population), timeline, styles)
            _draw_means(ax, summary.filter(of_population), timeline, styles, error)
            _write_counts(ax, summary.filter(of_population), timeline, styles)
            _finish(ax, timeline, *_titles(adata, name, denominator))
        figure = panels[0].figure.get_figure(root=True)
        if len(names) > 1:
            _letter(panels[: len(names)])
        _add_legend(figure, panels[len(names) :] if axes is None else [], styles, timeline)
        simulated = bool(adata.uns[Uns.IL2CYTO].get(Uns.SIMULATED, False))
        add_footer(figure, _caption(error, timeline, individuals=individuals), simulated=simulated)
    return figure


def _new_panels(count: int) -> list[Axes]:
    columns = min(COLUMNS, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(DOUBLE_COLUMN * columns / COLUMNS, rows * PANEL_HEIGHT), layout="constrained")
    return list(figure.subplots(rows, columns, squeeze=False).flat)


def _draw_individuals(ax: Axes, values: pl.DataFrame, timeline: Timeline, styles: dict[str, ArmStyle]) -> None:
    for arm, style in styles.items():
        # A visit without a sample is a gap, as a value that is not evaluable; NaN also keeps the subjects apart.
        wide = values.filter(pl.col(Obs.ARM) == arm).pivot(Obs.VISIT, index=Obs.SUBJECT, values="frequency")
        visits = [visit for visit in timeline.position if visit in wide.columns]
        y = np.column_stack([wide.select(visits).fill_null(np.nan).to_numpy(), np.full(wide.height, np.nan)])
        x = np.tile([*(timeline.position[visit] for visit in visits), np.nan], wide.height)
        ax.plot(x, y.ravel(), color=style.colour, alpha=0.22, linewidth=0.4, zorder=1.5, label=f"_subjects {arm}")


def _draw_means(
    ax: Axes, summary: pl.DataFrame, timeline: Timeline, styles: dict[str, ArmStyle], error: str
) -> None:
    low, high = ("mean - sem", "mean + sem") if error == "sem" else ("ci_low", "ci_high")

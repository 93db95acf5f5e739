"""Clinical endpoints over the visits, by arm: response rates as bars, measurements as courses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from il2cyto._tidy import require_frame
from il2cyto.pl._endpoint_panels import RATE, draw_bars, draw_courses, percent_axis
from il2cyto.pl._labels import (
    FEWEST_FOR_INTERVAL,
    Interval,
    arms_of,
    interval_text,
    label,
    require_interval,
    tests_text,
)
from il2cyto.pl._theme import SINGLE_COLUMN, add_footer, arm_styles, printable, theme
from il2cyto.pl._timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

#: More visits than this are drawn as a course: bars would be too narrow for what is written on them.
MOST_BARS: Final = 4
#: Points between the axes and the title where p stands between them.
ABOVE_P: Final = 11.0
_CENTRES: Final = {
    ("mean", "ci"): ("mean", "ci_low", "ci_high"),
    ("mean", "sem"): ("mean", "sem_low", "sem_high"),
    ("median", "ci"): ("median", "q1", "q3"),
    ("median", "sem"): ("median", "q1", "q3"),
}
#: What the tables abbreviate, in the words of a legend.
SETS: Final = {"mitt": "mITT", "itt": "ITT"}
RULES: Final = {"nri": "missing counts as non-response", "observed": "observed cases"}


def response_rates(
    rates: pl.DataFrame,
    *,
    endpoint: str = "sri4",
    analysis_set: str = "mitt",
    rule: Literal["nri", "observed"] = "nri",
    contrasts: pl.DataFrame | None = None,
    treatment_weeks: Sequence[tuple[float, float]] = (),
    arms: Sequence[str] | None = None,
    level: float = 0.95,
    ax: Axes | None = None,
    title: str = "",
    simulated: bool = False,
) -> Axes:
    """Draw the share of responders at each visit, arm beside arm, with its interval.

    Up to four visits are bars with the counts x/n in them, more are a course with n below the axis.

    Parameters
    ----------
    rates
        Table `binary_endpoints`: `endpoint set rule visit week arm x n proportion ci_low ci_high`, fractions 0-1.
    endpoint, analysis_set, rule
        Which rows; an endpoint of a set that the table does not have is drawn from the set it has.
    contrasts
        Table `binary_contrasts`; its p values are written above the bars, over a course those below 0.05.
    treatment_weeks
        Periods on treatment, shaded behind a course.
    arms
        Order of the arms, control first; that of the table if None.
    level
        Coverage of the table's intervals, for the caption.
    ax
        Where to draw; a new figure of one journal column, with a caption, if None.
    title
        In place of the endpoint's own name.
    simulated
        Write SIMULATED DATA beside the caption.

    Returns
    -------
    The axes. Their y axis runs from 0 to 1 and is labelled in percent.

    Raises
    ------
    ValueError
        The table has no row of this endpoint.
    """
    rows = _chosen(rates, "response_rates", endpoint, {"set": analysis_set, "rule": rule})
    tests = None if contrasts is None else _rows(contrasts, endpoint, {"set": analysis_set, "rule": rule})
    order = arms_of(rows, arms)
    styles = arm_styles(order)
    with theme():
        new, ax, pad = ax is None, _axes(ax), None
        if rows["visit"].n_unique() > MOST_BARS:
            draw_courses(ax, rows, Timeline.of_table(rows, treatment_weeks), styles, RATE, tests)
            pad = ABOVE_P if tests is not None else None
            ax.set_ylim(bottom=0)
        else:
            draw_bars(ax, rows, styles, tests)
        percent_axis(ax)
        _titles(ax, title or label(endpoint).title, label(endpoint).axis, pad)
        if new:
            sets = rows["set"].drop_nulls().unique().to_list() if "set" in rows.columns else []
            named = "".join(f"; analysis set {SETS.get(name, name)}" for name in sets)
            bars = rows["visit"].n_unique() <= MOST_BARS
            _caption(
                ax,
                f"{rate_text(level)}{named}; {RULES.get(rule, rule)}",
                *tests_text(tests, "p_method", all_shown=bars),
                simulated=simulated,
            )
    return ax


def measure_course(
    measures: pl.DataFrame,
    *,
    endpoint: str,
    centre: Literal["mean", "median"] = "mean",
    interval: Interval = "ci",
    contrasts: pl.DataFrame | None = None,
    treatment_weeks: Sequence[tuple[float, float]] = (),
    arms: Sequence[str] | None = None,
    level: float = 0.95,
    ax: Axes | None = None,
    title: str = "",
    simulated: bool = False,
) -> Axes:
    """Draw a measurement over the visits, arm by arm: mean with its interval, or median with quartiles.

    Parameters
    ----------
    measures
        Table `continuous_endpoints`: `endpoint unit visit week arm n mean sd median q1 q3 ci_low ci_high`.
    endpoint
        Which rows.
    centre
        `mean` with `interval`, or `median` with the quartiles.
    interval
        Bars of a mean: ``ci``, the table's confidence interval, drawn from three subjects on; ``sem``, its standard error.
    contrasts
        Table `continuous_contrasts`; visits with p < 0.05 carry their p value.
    treatment_weeks
        Periods on treatment, shaded.
    arms, level, ax, title, simulated
        As in :func:`response_rates`.

    Returns
    -------
    The axes; gaps stay gaps. Below each visit stands the number of subjects of each arm.

    Raises
    ------
    ValueError
        The table has no row of this endpoint, or `centre` or `interval` is unknown.
    """
    require_interval(interval, caller="measure_course")
    if centre not in {"mean", "median"}:
        msg = f"measure_course: no centre {centre!r}; allowed are 'mean', 'median'."
        raise ValueError(msg)
    rows = _with_bars(_chosen(measures, "measure_course", endpoint, {}), interval)
    order = arms_of(rows, arms)
    styles = arm_styles(order)
    tests = None if contrasts is None else _rows(contrasts, endpoint, {})
    with theme():
        new, ax = ax is None, _axes(ax)
        draw_courses(ax, rows, Timeline.of_table(rows, treatment_weeks), styles, _CENTRES[centre, interval], tests)
        ax.yaxis.set_major_locator(MaxNLocator(5))
        unit = str(rows["unit"][0] or "") if "unit" in rows.columns else ""
        pad = ABOVE_P if tests is not None else None
        _titles(ax, title or label(endpoint).title, unit or label(endpoint).axis, pad)
        if new:
            shown = f"Mean and {interval_text(interval, level)}" if centre == "mean" else "Median and quartiles"
            _caption(ax, shown, *tests_text(tests, "model", all_shown=False), simulated=simulated)
    return ax


def rate_text(level: float) -> str:
    """Say what the bars of a rate show."""
    return f"Share of subjects with its {interval_text('ci', level)} (Wilson)"


def _with_bars(rows: pl.DataFrame, interval: str) -> pl.DataFrame:
    """Add the ends of the standard error, or leave the intervals of fewer than three subjects out."""
    if interval == "sem":
        sem = pl.col("sd") / pl.col("n").sqrt()
        return rows.with_columns(sem_low=pl.col("mean") - sem, sem_high=pl.col("mean") + sem)
    enough = pl.col("n") >= FEWEST_FOR_INTERVAL
    return rows.with_columns(pl.when(enough).then(name).otherwise(np.nan).alias(name) for name in ("ci_low", "ci_high"))


def _caption(ax: Axes, *parts: str, simulated: bool) -> None:
    add_footer(ax.figure.get_figure(root=True), f"{'. '.join(parts)}.", simulated=simulated)


def _chosen(table: pl.DataFrame, function: str, endpoint: str, filters: Mapping[str, str]) -> pl.DataFrame:
    rows = _rows(table, endpoint, filters)
    if not rows.height:
        known = ", ".join(sorted(table["endpoint"].unique().to_list())) or "none"
        msg = f"{function}: the table has no rows of endpoint {endpoint!r}; it has {known}."
        raise ValueError(msg)
    return rows


def _rows(table: pl.DataFrame, endpoint: str, filters: Mapping[str, str]) -> pl.DataFrame:
    require_frame(table, caller="the endpoints")
    rows = table.filter(pl.col("endpoint") == endpoint)
    for column, value in filters.items():
        if column in rows.columns:
            wanted = rows.filter(pl.col(column) == value)
            # Nephritis remission, say, has a set of its own.
            rows = (
                wanted
                if wanted.height
                else rows.filter(pl.col(column).eq_missing(rows[column].first() if rows.height else None))
            )
    return rows


def _titles(ax: Axes, title: str, unit: str, pad: float | None) -> None:
    ax.set_title(
        "\n".join(printable(line, limit=44) for line in title.splitlines()), loc="left", weight="bold", pad=pad
    )
    ax.set_ylabel(printable(unit, limit=34))


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    return Figure(figsize=(SINGLE_COLUMN, 0.75 * SINGLE_COLUMN), layout="constrained").subplots()

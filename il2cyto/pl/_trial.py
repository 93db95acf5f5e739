"""The clinical figure of a trial: an endpoint a panel, with one legend and a caption that names intervals and tests."""

from __future__ import annotations

import textwrap
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from matplotlib.figure import Figure

from il2cyto._tidy import require_frame
from il2cyto.pl._curves import curve_handles, interval_handle, period_handle
from il2cyto.pl._endpoints import MOST_BARS, SETS, measure_course, rate_text, response_rates
from il2cyto.pl._labels import (
    FEWEST_FOR_INTERVAL,
    Interval,
    arms_of,
    interval_text,
    label,
    require_interval,
    tests_text,
)
from il2cyto.pl._theme import DOUBLE_COLUMN, MM, SINGLE_COLUMN, add_footer, arm_styles, theme

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.artist import Artist
    from matplotlib.lines import Line2D

#: The panels of a lupus trial's second figure, in its order; those without rows are left out.
PANELS: Final = (
    *("sri4", "sledai", "nephritis_remission", "steroid_reduction"),
    *("albumin_g_l", "upe_g_24h", "c3_normal", "c4_normal"),
)
PANEL_HEIGHT: Final = 50 * MM


def trial_endpoints(
    tables: Mapping[str, pl.DataFrame],
    *,
    endpoints: Sequence[str] = PANELS,
    analysis_set: str = "mitt",
    interval: Interval = "ci",
    level: float = 0.95,
    treatment_weeks: Sequence[tuple[float, float]] = (),
    arms: Sequence[str] | None = None,
    simulated: bool = False,
) -> Figure:
    """Draw the clinical figure of a trial, a panel an endpoint: responses, activity, kidney, steroids, complement.

    Parameters
    ----------
    tables
        `binary_endpoints`, `continuous_endpoints` and, for p values, `binary_contrasts` and `continuous_contrasts`.
    endpoints
        Which, in this order. An endpoint without rows is left out.
    interval
        Bars of the measurements' means: ``ci`` or ``sem``, see :func:`measure_course`. Rates always have their confidence interval.
    level
        Coverage of the tables' intervals, 0-1, for legend and caption.
    analysis_set, treatment_weeks, arms
        As in :func:`response_rates` and :func:`measure_course`.
    simulated
        Write SIMULATED DATA at the foot.

    Returns
    -------
    The figure, 183 mm wide, with a legend and a caption that names intervals and tests.

    Raises
    ------
    ValueError
        No endpoint has rows, or `interval` is unknown.
    """
    require_interval(interval, caller="trial_endpoints")
    for name, table in tables.items():
        require_frame(table, caller=f"trial_endpoints: {name}")
    binary, continuous = tables.get("binary_endpoints"), tables.get("continuous_endpoints")
    kinds = {name: kind for name in endpoints if (kind := _kind(name, binary, continuous)) is not None}
    if not kinds:
        msg = f"trial_endpoints: the tables have no rows of {', '.join(endpoints)}."
        raise ValueError(msg)
    columns = min(4, len(kinds))
    rows = -(-len(kinds) // columns)
    with theme():
        figure = Figure(
            figsize=(DOUBLE_COLUMN if columns > 1 else SINGLE_COLUMN, rows * PANEL_HEIGHT + 12 * MM),
            layout="constrained",
        )
        panels = list(figure.subplots(rows, columns, squeeze=False).flat)
        for letter, ax, (name, kind) in zip(ascii_uppercase, panels, kinds.items(), strict=False):
            title = textwrap.fill(f"{letter}  {label(name).title}", 88 // columns)
            common: dict[str, Any] = {"endpoint": name, "arms": arms, "ax": ax, "title": title}
            if kind == "binary" and binary is not None:
                contrasts = tables.get("binary_contrasts")
                response_rates(
                    binary, analysis_set=analysis_set, contrasts=contrasts, treatment_weeks=treatment_weeks, **common
                )
            elif continuous is not None:
                contrasts = tables.get("continuous_contrasts")
                measure_course(
                    continuous, interval=interval, contrasts=contrasts, treatment_weeks=treatment_weeks, **common
                )
        for ax in panels[len(kinds) :]:
            ax.set_axis_off()
        _legend(
            figure,
            binary if "binary" in kinds.values() else continuous,
            arms,
            # Rates keep their confidence interval: with SEM the caption has to tell the two apart.
            bars=[interval_handle(interval, level)] if interval == "ci" or "binary" not in kinds.values() else [],
            shaded=bool(treatment_weeks) and "continuous" in kinds.values(),
        )
        add_footer(figure, _caption(kinds, tables, analysis_set, interval, level), simulated=simulated)
    return figure


def _kind(name: str, binary: pl.DataFrame | None, continuous: pl.DataFrame | None) -> str | None:
    for kind, table in (("binary", binary), ("continuous", continuous)):
        if table is not None and (table["endpoint"] == name).any():
            return kind
    return None


def _legend(
    figure: Figure, table: pl.DataFrame | None, arms: Sequence[str] | None, *, bars: list[Line2D], shaded: bool
) -> None:
    if table is None:
        return
    handles: list[Artist] = [
        *curve_handles(arm_styles(arms_of(table, arms))),
        *bars,
        *([period_handle()] if shaded else ()),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))


def _caption(
    kinds: Mapping[str, str], tables: Mapping[str, pl.DataFrame], analysis_set: str, interval: str, level: float
) -> str:
    parts = []
    if (binary := tables.get("binary_endpoints")) is not None and "binary" in kinds.values():
        parts.append(
            f"Responses: {rate_text(level)[0].lower()}{rate_text(level)[1:]}; analysis set {SETS.get(analysis_set, analysis_set)}"
        )
        drawn = binary.filter(pl.col("endpoint").is_in([n for n, kind in kinds.items() if kind == "binary"]))
        bars = drawn.group_by("endpoint").agg(pl.col("visit").n_unique())["visit"] <= MOST_BARS
        parts += tests_text(tables.get("binary_contrasts"), "p_method", all_shown=bool(bars.all()))
    if "continuous" in kinds.values():
        drawn = tables["continuous_endpoints"].filter(pl.col("endpoint").is_in(list(kinds)))
        few = interval == "ci" and drawn["n"].is_between(1, FEWEST_FOR_INTERVAL - 1).any()
        from_on = f" (where there are {FEWEST_FOR_INTERVAL} subjects or more)" if few else ""
        parts.append(f"Measurements: mean and {interval_text(interval, level)}{from_on}; n below the axis")
        parts += tests_text(tables.get("continuous_contrasts"), "model", all_shown=False)
    return ". ".join(parts) + "."

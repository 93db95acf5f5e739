"""The clinical figure of a trial: an endpoint a panel, with one legend and a caption that names intervals and tests."""

from __future__ import annotations

import textwrap
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from matplotlib.figure import Figure

from il2cyto.pl._curves import curve_handles, period_handle
from il2cyto.pl._endpoints import MOST_BARS, measure_course, response_rates
from il2cyto.pl._labels import ALPHA, arms_of, label
from il2cyto.pl._theme import DOUBLE_COLUMN, MM, SINGLE_COLUMN, add_footer, arm_styles, theme

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.artist import Artist

#: The panels of a lupus trial's second figure, in its order; those without rows are left out.
PANELS: Final = (
    *("sri4", "sledai", "nephritis_remission", "steroid_reduction"),
    *("albumin_g_l", "upe_g_24h", "c3_normal", "c4_normal"),
)
PANEL_HEIGHT: Final = 50 * MM
#: What the tables abbreviate, in the words of a legend.
SETS: Final = {"mitt": "mITT", "itt": "ITT"}
TESTS: Final = {
    "fisher": "Fisher's exact test",
    "boschloo": "Boschloo's exact test",
    "barnard": "Barnard's exact test",
    "pearson": "Pearson's chi-square test",
    "MMRM us, kenward-roger": "MMRM, unstructured, Kenward-Roger",
    "MMRM us, satterthwaite": "MMRM, unstructured, Satterthwaite",
    "MMRM cs, kenward-roger": "MMRM, compound-symmetric, Kenward-Roger",
    "MMRM cs, satterthwaite": "MMRM, compound-symmetric, Satterthwaite",
    "MMRM ar1, satterthwaite": "MMRM, autoregressive, Satterthwaite",
}


def trial_endpoints(
    tables: Mapping[str, pl.DataFrame],
    *,
    endpoints: Sequence[str] = PANELS,
    analysis_set: str = "mitt",
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
        No endpoint has rows.
    """
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
                measure_course(continuous, contrasts=contrasts, treatment_weeks=treatment_weeks, **common)
        for ax in panels[len(kinds) :]:
            ax.set_axis_off()
        _legend(
            figure,
            binary if "binary" in kinds.values() else continuous,
            arms,
            shaded=bool(treatment_weeks) and "continuous" in kinds.values(),
        )
        add_footer(figure, _caption(kinds, tables, analysis_set), simulated=simulated)
    return figure


def _kind(name: str, binary: pl.DataFrame | None, continuous: pl.DataFrame | None) -> str | None:
    for kind, table in (("binary", binary), ("continuous", continuous)):
        if table is not None and (table["endpoint"] == name).any():
            return kind
    return None


def _legend(figure: Figure, table: pl.DataFrame | None, arms: Sequence[str] | None, *, shaded: bool) -> None:
    if table is None:
        return
    handles: list[Artist] = [
        *curve_handles(arm_styles(arms_of(table, arms))),
        *([period_handle()] if shaded else ()),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))


def _caption(kinds: Mapping[str, str], tables: Mapping[str, pl.DataFrame], analysis_set: str) -> str:
    parts = []
    if (binary := tables.get("binary_endpoints")) is not None and "binary" in kinds.values():
        parts.append(
            f"Responses: share of subjects with its 95 % interval (Wilson); analysis set {SETS.get(analysis_set, analysis_set)}"
        )
        drawn = binary.filter(pl.col("endpoint").is_in([n for n, kind in kinds.items() if kind == "binary"]))
        bars = drawn.group_by("endpoint").agg(pl.col("visit").n_unique())["visit"] <= MOST_BARS
        parts += _tests(tables.get("binary_contrasts"), "p_method", all_shown=bool(bars.all()))
    if "continuous" in kinds.values():
        parts.append("Measurements: mean with its 95 % interval; n below the axis")
        parts += _tests(tables.get("continuous_contrasts"), "model", all_shown=False)
    return ". ".join(parts) + "."


def _tests(contrasts: pl.DataFrame | None, column: str, *, all_shown: bool) -> list[str]:
    if contrasts is None or not contrasts.height or column not in contrasts.columns:
        return []
    methods = contrasts[column].drop_nulls().unique(maintain_order=True).to_list()
    said = ", ".join(TESTS.get(str(method), str(method)) for method in methods)
    which = "" if all_shown else f" where below {ALPHA:g}"
    return [f"p between arms{which}, not adjusted: {said}"] if methods else []

"""The flow of subjects through a trial, as the CONSORT statement draws it (Schulz et al., BMJ 2010;340:c332)."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from il2cyto._tidy import require_frame
from il2cyto.pl._theme import DOUBLE_COLUMN, INK, MM, add_footer, printable, theme

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

#: Stage -> what its box says; the order is that of the flow.
STAGES: Final = {
    "contacted": "Assessed for eligibility",
    "not_enrolled": "Not enrolled",
    "randomised": "Randomised",
    "allocated": "Allocated to",
    "discontinued": "Discontinued",
    "completed": "Completed",
    "excluded": "Excluded from analysis",
    "analysed": "Analysed",
}
#: Boxes beside the flow: who leaves it there.
_ASIDE: Final = ("not_enrolled", "discontinued", "excluded")
LINE: Final = 3.0 * MM
WRAP: Final = 34
#: White space inside a box and between stages, in lines.
PAD: Final = 0.6
GAP: Final = 1.6


def consort(flow: pl.DataFrame, *, arms: Sequence[str] | None = None, simulated: bool = False) -> Figure:
    """Draw the flow of subjects: assessed, randomised, allocated by arm, followed up, analysed, with counts and reasons.

    Parameters
    ----------
    flow
        Table `consort`: `stage arm reason n`. A row without an arm is of all subjects; one with a reason is a part of its
        stage. Stages: contacted, not_enrolled, randomised, allocated, discontinued, completed, excluded, analysed.
    arms
        Order of the arms; that of the table if None.
    simulated
        Write SIMULATED DATA at the foot.

    Returns
    -------
    The figure, 183 mm wide. A stage that the table does not have has no box.

    Raises
    ------
    ValueError
        A stage is unknown.
    """
    require_frame(flow, caller="consort")
    unknown = sorted(set(flow["stage"]) - set(STAGES))
    if unknown:
        msg = f"consort: no stage {', '.join(map(repr, unknown))}; allowed are {', '.join(STAGES)}."
        raise ValueError(msg)
    named = flow["arm"].drop_nulls().unique(maintain_order=True).to_list()
    columns = [name for name in (arms or named) if name in named] or [None]
    rows = [stage for stage in STAGES if (flow["stage"] == stage).any()]
    heights = {stage: max(_lines(_text(flow, stage, arm)) for arm in _owners(flow, stage)) for stage in rows}
    total = sum(heights.values()) + (GAP + PAD) * len(rows)
    with theme():
        figure = Figure(figsize=(DOUBLE_COLUMN, total * LINE + 8 * MM), layout="constrained")
        ax = figure.subplots()
        ax.set_axis_off()
        ax.set(xlim=(0, 100), ylim=(total, 0))
        _draw(ax, flow, rows, heights, columns)
        add_footer(figure, "Flow of subjects through the trial.", simulated=simulated)
    return figure


def _owners(flow: pl.DataFrame, stage: str) -> list[str | None]:
    return flow.filter(stage=stage)["arm"].unique(maintain_order=True).to_list()


def _draw(ax: Axes, flow: pl.DataFrame, rows: list[str], heights: dict[str, int], columns: list[str | None]) -> None:
    """Put the boxes from top to bottom, one column an arm, those who leave to the right of their column."""
    above: dict[str | None, tuple[float, float]] = {}
    y = 0.5
    for stage in rows:
        height = heights[stage] + PAD
        for arm in _owners(flow, stage):
            aside = stage in _ASIDE
            centre, width = _place(arm, columns, aside=aside)
            source = above.get(arm, above.get(None))
            text = _text(flow, stage, arm)
            _box(ax, centre, y, width, _lines(text) + PAD, text)
            if source is not None:
                middle = y + (_lines(text) + PAD) / 2
                end = (centre - width / 2, middle) if aside else (centre, y)
                _arrow(ax, source, end, aside=aside)
            if not aside:
                above[arm] = (centre, y + _lines(text) + PAD)
        y += height + GAP


def _place(arm: str | None, columns: list[str | None], *, aside: bool) -> tuple[float, float]:
    """Centre and width of a box, in hundredths of the figure's width."""
    if arm is None:
        return (76, 40) if aside else (34 if len(columns) < 2 else 50, 36)
    share = 100 / len(columns)
    left = share * columns.index(arm)
    return (left + 0.74 * share, 0.48 * share) if aside else (left + 0.22 * share, 0.42 * share)


def _text(flow: pl.DataFrame, stage: str, arm: str | None) -> str:
    mine = flow.filter(pl.col("stage") == stage, pl.col("arm").eq_missing(arm))
    whole = mine.filter(pl.col("reason").is_null() | (pl.col("reason") == ""))
    reasons = mine.filter(pl.col("reason").is_not_null() & (pl.col("reason") != ""))
    n = int(whole["n"].sum()) if whole.height else int(reasons["n"].sum())
    title = f"{STAGES[stage]} {printable(arm, limit=24)}" if stage == "allocated" and arm else STAGES[stage]
    lines = [f"{title} (n = {n})"]
    lines += [
        f"  {printable(str(reason).replace('_', ' '), limit=44)} ({count})"
        for reason, count in reasons.select("reason", "n").iter_rows()
    ]
    return "\n".join(textwrap.fill(line, WRAP, subsequent_indent="    ") for line in lines)


def _lines(text: str) -> int:
    return text.count("\n") + 1


def _box(ax: Axes, centre: float, top: float, width: float, height: float, text: str) -> None:
    ax.add_patch(
        FancyBboxPatch((centre - width / 2, top), width, height, boxstyle="square,pad=0", fill=False, edgecolor=INK)
    )
    ax.text(centre - width / 2 + 1, top + height / 2, text, va="center", ha="left", size=6, linespacing=1.2)


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], *, aside: bool) -> None:
    look: dict[str, Any] = {
        "arrowstyle": "-|>",
        "mutation_scale": 5,
        "linewidth": 0.7,
        "color": INK,
        "shrinkA": 0,
        "shrinkB": 0,
    }
    if aside:
        start = (start[0], end[1])
    elif abs(start[0] - end[0]) > 1:
        turn = (start[1] + end[1]) / 2
        ax.plot([start[0], start[0], end[0]], [start[1], turn, turn], color=INK, linewidth=0.7)
        start = (end[0], turn)
    ax.add_patch(FancyArrowPatch(start, end, **look))

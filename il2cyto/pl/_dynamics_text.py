"""What stands in words in a figure of dynamics: titles, units, legend and caption."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from matplotlib.ticker import MaxNLocator

from il2cyto._keys import ROOT, Var
from il2cyto.pl._curves import curve_handles, interval_handle, period_handle
from il2cyto.pl._labels import ALPHA, FEWEST_FOR_INTERVAL, interval_text, p_column
from il2cyto.pl._subjects import subject_styles
from il2cyto.pl._theme import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    from anndata import AnnData
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from il2cyto.pl._theme import ArmStyle
    from il2cyto.pl._timeline import Timeline

#: Points between the axes and the title where asterisks stand between them.
ABOVE_ASTERISKS: Final = 11.0


def titles(adata: AnnData, name: str, denominator: str | None) -> tuple[str, str]:
    """Say what is counted and of what it is a share."""
    parent = denominator or str(adata.var.at[name, Var.PARENT])
    # What a panel of a third of the page has room for.
    title = textwrap.fill(printable(_label(adata, name), limit=54), 28)
    whole = printable(_label(adata, parent), limit=24)
    # "Lymphocytes" begins a title with a capital, not the middle of a phrase; "CD4+" and "NK cells" stay as they are.
    return title, f"% of {whole[:1].lower() + whole[1:] if whole[1:2].islower() else whole}"


def label_axes(ax: Axes, title: str, unit: str, *, marked: bool) -> None:
    """Write title and unit, with room for asterisks where visits are marked; the y axis is in percent and begins at 0."""
    # Frequencies end at 0 and 1; the interval of a mean of two subjects need not, and would flatten everything else.
    ax.set_ylim(0, min(ax.get_ylim()[1], 1.0))
    ax.yaxis.set_major_locator(MaxNLocator(5))
    # The data stay fractions; only the label is percent.
    ax.yaxis.set_major_formatter(lambda fraction, _: f"{100 * fraction:.6g}")
    ax.set_ylabel(unit)
    ax.set_title(title, loc="left", weight="bold", pad=ABOVE_ASTERISKS if marked else None)


def add_legend(
    figure: Figure,
    spare: list[Axes],
    styles: dict[str, ArmStyle],
    timeline: Timeline,
    highlight: Sequence[str],
    interval: str,
) -> None:
    """Explain arms, highlighted subjects, bars and the grey periods: in a panel that is to spare, else above the figure."""
    handles: list[Artist] = [
        *(curve_handles(styles) if len(styles) > 1 else ()),
        *curve_handles(subject_styles(highlight), limit=20, linewidth=0.8),
        interval_handle(interval),
        *([period_handle()] if len(timeline.periods) else ()),
    ]
    for ax in spare:
        ax.set_axis_off()
    if spare:
        spare[0].legend(handles=handles, loc="upper left")
    else:
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))


def caption(
    interval: str,
    timeline: Timeline,
    summary: pl.DataFrame,
    *,
    individuals: bool,
    whose: str,
    tests: pl.DataFrame | None,
) -> str:
    """Say what is drawn: means, intervals, single subjects, periods and tests."""
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


def _label(adata: AnnData, name: str) -> str:
    if name == ROOT:
        return "all events"
    labelled = Var.LABEL in adata.var and name in adata.var_names
    return (str(adata.var.at[name, Var.LABEL]) if labelled else "") or name

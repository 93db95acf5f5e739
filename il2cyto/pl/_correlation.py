"""Change in one measure against change in another, arm by arm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from il2cyto._tidy import require_frame
from il2cyto.pl._labels import arms_of
from il2cyto.pl._theme import DOUBLE_COLUMN, MM, add_footer, arm_styles, printable, theme

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from matplotlib.axes import Axes

    FloatArray = npt.NDArray[np.float64]

#: Fewer pairs than this have no coefficient worth printing.
FEWEST: Final = 4
COLUMNS: Final = 3


def correlation(
    pairs: pl.DataFrame,
    *,
    x: str = "x",
    y: str = "y",
    panel: str = "population",
    label_x: str = "change in log odds",
    label_y: str = "change in SLEDAI",
    arms: Sequence[str] | None = None,
    simulated: bool = False,
) -> Figure:
    """Draw one panel for each population: a point a subject, arms apart, with Spearman's rho of each arm.

    Arms are never pooled: a difference between them would look like a correlation within them.

    Parameters
    ----------
    pairs
        One row per subject and panel: `arm`, the columns `x`, `y` and `panel`. Rows without one of the values are left out.
    x, y, panel
        Names of the columns.
    label_x, label_y
        What the axes say.
    arms
        Order of the arms, control first; that of the table if None.
    simulated
        Write SIMULATED DATA at the foot.

    Returns
    -------
    The figure. An arm with fewer than four pairs, or without spread, has no rho.

    Raises
    ------
    ValueError
        No row has both values.
    """
    require_frame(pairs, caller="correlation")
    finite = pl.col(x).is_not_null() & pl.col(y).is_not_null() & pl.col(x).is_finite() & pl.col(y).is_finite()
    complete = pairs.with_columns(pl.col(x, y).cast(pl.Float64)).filter(finite)
    if not complete.height:
        msg = f"correlation: no row has both {x!r} and {y!r}."
        raise ValueError(msg)
    names = complete[panel].unique(maintain_order=True).to_list()
    styles = arm_styles(arms_of(complete, arms))
    columns = min(COLUMNS, len(names))
    rows = -(-len(names) // columns)
    with theme():
        size = (DOUBLE_COLUMN * columns / COLUMNS, 50 * MM * rows + 12 * MM)
        figure = Figure(figsize=size, layout="constrained")
        axes = list(figure.subplots(rows, columns, squeeze=False).flat)
        for ax, name in zip(axes, names, strict=False):
            mine = complete.filter(pl.col(panel) == name)
            for line, (arm, style) in enumerate(styles.items()):
                points = mine.filter(arm=arm)
                across, up = points[x].to_numpy(), points[y].to_numpy()
                look: dict[str, Any] = {"color": style.colour, "linestyle": "none", "alpha": 0.8}
                ax.plot(across, up, marker=style.marker, label=f"_points {arm}", **look)
                _write_rho(ax, across, up, printable(arm, limit=16), style.colour, len(styles) - line)
            ax.set_title(printable(str(name), limit=30), loc="left", weight="bold", pad=6 + 7 * len(styles))
            ax.set_xlabel(printable(label_x, limit=40))
            ax.set_ylabel(printable(label_y, limit=40))
        for ax in axes[len(names) :]:
            ax.set_axis_off()
        caption = "Each point a subject; ρ: Spearman's rank correlation within the arm, exploratory."
        add_footer(figure, caption, simulated=simulated)
    return figure


def _write_rho(ax: Axes, x: FloatArray, y: FloatArray, arm: str, colour: str, line: int) -> None:
    text = f"{arm}: n = {len(x)}"
    if len(x) >= FEWEST and np.ptp(x) > 0 and np.ptp(y) > 0:
        text += f", ρ = {f'{spearmanr(x, y).statistic:.2f}'.replace('-', '−')}"
    look: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "ha": "left", "va": "top"}
    ax.annotate(text, (0, 1), (0, 2 + 7 * line), size=5.5, color=colour, **look)

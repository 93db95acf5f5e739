"""Populations over the visits of a trial, by arm."""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_uppercase
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter
from polars import col

from il2cyto import tl
from il2cyto._keys import ROOT, Obs, Uns, Var
from il2cyto._populations import endpoint_populations
from il2cyto.pl._theme import DOUBLE_COLUMN, MM, PERIOD, ArmStyle, add_footer, arm_styles, printable, theme

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import polars as pl
    from anndata import AnnData
    from matplotlib.axes import Axes

    FloatArray = npt.NDArray[np.float64]

ERRORS: Final = {"sem": "SEM", "ci": "95 % confidence interval"}
PANEL_HEIGHT: Final = 62 * MM
COLUMNS: Final = 3


@dataclass(frozen=True)
class Timeline:
    """The visits along the x axis: at their weeks, or one after the other where there are none."""

    position: dict[str, float]
    labels: list[str]
    title: str
    periods: FloatArray

    @classmethod
    def of(cls, adata: AnnData, summary: pl.DataFrame) -> Timeline:
        """Read visits and treatment periods; without a week for every visit there is no scale to shade periods on."""
        visits = summary.select(Obs.VISIT, Obs.WEEK).unique(maintain_order=True).sort(Obs.VISIT)
        names, weeks = visits[Obs.VISIT].cast(str).to_list(), visits[Obs.WEEK].to_list()
        if None in weeks:
            labels = [printable(name, limit=8) for name in names]
            return cls(dict(zip(names, map(float, range(len(names))), strict=True)), labels, "Visit", np.empty((0, 2)))
        periods = np.asarray(adata.uns[Uns.IL2CYTO].get(Uns.TREATMENT_WEEKS, []), np.float64).reshape(-1, 2)
        return cls(dict(zip(names, weeks, strict=True)), [f"{week:g}" for week in weeks], "Week", periods)

"""Tidy polars frames out of a cohort object (see docs/schema.md): one row per fact, text as text, missing as NaN.

Functions whose first parameter is `data` take the AnnData of one panel or a MuData of several; frames of several panels
are stacked, and the column `panel` tells them apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from il2cyto._lazy import attach

if TYPE_CHECKING:  # for type checkers; at run time each name is imported when first used
    from il2cyto.get._absent_markers import absent_markers as absent_markers
    from il2cyto.get._absolute_counts import absolute_counts as absolute_counts
    from il2cyto.get._complete_cases import complete_cases as complete_cases
    from il2cyto.get._composition import composition as composition
    from il2cyto.get._cuts import cut_drift as cut_drift, cuts as cuts
    from il2cyto.get._flags import flags as flags
    from il2cyto.get._frequencies import frequencies as frequencies
    from il2cyto.get._results import results as results
    from il2cyto.get._template import template as template

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "absent_markers": "_absent_markers",
        "absolute_counts": "_absolute_counts",
        "complete_cases": "_complete_cases",
        "composition": "_composition",
        "cut_drift": "_cuts",
        "cuts": "_cuts",
        "flags": "_flags",
        "frequencies": "_frequencies",
        "results": "_results",
        "template": "_template",
    },
)

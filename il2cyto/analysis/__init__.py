"""The analysis of a trial: every table of it, and the methods in words, out of frequencies and clinical tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from il2cyto._lazy import attach

if TYPE_CHECKING:  # for type checkers; at run time each name is imported when first used
    from il2cyto.analysis._analyse import Analysis as Analysis, analyse as analyse
    from il2cyto.analysis._keep import keep_inputs as keep_inputs, kept_inputs as kept_inputs
    from il2cyto.analysis._trials import (
        trial_of_cohort as trial_of_cohort,
        trial_of_frequencies as trial_of_frequencies,
    )
    from il2cyto.analysis._write import write_tables as write_tables


__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Analysis": "_analyse",
        "analyse": "_analyse",
        "keep_inputs": "_keep",
        "kept_inputs": "_keep",
        "trial_of_cohort": "_trials",
        "trial_of_frequencies": "_trials",
        "write_tables": "_write",
    },
)

"""Statistics of a cohort: tables out of an AnnData of samples by populations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from il2cyto._lazy import attach

if TYPE_CHECKING:  # for type checkers; at run time each name is imported when first used
    from il2cyto.tl._dynamics import subject_dynamics as subject_dynamics, summarise_dynamics as summarise_dynamics


__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "subject_dynamics": "_dynamics",
        "summarise_dynamics": "_dynamics",
    },
)

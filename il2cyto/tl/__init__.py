"""Statistics of a cohort: tables out of an AnnData of samples by populations."""

from __future__ import annotations

from il2cyto._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "subject_dynamics": "_dynamics",
        "summarise_dynamics": "_dynamics",
    },
)

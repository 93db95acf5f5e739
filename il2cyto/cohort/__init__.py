"""From a gated study to AnnData: samples × populations, joined with the study's columns. See docs/schema.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from il2cyto._lazy import attach

if TYPE_CHECKING:  # for type checkers; at run time each name is imported when first used
    from il2cyto.cohort._absolute import add_blood_counts as add_blood_counts
    from il2cyto.cohort._build import build_cohort as build_cohort
    from il2cyto.cohort._gate import (
        GatedStudy as GatedStudy,
        Gates as Gates,
        gate_study as gate_study,
        read_gates as read_gates,
        rehearse_study as rehearse_study,
    )

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "GatedStudy": "_gate",
        "Gates": "_gate",
        "add_blood_counts": "_absolute",
        "build_cohort": "_build",
        "gate_study": "_gate",
        "read_gates": "_gate",
        "rehearse_study": "_gate",
    },
)

"""Statistics of a cohort: tables out of an AnnData of samples by populations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from il2cyto._lazy import attach

if TYPE_CHECKING:  # for type checkers; at run time each name is imported when first used
    from il2cyto.tl._dynamics import subject_dynamics as subject_dynamics, summarise_dynamics as summarise_dynamics
    from il2cyto.tl._mmrm._model import empirical_logit as empirical_logit, mmrm as mmrm
    from il2cyto.tl._mmrm._populations import PopulationModels as PopulationModels, population_mmrm as population_mmrm
    from il2cyto.tl._mmrm._result import MMRMResult as MMRMResult


__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "MMRMResult": "_mmrm._result",
        "PopulationModels": "_mmrm._populations",
        "empirical_logit": "_mmrm._model",
        "mmrm": "_mmrm._model",
        "population_mmrm": "_mmrm._populations",
        "subject_dynamics": "_dynamics",
        "summarise_dynamics": "_dynamics",
    },
)

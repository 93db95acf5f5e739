"""Statistics of a cohort: tables out of an AnnData of samples by populations, or out of tidy frames.

The subject is the unit throughout. No test takes counts of cells as if they were replicates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from il2cyto._lazy import attach

if TYPE_CHECKING:  # for type checkers; at run time each name is imported when first used
    from il2cyto.tl._association import (
        compare_aucs as compare_aucs,
        roc_auc as roc_auc,
        spearman as spearman,
    )
    from il2cyto.tl._baseline import (
        baseline_table as baseline_table,
        standardised_difference as standardised_difference,
    )
    from il2cyto.tl._binary import (
        binary_contrasts as binary_contrasts,
        binary_endpoints as binary_endpoints,
        standardised_contrasts as standardised_contrasts,
    )
    from il2cyto.tl._continuous import (
        ancova as ancova,
        continuous_contrasts as continuous_contrasts,
        continuous_endpoints as continuous_endpoints,
        shift_between as shift_between,
    )
    from il2cyto.tl._controls import control_cv as control_cv
    from il2cyto.tl._delta import delta_adjusted as delta_adjusted
    from il2cyto.tl._dynamics import (
        subject_dynamics as subject_dynamics,
        summarise_dynamics as summarise_dynamics,
    )
    from il2cyto.tl._imputation import impute_at_random as impute_at_random, pool_imputations as pool_imputations
    from il2cyto.tl._intensity import intensity_shifts as intensity_shifts
    from il2cyto.tl._means import population_means as population_means
    from il2cyto.tl._missing import missing_table as missing_table
    from il2cyto.tl._mmrm._model import empirical_logit as empirical_logit, mmrm as mmrm
    from il2cyto.tl._mmrm._populations import PopulationModels as PopulationModels, population_mmrm as population_mmrm
    from il2cyto.tl._mmrm._result import MMRMResult as MMRMResult
    from il2cyto.tl._multiplicity import (
        adjust_contrasts as adjust_contrasts,
        benjamini_hochberg as benjamini_hochberg,
        holm as holm,
    )
    from il2cyto.tl._paired import (
        mcnemar as mcnemar,
        signed_rank as signed_rank,
    )
    from il2cyto.tl._power import (
        power_by_simulation as power_by_simulation,
        power_of_proportions as power_of_proportions,
    )
    from il2cyto.tl._proportions import (
        clopper_pearson as clopper_pearson,
        compare_proportions as compare_proportions,
        conditional_odds_ratio as conditional_odds_ratio,
        risk_difference_interval as risk_difference_interval,
    )
    from il2cyto.tl._published import published as published
    from il2cyto.tl._rank_populations import rank_populations as rank_populations
    from il2cyto.tl._ranks import (
        hodges_lehmann as hodges_lehmann,
        hodges_lehmann_two as hodges_lehmann_two,
    )
    from il2cyto.tl._response import response_association as response_association
    from il2cyto.tl._standardised import standardised_risk as standardised_risk
    from il2cyto.tl._stratified import cochran_mantel_haenszel as cochran_mantel_haenszel
    from il2cyto.tl._tipping import tipping_contrasts as tipping_contrasts
    from il2cyto.tl._two_by_two import proportions_p as proportions_p
    from il2cyto.tl._variance import variance_components as variance_components
    from il2cyto.tl._within import population_within as population_within


__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "control_cv": "_controls",
        "MMRMResult": "_mmrm._result",
        "PopulationModels": "_mmrm._populations",
        "adjust_contrasts": "_multiplicity",
        "ancova": "_continuous",
        "baseline_table": "_baseline",
        "benjamini_hochberg": "_multiplicity",
        "binary_contrasts": "_binary",
        "binary_endpoints": "_binary",
        "cochran_mantel_haenszel": "_stratified",
        "compare_aucs": "_association",
        "clopper_pearson": "_proportions",
        "compare_proportions": "_proportions",
        "conditional_odds_ratio": "_proportions",
        "continuous_contrasts": "_continuous",
        "continuous_endpoints": "_continuous",
        "delta_adjusted": "_delta",
        "empirical_logit": "_mmrm._model",
        "hodges_lehmann": "_ranks",
        "hodges_lehmann_two": "_ranks",
        "holm": "_multiplicity",
        "impute_at_random": "_imputation",
        "mcnemar": "_paired",
        "missing_table": "_missing",
        "mmrm": "_mmrm._model",
        "population_means": "_means",
        "population_mmrm": "_mmrm._populations",
        "pool_imputations": "_imputation",
        "population_within": "_within",
        "power_by_simulation": "_power",
        "power_of_proportions": "_power",
        "proportions_p": "_two_by_two",
        "published": "_published",
        "rank_populations": "_rank_populations",
        "response_association": "_response",
        "risk_difference_interval": "_proportions",
        "roc_auc": "_association",
        "shift_between": "_continuous",
        "signed_rank": "_paired",
        "spearman": "_association",
        "standardised_contrasts": "_binary",
        "standardised_difference": "_baseline",
        "standardised_risk": "_standardised",
        "intensity_shifts": "_intensity",
        "subject_dynamics": "_dynamics",
        "summarise_dynamics": "_dynamics",
        "tipping_contrasts": "_tipping",
        "variance_components": "_variance",
    },
)

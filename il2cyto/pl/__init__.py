"""Pictures for print: every function returns a Figure or draws on the Axes it is given, and shows nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from il2cyto._lazy import attach

if TYPE_CHECKING:  # for type checkers; at run time each name is imported when first used
    from il2cyto.pl._compensation import compensation as compensation
    from il2cyto.pl._consort import consort as consort
    from il2cyto.pl._contact_sheet import contact_sheet as contact_sheet
    from il2cyto.pl._correlation import correlation as correlation
    from il2cyto.pl._cut_drift import cut_drift as cut_drift
    from il2cyto.pl._dynamics import dynamics as dynamics
    from il2cyto.pl._endpoints import measure_course as measure_course, response_rates as response_rates
    from il2cyto.pl._explain_cut import explain_cut as explain_cut
    from il2cyto.pl._fmo import fmo as fmo
    from il2cyto.pl._forest import effect_map as effect_map, forest as forest
    from il2cyto.pl._gate_sheet import gate_sheet as gate_sheet
    from il2cyto.pl._gates import Outline as Outline, density as density, histogram as histogram
    from il2cyto.pl._maps import median_map as median_map, population_map as population_map
    from il2cyto.pl._ridge import ridge as ridge
    from il2cyto.pl._subjects import subject_styles as subject_styles
    from il2cyto.pl._template_tree import template_tree as template_tree
    from il2cyto.pl._theme import save_figure as save_figure, theme as theme
    from il2cyto.pl._time_course import time_course as time_course
    from il2cyto.pl._trial import trial_endpoints as trial_endpoints


__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Outline": "_gates",
        "compensation": "_compensation",
        "consort": "_consort",
        "contact_sheet": "_contact_sheet",
        "correlation": "_correlation",
        "cut_drift": "_cut_drift",
        "density": "_gates",
        "dynamics": "_dynamics",
        "effect_map": "_forest",
        "fmo": "_fmo",
        "explain_cut": "_explain_cut",
        "forest": "_forest",
        "gate_sheet": "_gate_sheet",
        "histogram": "_gates",
        "measure_course": "_endpoints",
        "median_map": "_maps",
        "population_map": "_maps",
        "response_rates": "_endpoints",
        "ridge": "_ridge",
        "save_figure": "_theme",
        "subject_styles": "_subjects",
        "template_tree": "_template_tree",
        "theme": "_theme",
        "time_course": "_time_course",
        "trial_endpoints": "_trial",
    },
)

"""Pictures for print: every function returns a Figure or draws on the Axes it is given, and shows nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from il2cyto._lazy import attach

if TYPE_CHECKING:  # for type checkers; at run time each name is imported when first used
    from il2cyto.pl._consort import consort as consort
    from il2cyto.pl._correlation import correlation as correlation
    from il2cyto.pl._dynamics import dynamics as dynamics
    from il2cyto.pl._endpoints import measure_course as measure_course, response_rates as response_rates
    from il2cyto.pl._explain_cut import explain_cut as explain_cut
    from il2cyto.pl._forest import effect_map as effect_map, forest as forest
    from il2cyto.pl._gates import Outline as Outline, density as density, histogram as histogram
    from il2cyto.pl._template_tree import template_tree as template_tree
    from il2cyto.pl._theme import save_figure as save_figure, theme as theme
    from il2cyto.pl._trial import trial_endpoints as trial_endpoints


__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Outline": "_gates",
        "consort": "_consort",
        "correlation": "_correlation",
        "density": "_gates",
        "dynamics": "_dynamics",
        "effect_map": "_forest",
        "explain_cut": "_explain_cut",
        "forest": "_forest",
        "histogram": "_gates",
        "measure_course": "_endpoints",
        "response_rates": "_endpoints",
        "save_figure": "_theme",
        "template_tree": "_template_tree",
        "theme": "_theme",
        "trial_endpoints": "_trial",
    },
)

"""Gates: propose a file's own cuts, reconcile them between files, apply the final ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from il2cyto._lazy import attach

if TYPE_CHECKING:  # for type checkers; at run time each name is imported when first used
    from il2cyto.gt._apply import GateResult as GateResult, apply as apply
    from il2cyto.gt._explain import CutExplanation as CutExplanation, explain_cut as explain_cut
    from il2cyto.gt._flags import Flag as Flag, flag_names as flag_names, legend as legend
    from il2cyto.gt._plan import Events as Events, Plan as Plan, make_plan as make_plan
    from il2cyto.gt._plausibility import (
        Finding as Finding,
        Plausibility as Plausibility,
        panel_plausibility as panel_plausibility,
    )
    from il2cyto.gt._propose import propose as propose
    from il2cyto.gt._reconcile import reconcile as reconcile
    from il2cyto.gt._types import Cut as Cut, Proposal as Proposal
    from il2cyto.io import Density as Density


__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Cut": "_types",
        "CutExplanation": "_explain",
        "Density": "_views",
        "Events": "_plan",
        "Finding": "_plausibility",
        "Flag": "_flags",
        "GateResult": "_apply",
        "Plan": "_plan",
        "Plausibility": "_plausibility",
        "Proposal": "_types",
        "apply": "_apply",
        "explain_cut": "_explain",
        "flag_names": "_flags",
        "legend": "_flags",
        "make_plan": "_plan",
        "panel_plausibility": "_plausibility",
        "propose": "_propose",
        "reconcile": "_reconcile",
    },
)

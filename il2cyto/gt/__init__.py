"""Gates: propose a file's own cuts, reconcile them between files, apply the final ones."""

from __future__ import annotations

from il2cyto._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Cut": "_types",
        "Events": "_plan",
        "Flag": "_flags",
        "GateResult": "_apply",
        "Plan": "_plan",
        "Proposal": "_types",
        "apply": "_apply",
        "flag_names": "_flags",
        "legend": "_flags",
        "make_plan": "_plan",
        "propose": "_propose",
        "reconcile": "_reconcile",
    },
)

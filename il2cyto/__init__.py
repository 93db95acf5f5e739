"""il2cyto: from a trial's FCS files to immune-cell frequencies compared across visits and arms."""

from __future__ import annotations

from il2cyto._lazy import attach

__version__ = "0.1.0"

_NAMESPACES = (
    *("analysis", "checks", "clinical", "cohort", "datasets", "drafting", "errors", "exchange", "explaining", "get"),
    *("gt", "io", "pipeline", "pl", "pp", "report", "sensitivity", "tl"),
)

__getattr__, __dir__, __all__ = attach(__name__, dict.fromkeys(_NAMESPACES, ""))

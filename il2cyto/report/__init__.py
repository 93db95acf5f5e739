"""A run's results as one page that opens without a network: alerts, endpoints, dynamics, gate review, methods, provenance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from il2cyto._lazy import attach

if TYPE_CHECKING:  # for type checkers; at run time each name is imported when first used
    from il2cyto.report._check import write_check_page as write_check_page
    from il2cyto.report._drawings import draw_figures as draw_figures
    from il2cyto.report._page import write_report as write_report


__getattr__, __dir__, __all__ = attach(
    __name__, {"draw_figures": "_drawings", "write_check_page": "_check", "write_report": "_page"}
)

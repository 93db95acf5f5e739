"""What a batch holds and what is wrong with it, from the headers alone: the table behind ``il2cyto check``."""

from __future__ import annotations

from il2cyto._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "CODES": "_codes",
        "Inventory": "_inventory",
        "Problem": "_types",
        "explain": "_codes",
        "joined": "_inventory",
        "problems_table": "_inventory",
        "take_inventory": "_inventory",
    },
)

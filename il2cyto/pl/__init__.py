"""Pictures for print: every function returns a Figure or draws on the Axes it is given, and shows nothing."""

from __future__ import annotations

from il2cyto._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Outline": "_gates",
        "density": "_gates",
        "dynamics": "_dynamics",
        "histogram": "_gates",
        "save_figure": "_theme",
        "theme": "_theme",
    },
)

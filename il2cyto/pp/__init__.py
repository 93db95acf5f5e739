"""Preprocessing of events: compensation and transforms, array in, array out."""

from __future__ import annotations

from il2cyto._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "compensate": "_compensation",
        "inverse_transform": "_transform",
        "transform": "_transform",
    },
)

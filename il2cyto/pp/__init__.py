"""Preprocessing of events: compensation, transforms, and how steadily a file was acquired."""

from __future__ import annotations

from typing import TYPE_CHECKING

from il2cyto._lazy import attach

if TYPE_CHECKING:  # for type checkers; at run time each name is imported when first used
    from il2cyto.pp._compensation import compensate as compensate
    from il2cyto.pp._flow import Stretch as Stretch
    from il2cyto.pp._quality import Acquisition as Acquisition, acquisition as acquisition
    from il2cyto.pp._transform import inverse_transform as inverse_transform, transform as transform


__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Acquisition": "_quality",
        "Stretch": "_flow",
        "acquisition": "_quality",
        "compensate": "_compensation",
        "inverse_transform": "_transform",
        "transform": "_transform",
    },
)

"""The types that pass between propose, reconcile and apply."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from il2cyto.gt._flags import Flag

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Cut:
    """One scalar that a gate fits to a file's events, with its uncertainty.

    Attributes
    ----------
    value
        Position in the gate's own (transformed) coordinate; NaN where none was found.
    spread
        Robust standard deviation over the bootstrap draws; NaN where unknown.
    q05, q95
        5th and 95th percentile over the draws.
    missing
        Share of draws without a cut, 0-1.
    quality
        What the method says of its fit, 0-1: the depth of a valley, for example.
    """

    value: float
    spread: float = float("nan")
    q05: float = float("nan")
    q95: float = float("nan")
    missing: float = 0.0
    quality: float = float("nan")


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one gate method says about one file: cuts by coordinate, or the reason why there are none."""

    cuts: Mapping[str, Cut]
    flags: Flag = Flag.NONE
    reason: str = ""
    diagnostics: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def failed(cls, reason: str, *, coordinates: tuple[str, ...] = ("cut",), flags: Flag = Flag.NONE) -> Proposal:
        """A proposal without a cut."""
        return cls({name: Cut(float("nan")) for name in coordinates}, flags, reason)

    @property
    def found(self) -> bool:
        """Whether every coordinate has a finite value."""
        return bool(self.cuts) and all(np.isfinite(cut.value) for cut in self.cuts.values())


@dataclass(frozen=True, slots=True)
class Decision:
    """The cuts to gate with; None where there are none, with the flags that say why."""

    cuts: Mapping[str, float] | None
    spread: Mapping[str, float] = field(default_factory=dict)
    flags: Flag = Flag.NONE

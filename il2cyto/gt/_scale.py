"""The scale on which a gate looks at its events: a transform, and for imported dimensions the bounds at which it piles up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from il2cyto.pp import inverse_transform, transform
from il2cyto.template._transforms import NoTransform

if TYPE_CHECKING:
    import numpy.typing as npt

    from il2cyto.gt._plan import Plan
    from il2cyto.template._transforms import AnyTransform

    FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scale:
    """A transform that never falls, so that every cut on it is one cut on the linear scale."""

    spec: AnyTransform
    low: float | None = None
    high: float | None = None

    @property
    def clipped(self) -> bool:
        """Whether values beyond a bound are put at the bound."""
        return self.low is not None or self.high is not None

    @property
    def is_identity(self) -> bool:
        """Whether values stay as they are."""
        return isinstance(self.spec, NoTransform) and not self.clipped

    def __call__(self, x: FloatArray) -> FloatArray:
        """Positions of linear values."""
        values = transform(x, self.spec)
        # A bound is a pile-up of what lies beyond it, the logarithm of 0 included.
        return np.clip(values, self.low, self.high) if self.clipped else values

    def guess(self, y: FloatArray) -> FloatArray:
        """Linear values near which the positions are, but for rounding and bounds."""
        return inverse_transform(y, self.spec)


def scale_of(plan: Plan, key: str) -> Scale:
    """The scale of a marker, channel or dimension in one file."""
    if key not in plan.template.dimensions:
        return Scale(plan.template.transform.of(key).at_range(plan.channels[key].range))
    dimension = plan.template.dimensions[key]
    return Scale(dimension.transform.at_range(plan.sources[key][0].range), dimension.low, dimension.high)

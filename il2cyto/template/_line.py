"""A slanted cut: what two markers say together and neither says alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import model_validator

from il2cyto.template._gate import FAR, Coordinate, Gate, Key, Number, Point, Side, check_order
from il2cyto.template._shapes import PolygonGate

if TYPE_CHECKING:
    from collections.abc import Mapping


class ReferenceLineGate(Gate):
    """A slanted cut, parallel to the robust line of y on x of another population of the same sample.

    The cut lies k MADs of the line's residuals plus `shift` above that line; an event is above it if y is. `bounds` is where
    the height of the cut at x = `pivot` may lie.
    """

    fitted: ClassVar[bool] = True
    method: Literal["reference_line"]
    channels: tuple[Key, Key]
    reference: Key
    k: Number = 0.0
    shift: Number = 0.0
    pivot: Number
    keep: Side = "above"
    bounds: Point

    @model_validator(mode="after")
    def _sides(self) -> Self:
        check_order(*self.bounds, "bounds")
        if self.k == 0 and self.shift == 0:
            msg = "reference_line: give k (MADs above the line), shift (on the scale of y), or both"
            raise ValueError(msg)
        return self

    @property
    def referred(self) -> tuple[str, ...]:
        """The reference population."""
        return (self.reference,)

    @property
    def sides(self) -> Mapping[str, Side]:
        """The height of the cut; the uncertain slope turns it around the pivot, and moves no edge."""
        return {"cut": self.keep}

    def coordinate(self, name: str) -> Coordinate:
        """The height adapts as the template says, within the bounds; the slope is the file's own, and has none."""
        return Coordinate("cut", self.bounds) if name == "cut" else Coordinate("own")

    def at_cuts(self, cuts: Mapping[str, float]) -> Gate:
        """One side of the line, as a polygon with far vertices; which side an event on the line itself is on, a polygon says."""
        cut, slope = cuts["cut"], cuts["slope"]
        far = FAR * max(1.0, math.fabs(cut), math.fabs(self.pivot))
        left, right = self.pivot - far, self.pivot + far
        edge = cut + (far if self.keep == "above" else -far) * (1 + math.fabs(slope))
        vertices = ((left, cut - slope * far), (right, cut + slope * far), (right, edge), (left, edge))
        return PolygonGate(method="polygon", channels=self.channels, vertices=vertices)

"""The corner of two cuts, one of which may slant: what CD25 high CD127 low looks like on paper."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from il2cyto.template._cuts import Cut1D, QuantileGate, ReferenceOffsetGate, TailGate, ValleyGate
from il2cyto.template._gate import FAR, Coordinate, Gate, Key, Number, RefGate, Side
from il2cyto.template._mixtures import TMix1dGate
from il2cyto.template._shapes import PolygonGate, QuadrantGate

if TYPE_CHECKING:
    from collections.abc import Mapping


class RefAxis(RefGate):
    """The cut of another population, as an axis of a corner; its channel is that population's, filled in by the template."""

    channel: Key | None = None


Axis = Annotated[
    QuantileGate | ReferenceOffsetGate | TailGate | ValleyGate | TMix1dGate | RefAxis,
    Field(discriminator="method"),
]


class CornerGate(Gate):
    """One side of a cut in x, and one side of a line through the apex that rises with x.

    Attributes
    ----------
    x, y
        How the apex is found: two cut methods, or the cuts of other populations.
    keep
        Side in x, side in y.
    slant
        Angle of the line in degrees on axes that are scaled so that the parent is equally wide in both; 0 is a quadrant.
    """

    fitted: ClassVar[bool] = True
    method: Literal["corner"]
    x: Axis
    y: Axis
    keep: tuple[Side, Side]
    slant: Annotated[Number, Field(gt=-90, lt=90)] = 0.0

    @model_validator(mode="after")
    def _sides_agree(self) -> Self:
        for name, axis, side in (("x", self.x, self.keep[0]), ("y", self.y, self.keep[1])):
            if axis.keep not in (None, "above", side):  # "above" is what a cut has where nothing is written
                msg = f"corner: {name} keeps {axis.keep!r}, the corner {side!r}; leave out the keep in {name}"
                raise ValueError(msg)
        return self

    @property
    def keys(self) -> tuple[str, ...]:
        """The channels of x and y."""
        return tuple(axis.channel for axis in (self.x, self.y) if axis.channel is not None)

    @property
    def referred(self) -> tuple[str, ...]:
        """What either cut needs."""
        return (*self.x.referred, *self.y.referred)

    @property
    def sides(self) -> Mapping[str, Side]:
        """Both coordinates of the apex."""
        return dict(zip(("x", "y"), self.keep, strict=True))

    def coordinate(self, name: str) -> Coordinate:
        """The apex adapts as the template says, but for a cut that is another population's; the slope is the group's."""
        if name == "slope":
            return Coordinate("median")
        axis = {"x": self.x, "y": self.y}.get(name)
        if isinstance(axis, RefAxis):
            return Coordinate("own", of=axis.of)
        return Coordinate("cut", axis.bounds) if isinstance(axis, Cut1D) else Coordinate("cut")

    def at_cuts(self, cuts: Mapping[str, float]) -> Gate:
        """A quadrant, or a polygon with far vertices; an event on the slanted line itself is inside if it is so to the left.

        The polygon's convention: an edge on the left belongs to it, one on the right does not.
        """
        x, y, slope = cuts["x"], cuts["y"], cuts["slope"]
        channels = (self.keys[0], self.keys[1])
        if slope == 0:
            return QuadrantGate(method="quadrant", channels=channels, x=x, y=y, keep=self.keep)
        far = FAR * max(1.0, math.fabs(x), math.fabs(y))
        across, up = (far if side == "above" else -far for side in self.keep)
        steep = up * (1 + math.fabs(slope))
        vertices = ((x, y), (x, y + steep), (x + across, y + steep), (x + across, y + slope * across))
        return PolygonGate(method="polygon", channels=channels, vertices=vertices)

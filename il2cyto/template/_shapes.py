"""Fixed gates: their shape stands in the template."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from il2cyto._strict import Strict
from il2cyto.template._gate import Gate, Key, Number, Point, Positive, Side, check_order


class IntervalGate(Gate):
    """Events with min <= x < max; an absent side is open."""

    method: Literal["interval"]
    channel: Key
    min: Number | None = None
    max: Number | None = None

    @model_validator(mode="after")
    def _sides(self) -> Self:
        check_order(self.min, self.max, "interval")
        if self.min is None and self.max is None:
            msg = "interval: neither min nor max is given; give at least one"
            raise ValueError(msg)
        return self


class FixedRule(Strict):
    """A cut at a number of the template."""

    method: Literal["fixed"]
    at: Number


class FixedGate(FixedRule, Gate):
    """A cut at a number of the template."""

    channel: Key
    keep: Side


class RectangleGate(Gate):
    """The product of intervals, one for each channel; an absent (null) side is open."""

    method: Literal["rectangle"]
    channels: Annotated[tuple[Key, ...], Field(min_length=1)]
    min: tuple[Number | None, ...]
    max: tuple[Number | None, ...]

    @model_validator(mode="after")
    def _sides(self) -> Self:
        if not len(self.channels) == len(self.min) == len(self.max):
            msg = (
                f"rectangle: {len(self.channels)} channels, {len(self.min)} lower and {len(self.max)} upper sides; give as "
                "many of each, null for an open side"
            )
            raise ValueError(msg)
        for low, high, channel in zip(self.min, self.max, self.channels, strict=True):
            check_order(low, high, f"rectangle, {channel}")
        return self


class QuadrantGate(Gate):
    """One quadrant: x at or above its divider is positive."""

    method: Literal["quadrant"]
    channels: tuple[Key, Key]
    x: Number
    y: Number
    keep: tuple[Side, Side]


class PolygonGate(Gate):
    """Even-odd polygon; left and bottom edges are inside, right and top edges outside."""

    method: Literal["polygon"]
    channels: tuple[Key, Key]
    vertices: Annotated[tuple[Point, ...], Field(min_length=3)]


class EllipseGate(Gate):
    """Events with (x - mean)' covariance^-1 (x - mean) <= distance_square, on two channels or more."""

    method: Literal["ellipse"]
    channels: Annotated[tuple[Key, ...], Field(min_length=2)]
    mean: tuple[Number, ...]
    covariance: tuple[tuple[Number, ...], ...]
    distance_square: Positive = 1.0

    @model_validator(mode="after")
    def _covariance_fits(self) -> Self:
        n = len(self.channels)
        if len(self.mean) != n or len(self.covariance) != n or any(len(row) != n for row in self.covariance):
            msg = f"ellipse: {n} channels need a mean of {n} numbers and a covariance of {n} rows of {n}"
            raise ValueError(msg)
        # The compliance suite of Gating-ML has a gate on three channels whose covariance is not even symmetric; its truth
        # follows the formula all the same. On two channels such a matrix is a slip.
        if n == 2:
            (a, b), (c, d) = self.covariance
            if b != c or a <= 0 or a * d - b * c <= 0:
                msg = f"ellipse: covariance {self.covariance} is not symmetric and positive definite"
                raise ValueError(msg)
        return self


class BoundaryGate(Gate):
    """Drops events in the lowest or highest bin of a channel's range, or outside min and max."""

    method: Literal["boundary"]
    channels: Annotated[tuple[Key, ...], Field(min_length=1)]
    min: Number | None = None
    max: Number | None = None

    @model_validator(mode="after")
    def _sides(self) -> Self:
        check_order(self.min, self.max, "boundary")
        return self

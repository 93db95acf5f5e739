"""The gates a template can ask for: what each needs to know, and nothing of how it is computed.

Fixed gates carry their shape; fitted gates carry the parameters of a method in ``il2cyto.gt.methods``. All positions are on
the transformed scale of the template. A lower edge belongs to the gate, an upper edge does not.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

if TYPE_CHECKING:
    from collections.abc import Mapping

Number = Annotated[float, Field(allow_inf_nan=False)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Key = Annotated[str, Field(min_length=1)]
Side = Literal["above", "below"]
Point = tuple[Number, Number]

#: How far the open sides of a slanted gate reach, in units of the larger of 1 and its position: beyond any value on a
#: logarithmic scale, and beyond any that a cytometer gives on a linear one.
FAR: Final = 1e7


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Coordinate(NamedTuple):
    """How one number of a fitted gate is compared with those of other samples.

    Attributes
    ----------
    rule
        How the levels of `adapt` are read. ``cut``: a position, shrunk to its group at level `sample`. Other numbers of a shape
        are the file's own or the group's median: ``median`` is the group's from level `sample` on, ``own`` at the locked levels
        alone.
    bounds
        Where an acceptable number lies.
    of
        The population whose cut it is, which has been reconciled already.
    """

    rule: Literal["cut", "median", "own"] = "own"
    bounds: Point = (-math.inf, math.inf)
    of: str | None = None


class Gate(_Strict):
    """Base of all gates."""

    #: Whether a method fits this gate to the events of each file.
    fitted: ClassVar[bool] = False
    method: str

    @property
    def keys(self) -> tuple[str, ...]:
        """The markers or channels the gate looks at."""
        channel = getattr(self, "channel", None)
        return getattr(self, "channels", ()) if channel is None else (channel,)

    @property
    def referred(self) -> tuple[str, ...]:
        """Other populations that the gate needs."""
        return ()

    @property
    def sides(self) -> Mapping[str, Side]:
        """Coordinate -> the side of it that is kept, for those coordinates whose spread moves the gate's edge."""
        return {}

    def coordinate(self, name: str) -> Coordinate:
        """How the number `name` of the gate's fit is reconciled."""
        del name
        return Coordinate()

    def at_cuts(self, cuts: Mapping[str, float]) -> Gate:
        """The fixed gate that a fitted gate is at its final cuts; a fixed gate, or a band of singlets, is itself."""
        del cuts
        return self


def _ordered(low: float | None, high: float | None, what: str) -> None:
    if low is not None and high is not None and low >= high:
        msg = f"{what}: {low} to {high}; the first must be lower than the second; swap them"
        raise ValueError(msg)


# --- fixed shapes --------------------------------------------------------------------------------------------------------


class IntervalGate(Gate):
    """Events with min <= x < max; an absent side is open."""

    method: Literal["interval"]
    channel: Key
    min: Number | None = None
    max: Number | None = None

    @model_validator(mode="after")
    def _sides(self) -> Self:
        _ordered(self.min, self.max, "interval")
        if self.min is None and self.max is None:
            msg = "interval: neither min nor max is given; give at least one"
            raise ValueError(msg)
        return self


class FixedRule(_Strict):
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
            _ordered(low, high, f"rectangle, {channel}")
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


# --- fitted gates --------------------------------------------------------------------------------------------------------


class Cut1D(Gate):
    """A fitted cut on one channel, kept above or below; `bounds` is where an acceptable cut lies."""

    fitted: ClassVar[bool] = True
    channel: Key
    keep: Side = "above"
    bounds: Point

    @field_validator("bounds")
    @classmethod
    def _bounds_are_ordered(cls, value: Point) -> Point:
        _ordered(*value, "bounds")
        return value

    @property
    def referred(self) -> tuple[str, ...]:
        """The reference population, if the method has one."""
        reference = getattr(self, "reference", None)
        return () if reference is None else (reference,)

    @property
    def sides(self) -> Mapping[str, Side]:
        """The one cut."""
        return {"cut": self.keep}

    def coordinate(self, name: str) -> Coordinate:
        """The cut adapts as the template says."""
        del name
        return Coordinate("cut", self.bounds)

    def at_cuts(self, cuts: Mapping[str, float]) -> Gate:
        """One side of the number."""
        return FixedGate(method="fixed", channel=self.channel, at=cuts["cut"], keep=self.keep)


class QuantileRule(_Strict):
    """A quantile of the parent."""

    method: Literal["quantile"]
    q: Fraction


class ReferenceRule(_Strict):
    """median + k MAD, or quantile q, of another population of the same sample."""

    method: Literal["reference_offset"]
    reference: Key
    k: Number | None = None
    q: Fraction | None = None

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if (self.k is None) == (self.q is None):
            msg = "reference_offset: give k (median + k MAD) or q (quantile of the reference), exactly one of the two"
            raise ValueError(msg)
        return self

    @property
    def referred(self) -> tuple[str, ...]:
        """The reference population."""
        return (self.reference,)


class TailRule(_Strict):
    """Where the tail of a named peak flattens out."""

    method: Literal["tail"]
    peak: Literal["tallest", "first", "last"] | Annotated[int, Field(ge=1)] = "tallest"
    side: Literal["left", "right"]
    tol: Fraction = 0.01
    adjust: Positive = 1.0


class QuantileGate(QuantileRule, Cut1D):
    """A quantile of the parent."""


class ReferenceOffsetGate(ReferenceRule, Cut1D):
    """A cut measured from another population of the same sample: median + k MAD, or quantile q."""


class TailGate(TailRule, Cut1D):
    """Where the tail of a named peak flattens out."""


OnePeakRule = Annotated[FixedRule | QuantileRule | ReferenceRule | TailRule, Field(discriminator="method")]


class ValleyGate(Cut1D):
    """The deepest minimum between two peaks; `one_peak` says what to do where there is no second peak."""

    method: Literal["valley"]
    adjust: Positive = 1.0
    prominence: Share = 0.02
    depth: Share = 0.1
    one_peak: Literal["fail"] | OnePeakRule

    @property
    def referred(self) -> tuple[str, ...]:
        """The reference population of the one-peak rule, if it has one."""
        return (self.one_peak.reference,) if isinstance(self.one_peak, ReferenceRule) else ()

    def one_peak_gate(self) -> FixedGate | QuantileGate | ReferenceOffsetGate | TailGate | None:
        """The one-peak rule as a complete gate on the valley's channel; None where the rule is to fail."""
        if self.one_peak == "fail":
            return None
        place = {"channel": self.channel, "keep": self.keep}
        rule = self.one_peak.model_dump()
        if isinstance(self.one_peak, FixedRule):
            return FixedGate.model_validate({**place, **rule})
        gates: dict[str, type[QuantileGate | ReferenceOffsetGate | TailGate]] = {
            "quantile": QuantileGate,
            "reference_offset": ReferenceOffsetGate,
            "tail": TailGate,
        }
        return gates[self.one_peak.method].model_validate({**place, "bounds": self.bounds, **rule})


class BoundaryGate(Gate):
    """Drops events in the lowest or highest bin of a channel's range, or outside min and max."""

    method: Literal["boundary"]
    channels: Annotated[tuple[Key, ...], Field(min_length=1)]
    min: Number | None = None
    max: Number | None = None

    @model_validator(mode="after")
    def _sides(self) -> Self:
        _ordered(self.min, self.max, "boundary")
        return self


class SingletGate(Gate):
    """A band around the robust line of height on area."""

    fitted: ClassVar[bool] = True
    method: Literal["singlet"]
    area: Key
    height: Key
    level: Fraction = 0.99
    side: Literal["both", "lower"] = "both"

    @property
    def keys(self) -> tuple[str, ...]:
        """Area and height."""
        return (self.area, self.height)


class RefGate(Gate):
    """The gate of another population with its final cuts, same or other side."""

    method: Literal["ref"]
    of: Key
    keep: Side | None = None

    @property
    def referred(self) -> tuple[str, ...]:
        """The population whose gate is used."""
        return (self.of,)

    def same_side(self, gate: Gate | None) -> bool:
        """Whether the events inside are those inside the other gate; the inside of a shape counts as above."""
        own = getattr(gate, "keep", None)
        return self.keep is None or self.keep == (own if isinstance(own, str) else "above")

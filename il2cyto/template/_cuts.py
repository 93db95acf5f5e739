"""Gates fitted to the events of each file: cuts on one channel, and the band of singlets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from il2cyto._strict import Strict
from il2cyto.template._gate import (
    Coordinate,
    Fraction,
    Gate,
    Key,
    Number,
    Point,
    Positive,
    Share,
    Side,
    check_order,
)
from il2cyto.template._shapes import FixedGate, FixedRule

if TYPE_CHECKING:
    from collections.abc import Mapping


class Cut1D(Gate):
    """A fitted cut on one channel, kept above or below; `bounds` is where an acceptable cut lies."""

    fitted: ClassVar[bool] = True
    channel: Key
    keep: Side = "above"
    bounds: Point

    @field_validator("bounds")
    @classmethod
    def _bounds_ascend(cls, value: Point) -> Point:
        check_order(*value, "bounds")
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


class QuantileRule(Strict):
    """A quantile of the parent."""

    method: Literal["quantile"]
    q: Fraction


class ReferenceRule(Strict):
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


class TailRule(Strict):
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

"""What the gates of a template have in common: what each needs to know, and nothing of how it is computed.

Fixed gates carry their shape; fitted gates carry the parameters of a method in ``il2cyto.gt.methods``. All positions are on
the transformed scale of the template. A lower edge belongs to the gate, an upper edge does not.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal, NamedTuple

from pydantic import Field

from il2cyto._strict import Strict

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


class Gate(Strict):
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


def check_order(low: float | None, high: float | None, what: str) -> None:
    """Refuse bounds that are not in order; a side that is open is in any."""
    if low is not None and high is not None and low >= high:
        msg = f"{what}: {low} to {high}; the first must be lower than the second; swap them"
        raise ValueError(msg)

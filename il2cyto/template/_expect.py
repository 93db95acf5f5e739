"""What the markers of a panel must do if the labels of a file are right: read on its events, not on its labels."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Discriminator, Field, Tag

from il2cyto._strict import Strict
from il2cyto.template._gate import Key


class Correlation(Strict):
    """Two markers exclude one another on the cells of a population: their correlation lies below a number."""

    marker: Key
    against: Key
    within: Key
    correlation_below: Annotated[float, Field(ge=-1, le=1)]

    @property
    def markers(self) -> tuple[str, ...]:
        """The markers whose values are compared."""
        return (self.marker, self.against)

    @property
    def populations(self) -> tuple[str, ...]:
        """The populations on whose events they are compared."""
        return (self.within,)


class Higher(Strict):
    """A marker is higher in one population than in another: a random event of the first beats one of the second that often."""

    marker: Key
    higher_in: Key
    than: Key
    auc_above: Annotated[float, Field(ge=0, lt=1)]

    @property
    def markers(self) -> tuple[str, ...]:
        """The marker whose values are compared."""
        return (self.marker,)

    @property
    def populations(self) -> tuple[str, ...]:
        """The populations on whose events they are compared."""
        return (self.higher_in, self.than)


def _kind(value: Any) -> str:
    fields = value if isinstance(value, dict) else vars(value) if isinstance(value, BaseModel) else {}
    return "correlation" if {"against", "within", "correlation_below"} & fields.keys() else "higher"


Expectation = Annotated[
    Annotated[Correlation, Tag("correlation")] | Annotated[Higher, Tag("higher")], Discriminator(_kind)
]

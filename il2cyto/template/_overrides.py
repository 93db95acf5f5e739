"""Overrides: gates that a person set by hand for single samples, with who, why and when."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from il2cyto._strict import Strict
from il2cyto.template._gate import Number, Point

Text = Annotated[str, Field(min_length=1)]


class Override(Strict):
    """One gate of one sample, set by hand: a cut for a fitted 1-D gate, or a polygon for a gate on two channels.

    Positions are on the template's scale. With `accept_panel` in their place, and without a population, a person vouches for the
    labels of a file that the template's `expect` refuses.
    """

    sample: Text
    population: Text | None = None
    cut: Number | None = None
    polygon: Annotated[tuple[Point, ...], Field(min_length=3)] | None = None
    accept_panel: Literal[True] | None = None
    who: Text
    why: Text
    when: Text

    @field_validator("when")
    @classmethod
    def _when_is_a_time(cls, value: str) -> str:
        try:
            datetime.fromisoformat(value)
        except ValueError:
            msg = 'not a date and time; write it like "2025-11-03T09:20:00Z"'
            raise ValueError(msg) from None
        return value

    @model_validator(mode="after")
    def _one_shape(self) -> Self:
        if sum(shape is not None for shape in (self.cut, self.polygon, self.accept_panel)) != 1:
            msg = "give a cut, a polygon or accept_panel: true, exactly one of the three"
            raise ValueError(msg)
        if (self.population is None) != bool(self.accept_panel):
            msg = "a cut or a polygon needs the population whose gate it is; accept_panel concerns the whole file and has none"
            raise ValueError(msg)
        return self


class Overrides(Strict):
    """An overrides file."""

    file_schema: Literal["il2cyto/gating-overrides/1"] = Field(alias="schema")
    overrides: tuple[Override, ...] = ()

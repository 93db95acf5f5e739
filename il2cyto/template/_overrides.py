"""Overrides: gates that a person set by hand for single samples, with who, why and when."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from il2cyto.template._gates import Number, Point

Text = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Override(_Strict):
    """One gate of one sample, set by hand: a cut for a fitted 1-D gate, or a polygon for a gate on two channels.

    Positions are on the template's scale.
    """

    sample: Text
    population: Text
    cut: Number | None = None
    polygon: Annotated[tuple[Point, ...], Field(min_length=3)] | None = None
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
        if (self.cut is None) == (self.polygon is None):
            msg = "give a cut or a polygon, exactly one of the two"
            raise ValueError(msg)
        return self


class Overrides(_Strict):
    """An overrides file."""

    file_schema: Literal["il2cyto/gating-overrides/1"] = Field(alias="schema")
    overrides: tuple[Override, ...] = ()

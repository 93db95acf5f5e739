"""Dimensions: what gates look at where a channel's name is not enough, because each gate says how its data are to be prepared."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from il2cyto._strict import Strict
from il2cyto.template._gate import Key, Number
from il2cyto.template._transforms import NoTransform, Transform


class Ratio(Strict):
    """a (x - b) / (y - c) of two channels (Gating-ML's fratio)."""

    numerator: Key
    denominator: Key
    a: Number = 1.0
    b: Number = 0.0
    c: Number = 0.0


class Dimension(Strict):
    """A channel, or a ratio of two, with its own compensation and scale.

    Attributes
    ----------
    channel
        ``$PnN`` or ``$PnS`` of the file, or a fluorochrome of the matrix.
    ratio
        Instead of a channel.
    compensation
        ``acquisition``: the file's own matrix, if it has one; ``none``; or a name in the template's `matrices`.
    transform
        Scale on which gates use the dimension.
    low, high
        Positions on that scale at which lower and higher values are put (Gating-ML's boundMin and boundMax).
    """

    channel: Key | None = None
    ratio: Ratio | None = None
    compensation: Key = "none"
    transform: Transform = NoTransform()
    low: Number | None = None
    high: Number | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.channel is None) == (self.ratio is None):
            msg = "dimension: give a channel or a ratio, exactly one of the two"
            raise ValueError(msg)
        if self.low is not None and self.high is not None and self.low >= self.high:
            msg = f"dimension: low is {self.low}, high {self.high}; the first must be lower"
            raise ValueError(msg)
        return self

    @property
    def sources(self) -> tuple[str, ...]:
        """The channels that the dimension is made of."""
        if self.ratio is not None:
            return self.ratio.numerator, self.ratio.denominator
        return () if self.channel is None else (self.channel,)


class Matrix(Strict):
    """A spillover matrix: row i says what fluorochrome i gives to each detector.

    With more detectors than fluorochromes (spectral data) compensation is a least-squares fit.
    """

    fluorochromes: Annotated[tuple[Key, ...], Field(min_length=1)]
    detectors: Annotated[tuple[Key, ...], Field(min_length=1)]
    spillover: tuple[tuple[Number, ...], ...]

    @model_validator(mode="after")
    def _shapes_fit(self) -> Self:
        rows, columns = len(self.fluorochromes), len(self.detectors)
        if len(self.spillover) != rows or any(len(row) != columns for row in self.spillover) or rows > columns:
            msg = (
                f"matrix: {rows} fluorochromes and {columns} detectors need {rows} rows of {columns} numbers, and no more "
                "fluorochromes than detectors"
            )
            raise ValueError(msg)
        for what, names in (("fluorochrome", self.fluorochromes), ("detector", self.detectors)):
            if len(set(names)) < len(names):
                msg = f"matrix: a {what} stands twice"
                raise ValueError(msg)
        return self

"""Gates fitted as mixtures of t distributions, and the gate whose cut comes from a stained control."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from il2cyto._strict import Strict
from il2cyto.template._cuts import Cut1D
from il2cyto.template._gate import Coordinate, Fraction, Gate, Key, Number, Point, Positive
from il2cyto.template._shapes import EllipseGate

if TYPE_CHECKING:
    from collections.abc import Mapping

Matrix2 = tuple[tuple[Number, Number], tuple[Number, Number]]
#: Degrees of freedom of every component.
NU = 4.0


class FmoGate(Cut1D):
    """A quantile of the batch's control that was stained with all but this marker (fluorescence minus one)."""

    method: Literal["fmo"]
    quantile: Fraction = 0.995


class _Prior(Strict):
    #: Degrees of freedom of `scatter`, and the Dirichlet weight of the component; 1 says nothing of it.
    degrees: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    alpha: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 1.0


class Prior1D(_Prior):
    """What is known of a component: how far its mean may lie from its centre (`variance`), and its scatter."""

    variance: Positive
    scatter: Positive


class Prior2D(_Prior):
    """What is known of a component: the covariance of its mean around its centre, and its scatter."""

    covariance: Matrix2
    scatter: Matrix2

    @model_validator(mode="after")
    def _matrices_are_positive(self) -> Self:
        for name, ((a, b), (c, d)) in (("covariance", self.covariance), ("scatter", self.scatter)):
            if b != c or a <= 0 or a * d - b * c <= 0:
                msg = f"prior: {name} is not symmetric and positive definite"
                raise ValueError(msg)
        return self


class TMix1dGate(Cut1D):
    """The cut between two neighbouring components of a t-mixture, where an event belongs to either with equal probability.

    Attributes
    ----------
    components
        How many.
    between
        The two components, counted from the lowest mean: ``[2, 3]``.
    centers
        Where the fit starts; quantiles if absent.
    prior
        What is known of each component, around its centre.
    """

    method: Literal["tmix1d"]
    components: Annotated[int, Field(ge=2, le=8)]
    between: tuple[int, int]
    centers: tuple[Number, ...] | None = None
    prior: tuple[Prior1D, ...] | None = None

    @model_validator(mode="after")
    def _numbers_fit(self) -> Self:
        low, high = self.between
        if high != low + 1 or low < 1 or high > self.components:
            msg = (
                f"tmix1d: between is {low} and {high}; allowed are neighbours of 1 to {self.components}, such as [1, 2]"
            )
            raise ValueError(msg)
        _one_each("tmix1d", self.components, self.centers, self.prior)
        return self


class TMix2dGate(Gate):
    """The ellipse around one component of a t-mixture on two channels.

    Attributes
    ----------
    centers
        Where the fit starts, one for each component.
    target
        The component that is kept: the one whose fitted mean is nearest to ``centers[target]``, counted from 0.
    quantile
        Share of the component's own events that the ellipse holds.
    bounds
        For each channel, where an acceptable centre lies.
    prior
        What is known of each component, around its centre.
    """

    fitted: ClassVar[bool] = True
    method: Literal["tmix2d"]
    channels: tuple[Key, Key]
    centers: Annotated[tuple[Point, ...], Field(min_length=1, max_length=8)]
    target: Annotated[int, Field(ge=0)]
    quantile: Fraction = 0.95
    bounds: tuple[Point, Point] | None = None
    prior: tuple[Prior2D, ...] | None = None

    @model_validator(mode="after")
    def _numbers_fit(self) -> Self:
        if self.target >= len(self.centers):
            msg = f"tmix2d: target is {self.target}; allowed are 0 to {len(self.centers) - 1}, the places in centers"
            raise ValueError(msg)
        for low, high in self.bounds or ():
            if low >= high:
                msg = f"tmix2d: bounds {low} to {high}; the first must be lower than the second; swap them"
                raise ValueError(msg)
        _one_each("tmix2d", len(self.centers), None, self.prior)
        return self

    def coordinate(self, name: str) -> Coordinate:
        """The centre adapts like a cut, each axis for itself; size and tilt are the group's."""
        if name not in ("mean_x", "mean_y"):
            return Coordinate("median")
        return Coordinate("cut", self.bounds[name == "mean_y"]) if self.bounds else Coordinate("cut")

    def at_cuts(self, cuts: Mapping[str, float]) -> Gate:
        """The ellipse with the covariance L L', of which the logarithm of the diagonal of L and its lower entry are given.

        The squared distance from the centre of the events of a t distribution with nu degrees of freedom, divided by the
        dimension 2, has an F distribution with 2 and nu: its quantile is nu / 2 ((1 - q)^(-2 / nu) - 1).
        """
        a, b, d = math.exp(cuts["log_l11"]), cuts["l21"], math.exp(cuts["log_l22"])
        return EllipseGate(
            method="ellipse",
            channels=self.channels,
            mean=(cuts["mean_x"], cuts["mean_y"]),
            covariance=((a * a, a * b), (a * b, b * b + d * d)),
            distance_square=NU * ((1.0 - self.quantile) ** (-2.0 / NU) - 1.0),
        )


def _one_each(
    method: str, components: int, centers: tuple[Number, ...] | None, prior: tuple[_Prior, ...] | None
) -> None:
    for what, given in (("centers", centers), ("prior", prior)):
        if given is not None and len(given) != components:
            msg = f"{method}: {len(given)} {what} for {components} components; give one for each"
            raise ValueError(msg)
    if method == "tmix1d" and prior is not None and centers is None:
        msg = "tmix1d: a prior without centers; give the centers that it is about"
        raise ValueError(msg)

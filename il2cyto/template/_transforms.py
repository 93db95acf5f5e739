"""What a template may say about the scale of a channel (Gating-ML 2.0 names and parameters)."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias, TypeVar

from pydantic import Field, model_validator

from il2cyto._strict import Strict

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
#: The top of the scale, or `range`: the file's own $PnR of the channel.
Top = Positive | Literal["range"]


class _Transform(Strict):
    def at_range(self, channel_range: float) -> Self:
        """The same transform with `t: range` replaced by a channel's $PnR."""
        if getattr(self, "t", None) != "range":
            return self
        return self.model_copy(update={"t": float(channel_range)})


WidenedT = TypeVar("WidenedT", "Logicle", "Hyperlog")


def _require_room(transform: WidenedT) -> WidenedT:
    """The linear part, w decades to either side of zero, has to fit into the m decades of the scale."""
    if 2 * transform.w > transform.m:
        msg = f"{transform.method}: w is {transform.w} with m {transform.m}; allowed is w <= m/2; lower w"
        raise ValueError(msg)
    return transform


class Logicle(_Transform):
    """Biexponential scale of Parks, Roederer and Moore (Cytometry A 2006); 1 at the top of scale `t`."""

    method: Literal["logicle"] = "logicle"
    t: Top = 262144.0
    w: NonNegative = 0.5
    m: Positive = 4.5
    a: NonNegative = 0.0

    _widths_fit = model_validator(mode="after")(_require_room)


class Hyperlog(_Transform):
    """Log-like scale of Bagwell (Cytometry A 2005), linear around zero; 1 at the top of scale `t`."""

    method: Literal["hyperlog"] = "hyperlog"
    t: Top = 262144.0
    w: Positive = 0.5
    m: Positive = 4.5
    a: NonNegative = 0.0

    _widths_fit = model_validator(mode="after")(_require_room)


class Linear(_Transform):
    """(x + a) / (t + a): 0..1 between -a and t."""

    method: Literal["linear"] = "linear"
    t: Top = 262144.0
    a: Number = 0.0

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if isinstance(self.t, float) and self.t + self.a <= 0:
            msg = f"linear: t + a is {self.t + self.a}; it must be positive; raise a"
            raise ValueError(msg)
        return self


class Asinh(_Transform):
    """arcsinh(x / cofactor), as mass cytometry uses it (cofactor 5) and flow with 100-3000."""

    method: Literal["asinh"] = "asinh"
    cofactor: Positive = 150.0


class ScaledAsinh(_Transform):
    """The arcsinh of Gating-ML: `m` decades and `a` negative ones between 0 and 1, 1 at the top of scale `t`."""

    method: Literal["scaled_asinh"] = "scaled_asinh"
    t: Top = 262144.0
    m: Positive = 4.5
    a: NonNegative = 0.0


class Log(_Transform):
    """log10(x / t) / m + 1, for x > 0."""

    method: Literal["log"] = "log"
    t: Top = 262144.0
    m: Positive = 4.5


class FlowJoLog(_Transform):
    """log10(max(x, offset) / offset) / decades, as FlowJo 10 draws it: what lies below `offset` lies at 0."""

    method: Literal["flowjo_log"] = "flowjo_log"
    offset: Positive = 1.0
    decades: Positive = 4.5


class FlowJoBiex(_Transform):
    """The biexponential of FlowJo 10: a table of 4097 positions, straight lines between them, 0 and 4096 beyond its ends."""

    method: Literal["flowjo_biex"] = "flowjo_biex"
    negative: NonNegative = 0.0
    width: Annotated[float, Field(le=-1, ge=-1e6)] = -10.0
    positive: Annotated[float, Field(gt=0, le=20)] = 4.418540
    max: Positive = 262144.000029


class NoTransform(_Transform):
    """Values as stored: data that were transformed by the exporting program. Pictures show `view`, or guess from the gates."""

    method: Literal["none"] = "none"
    view: tuple[Number, Number] | None = None

    @model_validator(mode="after")
    def _view_ascends(self) -> Self:
        if self.view is not None and not self.view[0] < self.view[1]:
            msg = f"none: view is {list(self.view)}; allowed are the lower end and then the upper; exchange them"
            raise ValueError(msg)
        return self


AnyTransform: TypeAlias = Logicle | Hyperlog | Linear | Asinh | ScaledAsinh | Log | FlowJoLog | FlowJoBiex | NoTransform
Transform = Annotated[AnyTransform, Field(discriminator="method")]


class TransformRules(Strict):
    """Which transform holds for which marker or channel."""

    default: Transform = Logicle()
    channels: dict[str, Transform] = Field(default_factory=dict)

    def of(self, key: str) -> AnyTransform:
        """The transform of a marker or channel as the template writes it."""
        return self.channels.get(key, self.default)

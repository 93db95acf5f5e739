"""Where the ticks of a cytometry axis stand, and how far it reaches: the same for every sample of a study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.axis import XAxis

from il2cyto._keys import Uns
from il2cyto.pl._theme import TICK_SIZE
from il2cyto.pp import inverse_transform, transform
from il2cyto.template._transforms import Asinh, Linear, Log, Logicle, NoTransform

if TYPE_CHECKING:
    import numpy.typing as npt
    from anndata import AnnData
    from matplotlib.axis import Axis

    from il2cyto.template import GatingTemplate

    FloatArray = npt.NDArray[np.float64]
    Spec = Logicle | Linear | Asinh | Log | NoTransform

_SUPERSCRIPT: Final = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
#: Labels nearer than this share of the axis would run into each other.
_APART: Final = 0.1


@dataclass(frozen=True)
class Scale:
    """An axis in transformed coordinates: its limits, and ticks in the units of the cytometer."""

    low: float
    high: float
    major: FloatArray
    labels: tuple[str, ...]
    minor: FloatArray

    @classmethod
    def of(cls, spec: Spec, values: FloatArray) -> Scale:
        """Lay out an axis for a transform; only where that has no top, the transformed values decide the limits.

        Biexponential scales are labelled -10³, 0, 10³, 10⁴, 10⁵, linear ones in thousands (K), untransformed values
        by themselves.
        """
        match spec:
            case Logicle(t=float(top)):
                # Down to -1000 where the scale has room for it; what lies lower is drawn at the edge.
                low = float(np.clip(transform([-1000.0], spec)[0] - 0.03, -0.26, 0.0))
                return cls._decades(spec, low, 1.03, top)
            case Log(t=float(top), m=m):
                return cls._decades(spec, float(transform([top / 10**m], spec)[0]) - 0.02, 1.03, top)
            case Asinh():
                low, high = _span(values)
                return cls._decades(spec, low, high, float(np.sinh(high) * spec.cofactor))
            case Linear(t=float(top)):
                low, high = transform([0.0, top], spec) + np.array([-0.02, 0.03])
                return cls._thousands(spec, float(low), float(high), _round_step(top))
            case _:
                low, high = _span(values)
                ticks = np.arange(np.ceil(low / (s := _round_step(high - low))), np.floor(high / s) + 1) * s + 0.0
                return cls(low, high, ticks, tuple(f"{tick:g}".replace("-", "−") for tick in ticks), np.empty(0))

    @classmethod
    def within(cls, spec: Spec, limits: tuple[float, float]) -> Scale:
        """Lay out an axis that begins and ends at given limits, such as those of stored bins."""
        low, high = limits
        scale = cls.of(spec, np.array(limits))
        if isinstance(spec, Linear) and not isinstance(spec.t, str):
            scale = cls._thousands(spec, low, high, _round_step((high - low) * spec.t))
        inside = (scale.major >= low) & (scale.major <= high)
        if inside.sum() < 2 and isinstance(spec, Logicle | Log | Asinh):
            return cls._between_decades(spec, low, high)
        labels = tuple(label for label, shown in zip(scale.labels, inside, strict=True) if shown)
        minor = scale.minor[(scale.minor >= low) & (scale.minor <= high)]
        return cls(low, high, scale.major[inside], labels, minor)

    @classmethod
    def _between_decades(cls, spec: Spec, low: float, high: float) -> Scale:
        """Put ticks at round values of an axis that is too short for powers of ten."""
        first, last = inverse_transform([low, high], spec).tolist()
        step = _round_step(last - first)
        values = np.arange(np.ceil(first / step), np.floor(last / step) + 1) * step + 0.0
        labels = tuple(f"{value:,.6g}".replace("-", "−") for value in values)
        return cls(low, high, transform(values, spec), labels, np.empty(0))

    @classmethod
    def _thousands(cls, spec: Linear, low: float, high: float, step: float) -> Scale:
        """Put ticks at the multiples of a step."""
        ticks = np.arange(0, float(spec.t) + step / 2, step)
        labels = tuple(f"{tick / 1000:g}K" if tick >= 1000 else f"{tick:g}" for tick in ticks)
        return cls(low, high, transform(ticks, spec), labels, np.empty(0))

    @classmethod
    def _decades(cls, spec: Spec, low: float, high: float, top: float) -> Scale:
        """Put ticks at the powers of ten on both sides of zero, minor ones at their multiples."""
        decades = 10.0 ** np.arange(0 if isinstance(spec, Log) else 1, np.ceil(np.log10(max(top, 100.0))) + 1)
        minor = np.outer(decades, np.arange(2, 10)).ravel()
        positive = isinstance(spec, Log)
        candidates = decades[::-1] if positive else np.concatenate([[0.0], decades[::-1], -decades[::-1]])
        minor = transform(minor if positive else np.concatenate([minor, -minor]), spec)
        shown: list[float] = []
        names: list[str] = []
        # Zero first, then the largest decades: what is crowded out near zero are the small ones.
        for value, at in zip(candidates, transform(candidates, spec), strict=True):
            if low <= at <= high and all(abs(at - other) >= _APART * (high - low) for other in shown):
                shown.append(float(at))
                names.append(_power(value))
        return cls(low, high, np.array(shown), tuple(names), minor[(minor >= low) & (minor <= high)])

    def draw(self, axis: Axis, *, size: float = TICK_SIZE, minor: bool = True) -> None:
        """Put limits and ticks on an axis; labels of that size that would run into their neighbours are left out."""
        axis.set_view_interval(self.low, self.high, ignore=True)
        axis.set_ticks(self.major.tolist(), self._fitting(_length(axis), size))
        if minor:
            axis.set_ticks(self.minor.tolist(), minor=True)

    def _fitting(self, points: float, size: float) -> list[str]:
        """Labels on so many points, empty where one would touch its neighbour; a character is 0.65 of its size wide, a superscript half that."""
        kept: list[tuple[float, float]] = []
        labels = []
        for at, label in zip(self.major, self.labels, strict=True):
            half = size * 0.65 * (len(label) - 0.5 * sum(character in "⁰¹²³⁴⁵⁶⁷⁸⁹" for character in label)) / 2
            place = float(at) / (self.high - self.low) * points
            fits = all(abs(place - other) >= half + width + 1 for other, width in kept)
            labels.append(label if fits else "")
            kept += [(place, half)] if fits else []
        return labels


def _length(axis: Axis) -> float:
    """Points that an axis is long; upright ones have room for any label."""
    if not isinstance(axis, XAxis):
        return 1e6
    figure = axis.axes.figure.get_figure(root=True)
    return float(72 * axis.axes.get_position().width * figure.get_figwidth())


def spec_of(adata: AnnData, template: GatingTemplate, key: str) -> Spec:
    """Give the transform of a marker or channel with a number for its top, which may be the range of the files' channel.

    Where the files disagree on that range, or the scale is one without ticks here, the axis shows the gate's own units.
    """
    spec = template.scale_of(key)
    channels = adata.uns[Uns.IL2CYTO][Uns.CHANNELS]
    ranges = set(channels.loc[channels["marker"] == key, "range"])
    if len(ranges) == 1:
        spec = spec.at_range(ranges.pop())
    known = isinstance(spec, Logicle | Linear | Asinh | Log) and not isinstance(getattr(spec, "t", None), str)
    return spec if known else NoTransform(method="none")  # type: ignore[return-value]


def _power(value: float) -> str:
    if value == 0:
        return "0"
    exponent = str(round(np.log10(abs(value)))).translate(_SUPERSCRIPT)
    return f"{'−' if value < 0 else ''}10{exponent}"


def _span(values: FloatArray) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = np.quantile(finite, [0.0005, 0.9995])
    margin = 0.05 * (high - low) or 0.5
    return float(low - margin), float(high + margin)


def _round_step(span: float) -> float:
    """Choose a step of 1, 2 or 5 times a power of ten that makes four to nine ticks."""
    power = 10.0 ** np.floor(np.log10(span / 4))
    return float(max(step * power for step in (1, 2, 5) if step * power <= span / 4))

"""What a reviewer sees of each gate: its parent's events, binned on axes that are the same for all files of a template."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from il2cyto.gt._kernels._columns import LAST_STEP
from il2cyto.gt._kernels._views import LEVELS, STEPS
from il2cyto.io import Density
from il2cyto.pp import transform
from il2cyto.template import RefGate
from il2cyto.template._transforms import Asinh, FlowJoBiex, NoTransform

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from il2cyto.gt._plan import Plan
    from il2cyto.gt._scale import Scale
    from il2cyto.template import Gate, GatingTemplate, Population

    FloatArray = npt.NDArray[np.float64]
    Limits = tuple[float, float]

#: Second axis of a gate on one channel: the first of these that the file has and that is not the gate's own.
_SECOND: Final = ("SSC-A", "FSC-A")
#: Where there is neither a scale from 0 to 1 nor a number in the template, an axis goes up to the range of most cytometers.
_TOP: Final = 262144.0


@dataclass(frozen=True, slots=True)
class View:
    """The axes on which a gate is looked at; an empty `y` is no second axis."""

    population: str
    parent: str
    x: str
    y: str
    x_limits: Limits
    y_limits: Limits
    fitted: bool  # on one channel: with a histogram


def plan_views(plan: Plan) -> tuple[View, ...]:
    """Choose axes for each gate whose channels the file has, but for complements, which see what the gate itself sees."""
    template = plan.template
    views = []
    for population in template.populations:
        gate = gate_of(template, population)
        if gate is None or plan.missing(population):
            continue
        keys = list(dict.fromkeys([*gate.keys, *_SECOND]))
        x, y = [*(key for key in keys if key in plan.channels or key in plan.sources), "", ""][:2]
        limits = [axis_limits(template, key) if key else (0.0, 1.0) for key in (x, y)]
        histogram = gate.fitted and len(gate.keys) == 1
        views.append(View(population.name, population.parent, x, y, limits[0], limits[1], histogram))
    return tuple(views)


def with_scatter(plan: Plan) -> Plan:
    """The plan with the channels of second axes, also where no gate uses them."""
    found = {key: plan.panel.find(key) for key in _SECOND if key not in plan.channels}
    return replace(plan, channels={**plan.channels, **{k: channel for k, channel in found.items() if channel}})


def gate_of(template: GatingTemplate, population: Population) -> Gate | None:
    """The gate that a population is drawn with; None for booleans, and for a gate seen already on the same parent."""
    gate = population.gate
    while isinstance(gate, RefGate):
        if template.by_name[gate.of].parent == population.parent:
            return None
        gate = template.by_name[gate.of].gate
    return gate


def axis_limits(template: GatingTemplate, key: str) -> Limits:
    """First and last edge of a channel's axis, on its scale, from the template alone.

    Scales from 0 to 1 are shown whole. Where a scale has no end, the template says what to show, or its own numbers for the channel
    are in the middle third.
    """
    spec = template.scale_of(key)
    if isinstance(spec, NoTransform) and spec.view is not None:
        return spec.view
    if not isinstance(spec, Asinh | NoTransform | FlowJoBiex):
        return (0.0, 1.0) if spec.method in ("linear", "log", "flowjo_log") else (-0.1, 1.1)
    numbers = [x for p in template.populations if p.gate and key in p.gate.keys for x in _numbers(p.gate, key)]
    if len(set(numbers)) < 2:
        low, high = transform(np.array([-_TOP / 100, _TOP]), spec).tolist()
        return low, high
    low, high = min(numbers), max(numbers)
    return 2 * low - high, 2 * high - low


def _numbers(gate: Gate, key: str) -> Iterator[float]:
    """Positions on a channel that a gate names."""
    if len(gate.keys) == 1:
        found = [*getattr(gate, "bounds", ()), *(getattr(gate, name, None) for name in ("at", "min", "max"))]
        yield from (x for x in found if isinstance(x, int | float))
    else:
        yield from (point[gate.keys.index(key)] for point in getattr(gate, "vertices", ()))


def densities(views: Sequence[View], grids: npt.NDArray[np.uint32], spectra: npt.NDArray[np.uint32]) -> list[Density]:
    """Make densities of what was counted for each view."""
    counts = np.minimum(grids, np.iinfo(np.uint16).max).astype(np.uint16)
    return [
        Density(v.population, v.x, v.y, v.x_limits, v.y_limits, counts[i], spectra[i] if v.fitted else None)
        for i, v in enumerate(views)
    ]


def clipped_bins(share: FloatArray) -> FloatArray:
    """Fractional bins of shares of an axis; what lies beyond the axis is in its outermost bin."""
    below_top = np.nextafter(np.float32(LEVELS), np.float32(0))
    return np.clip(np.nan_to_num(share * LEVELS), 0.0, below_top)


def axis_tables(axes: Sequence[tuple[Scale, Limits]]) -> npt.NDArray[np.float32]:
    """(axes, 65537) fractional bin at each step of float32, and once more the last."""
    size = np.minimum(np.arange(STEPS // 2, dtype=np.uint32), LAST_STEP) << 16  # at infinity as at the last finite step
    values = size.view(np.float32).astype(np.float64)
    tables = np.empty((len(axes), STEPS + 1), dtype=np.float32)
    for table, (scale, (low, high)) in zip(tables, axes, strict=True):
        table[:-1] = clipped_bins((scale(np.concatenate([values, -values])) - low) / (high - low))
        table[-1] = table[-2]
    return tables

"""What a reviewer sees of each gate: its parent's events, binned on axes that are the same for all files of a template."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from il2cyto._keys import ROOT
from il2cyto.gt._kernels._columns import LAST_STEP, list_finite
from il2cyto.gt._kernels._views import BINS, SHIFT, STEPS, bin_axis, count_bins, count_grid, list_bits
from il2cyto.gt._values import Stored, scale_of
from il2cyto.io import Density
from il2cyto.pp import transform
from il2cyto.template import RefGate
from il2cyto.template._transforms import Asinh, FlowJoBiex, NoTransform

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from il2cyto.gt._plan import Events, Plan
    from il2cyto.template import Gate, GatingTemplate, Population
    from il2cyto.template._transforms import AnyTransform

    FloatArray = npt.NDArray[np.float64]
    Limits = tuple[float, float]
    Bits = Mapping[str, npt.NDArray[np.uint8]]

GRID: Final = BINS >> SHIFT
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

    Scales from 0 to 1 are shown whole. Where a scale has no end, the template's own numbers for the channel are in the middle
    third.
    """
    spec = template.scale_of(key)
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


def bin_blocks(events: Events, views: Sequence[View], members: Bits) -> dict[str, Density]:
    """Bin a file's events, block by block.

    Parameters
    ----------
    events
        The file; its plan has the channels of all views.
    views
        From :func:`plan_views`.
    members
        Parent -> its events, one bit per event, packed; a view whose parent is absent is left out. Those of the root are
        found here.
    """
    stored = Stored(events)
    views = [view for view in views if view.parent in members or view.parent == ROOT]
    axes = {view.x: view.x_limits for view in views} | {view.y: view.y_limits for view in views if view.y}
    users = {key: {view.parent for view in views if key in (view.x, view.y)} for key in axes}
    tables = {key: _table(scale_of(events.plan, key), *limits) for key, limits in axes.items()}
    grids = {view.population: np.zeros((GRID, GRID), dtype=np.uint32) for view in views}
    histograms = {view.population: np.zeros(BINS, dtype=np.uint32) for view in views if view.fitted}
    for start, block in stored.blocks:
        n, first = len(block), start // 8  # a block starts at a multiple of 8
        bits = {name: own[first : first + -(-n // 8)] for name, own in members.items()}
        bits[ROOT] = _finite(block, stored)
        rows = {name: list_bits(own) for name, own in bits.items()}
        bins = {}
        for key in axes:
            seen = np.bitwise_or.reduce([bits[name] for name in users[key]])
            bins[key] = np.empty(n, dtype=np.uint8)
            bin_axis(block, list_bits(seen), *stored.sources(key), tables[key], bins[key])
        for view in views:
            if view.y:
                count_grid(rows[view.parent], bins[view.x], bins[view.y], grids[view.population])
            if view.fitted:
                count_bins(rows[view.parent], bins[view.x], histograms[view.population])
    return {v.population: _density(v, grids[v.population], histograms.get(v.population)) for v in views}


def bin_columns(
    events: Events, views: Sequence[View], members: Mapping[str, npt.NDArray[np.bool_]]
) -> dict[str, Density]:
    """Bin whole columns, for templates that are gated in numpy; `members` has one boolean per event."""
    found = {}
    for view in views:
        if view.parent not in members:
            continue
        inside = members[view.parent]
        x, y = (
            _clipped((events.scaled(key)[inside] - low) / (high - low)) if key else None
            for key, (low, high) in ((view.x, view.x_limits), (view.y, view.y_limits))
        )
        grid = np.zeros((GRID, GRID), dtype=np.uint32)
        if x is not None and y is not None:
            np.add.at(grid, (x.astype(np.intp) >> SHIFT, y.astype(np.intp) >> SHIFT), np.uint32(1))
        histogram = None
        if view.fitted and x is not None:
            histogram = np.bincount(x.astype(np.intp), minlength=BINS).astype(np.uint32)
        found[view.population] = _density(view, grid, histogram)
    return found


def _finite(block: npt.NDArray[np.floating], stored: Stored) -> npt.NDArray[np.uint8]:
    found = np.empty(len(block), dtype=np.uint32)
    n = list_finite(block, 0, stored.blocks.positions, found)
    inside = np.zeros(len(block), dtype=np.bool_)
    inside[found[:n]] = True
    return np.packbits(inside)


def _density(view: View, grid: npt.NDArray[np.uint32], histogram: npt.NDArray[np.uint32] | None) -> Density:
    counts = np.minimum(grid, np.iinfo(np.uint16).max).astype(np.uint16)
    return Density(view.population, view.x, view.y, view.x_limits, view.y_limits, counts, histogram)


def _clipped(share: FloatArray) -> FloatArray:
    """Fractional bins; what lies beyond an axis is in its outermost bin."""
    below_top = np.nextafter(np.float32(BINS), np.float32(0))
    return np.clip(np.nan_to_num(share * BINS), 0.0, below_top)


@lru_cache(maxsize=64)
def _table(spec: AnyTransform, low: float, high: float) -> npt.NDArray[np.float32]:
    """Fractional bin at each step of float32, and once more the last."""
    size = np.minimum(np.arange(STEPS // 2, dtype=np.uint32), LAST_STEP) << 16  # at infinity as at the last finite step
    values = size.view(np.float32).astype(np.float64)
    bins = _clipped((transform(np.concatenate([values, -values]), spec) - low) / (high - low))
    return np.append(bins, bins[-1]).astype(np.float32)

"""Why a cut lies where it does: the rule of reconcile with the numbers of one sample put in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from il2cyto.gt._flags import LEGEND, Flag

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from il2cyto.io import Density
    from il2cyto.template import GatingTemplate

    FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CutExplanation:
    """One number of one sample's gate, and how it came about. Positions are on the template's scale.

    Attributes
    ----------
    coordinate
        Which number of the gate: ``cut``, or for a shape ``x``, ``mean_y``, ``slope`` ...
    channel
        The marker or channel on which it is a position; "" for a number that is none, such as a slope.
    own, spread
        What this file proposed, and its bootstrap spread; NaN where it found nothing.
    final, final_spread
        What it was gated with; NaN where there is no cut.
    centre, tau
        Median of the group's usable cuts, and their standard deviation beyond their own spreads; NaN without a group.
    wanted
        The level at which the template lets the gate adapt.
    level, group, group_size
        The level that was used, its group, and how many usable cuts that has.
    of_controls
        Whether these are the cuts of bridging controls alone.
    flags
        Flag, severity and meaning of all that was remarked.
    steps
        The calculation, a line each: rule, then the same with the numbers.
    recomputed
        What the calculation gives; equal to `final`.
    edges, counts
        Histogram of the gate's parent on that channel, (n + 1,) and (n,); empty where no densities were kept.
    """

    sample: str
    population: str
    coordinate: str
    method: str
    channel: str
    own: float
    spread: float
    final: float
    final_spread: float
    centre: float
    tau: float
    wanted: str
    level: str
    group: str
    group_size: int
    of_controls: bool
    n: int
    bounds: tuple[float, float]
    flags: tuple[tuple[str, str, str], ...]
    reason: str
    steps: tuple[str, ...]
    recomputed: float
    edges: FloatArray
    counts: FloatArray

    @property
    def moved(self) -> float:
        """How far the final cut lies from the own one; infinite where one of them is missing."""
        return abs(self.final - self.own) if math.isfinite(self.final - self.own) else math.inf

    @property
    def line(self) -> str:
        """In one line."""
        names = ", ".join(name for name, *_ in self.flags) or "no flags"
        return f"{self.sample} {self.coordinate}: own {_number(self.own)}, final {_number(self.final)} ({self._used}); {names}"

    @property
    def text(self) -> str:
        """In words and formulas, a paragraph of plain text."""
        low, high = self.bounds
        on = f" on {self.channel}" if self.channel else ""
        head = f"{self.population} in {self.sample}: {self.method}{on}, {self.coordinate}, on the template's scale"
        found = (
            f"own cut      t = {_number(self.own)}, spread s = {_number(self.spread)}, {self.n:,} events in the parent"
        )
        lines = [head, f"  {found}"]
        if self.group_size:
            lines.append(f"  group        m = {_number(self.centre)}, τ = {_number(self.tau)}, {self._used}")
        if math.isfinite(low) or math.isfinite(high):
            lines.append(f"  bounds       {_number(low)} to {_number(high)}")
        lines += [f"  {'calculation' if i == 0 else '':<11}  {step}" for i, step in enumerate(self.steps)]
        lines.append(f"  final cut    {_number(self.final)} ± {_number(self.final_spread)}")
        lines += [f"  {severity:<11}  {name}: {meaning}" for name, severity, meaning in self.flags]
        return "\n".join([*lines, f"  remark       {self.reason}"] if self.reason else lines)

    @property
    def _used(self) -> str:
        climbed = any(name in ("SMALL_GROUP", "FIXED") for name, *_ in self.flags)
        wanted = f"; the template says {self.wanted}" if climbed else ""
        if not self.group_size:
            return f"no group{wanted}"
        cuts = "usable cut" if self.group_size == 1 else "usable cuts"
        of = " of controls" if self.of_controls else ""
        return f"{self.level} {self.group}".rstrip() + f", {self.group_size} {cuts}{of}{wanted}"


def explain_cut(row: Mapping[str, Any], template: GatingTemplate, density: Density | None = None) -> CutExplanation:
    """Explain one row of the table of cuts.

    Parameters
    ----------
    row
        A row of :func:`il2cyto.gt.reconcile`'s table, overrides put in.
    template
        The template that was gated with.
    density
        What the gate looks at in that sample.

    Returns
    -------
    The numbers of the cut, and the steps from the file's own to the final one in words.

    Raises
    ------
    KeyError
        The population is not in the template.
    """
    gate = template.by_name[row["population"]].gate
    assert gate is not None
    coordinate = gate.coordinate(row["coordinate"])
    source = coordinate.of if coordinate.of in template.by_name else row["population"]
    of = template.by_name[source].gate
    rule, bounds = coordinate.rule, coordinate.bounds
    if source != row["population"] and of is not None:
        rule, bounds, _ = of.coordinate("cut")
    adapt = template.adapt_of(source)
    final, steps = _calculate(row, rule, bounds, adapt.level, adapt.fixed)
    if source != row["population"]:
        steps = (f"an axis of this gate is the final cut of {source}:", *steps)
    axis = _axis(row["coordinate"], len(gate.keys))
    edges, counts = _histogram(density, axis)
    flags = Flag(row["flags"])
    return CutExplanation(
        **{name: row[name] for name in ("sample", "population", "coordinate", "method", "level", "group", "group_size", "n")},
        **{name: row[name] for name in ("own", "spread", "final", "final_spread", "centre", "tau")},
        channel=gate.keys[axis] if axis is not None else "",
        of_controls=adapt.fit_on == "controls",
        wanted=adapt.level,
        bounds=bounds,
        flags=tuple((flag.name or "", *LEGEND[flag]) for flag in LEGEND if flags & flag),
        reason=row["reason"] or "",
        steps=steps,
        recomputed=final,
        edges=edges,
        counts=counts,
    )  # fmt: skip


def _calculate(
    row: Mapping[str, Any], rule: str, bounds: tuple[float, float], wanted: str, fixed: float | None
) -> tuple[float, tuple[str, ...]]:
    """The final cut by the rule, and the rule in words; see :func:`il2cyto.gt.reconcile`."""
    flags = Flag(row["flags"])
    if flags & Flag.MANUAL:
        return row["final"], (f"set by hand: {row['reason']}",)
    if flags & Flag.PANEL_IMPLAUSIBLE:
        return math.nan, ("the file's panel is not plausible: no cut, and no say in any group",)
    final, steps = _adapted(row, rule, wanted, fixed)
    low, high = bounds
    if math.isfinite(final) and not low <= final <= high:
        bound = float(np.clip(final, low, high))
        return bound, (*steps, f"outside the bounds: final = {_number(bound)}, the nearest of them")
    return final, steps


def _adapted(row: Mapping[str, Any], rule: str, wanted: str, fixed: float | None) -> tuple[float, tuple[str, ...]]:
    own, s, centre, tau, final = (float(row[name]) for name in ("own", "spread", "centre", "tau", "final"))
    flags, grouped, locked = Flag(row["flags"]), row["group_size"] > 0, wanted not in ("own", "sample")
    if final == own and (wanted == "own" or not grouped or rule != "cut"):
        return own, (f"final = t = {_number(own)}: the file's own",)
    if not grouped:
        if fixed is not None:
            return fixed, (f"final = {_number(fixed)}: the template's number",)
        return math.nan, ("no usable cut, no group, no number in the template: no final cut",)
    why = (
        "own cut far from the group's"
        if flags & Flag.OUTLIER_CUT
        else "no usable own cut"
        if flags & Flag.CONSENSUS
        else f"one cut for the {row['level']}"
        if locked
        else ""
        if rule == "cut"
        else "a number of the shape"
    )
    if why:
        return centre, (f"final = m = {_number(centre)}: {why}",)
    total = tau**2 + s**2
    w = tau**2 / total if total > 0 else 0.0
    steps = (
        f"w = τ² / (τ² + s²) = {_number(tau)}² / ({_number(tau)}² + {_number(s)}²) = {w:.3f}",
        f"final = m + w (t − m) = {_number(centre)} + {w:.3f} × ({_number(own)} − {_number(centre)}) "
        f"= {_number(centre + w * (own - centre))}",
    )
    return centre + w * (own - centre), steps


def _axis(coordinate: str, n_keys: int) -> int | None:
    """Which channel of the gate a number is a position on."""
    if coordinate in ("x", "mean_x"):
        return 0
    return n_keys - 1 if coordinate in ("cut", "y", "mean_y") else None


def _histogram(density: Density | None, axis: int | None) -> tuple[FloatArray, FloatArray]:
    if density is None or axis is None:
        return np.empty(0), np.empty(0)
    if density.histogram is not None:
        counts, limits = density.histogram, density.x_limits
    else:  # a gate on two channels: the sum over the other one
        counts = density.counts.sum(axis=1 - axis, dtype=np.uint32)
        limits = (density.x_limits, density.y_limits)[axis]
    return np.linspace(*limits, len(counts) + 1), counts.astype(np.float64)


def _number(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "none" if math.isnan(value) else f"{value:g}"

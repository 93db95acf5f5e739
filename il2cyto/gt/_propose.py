"""Propose: walk the template with a file's own cuts, and say how sure each is."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from il2cyto.gt._flags import Flag
from il2cyto.gt._plausibility import expected_of, judge
from il2cyto.gt._sampled_tree import SampledTree
from il2cyto.gt._types import Cut, Decision, Proposal
from il2cyto.gt.methods import _corner, find_method
from il2cyto.template import CornerGate, FixedGate, FmoGate, RefAxis, ValleyGate

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from il2cyto.gt._plan import Events, Plan
    from il2cyto.gt._sampled_tree import Fit
    from il2cyto.template import Gate, Population

    FloatArray = npt.NDArray[np.float64]

#: One row per sample, population and coordinate. Neither arm, visit, date nor response is among the columns.
PROPOSAL_SCHEMA: dict[str, Any] = {
    "sample": pl.String,
    "population": pl.String,
    "coordinate": pl.String,
    "method": pl.String,
    "value": pl.Float64,
    "spread": pl.Float64,
    "q05": pl.Float64,
    "q95": pl.Float64,
    "missing": pl.Float64,
    "quality": pl.Float64,
    "n": pl.Int64,
    "span": pl.Float64,
    "flags": pl.Int64,
    "reason": pl.String,
    "panel": pl.String,
}


def propose(
    events: Events,
    *,
    sample: str,
    content: str,
    given: Mapping[str, Mapping[str, float]] | None = None,
    control: str = "",
    panel: str | None = None,
) -> pl.DataFrame:
    """The cuts that one file would choose for itself.

    Parameters
    ----------
    events
        The file on the template's scales.
    sample
        Its name in the table.
    content
        SHA-256 of the file, from which the seeds of the resampling derive: the same events give the same numbers, whatever
        the order of files or the number of workers.
    given
        Cuts by population and coordinate that are settled already (round two); they are used, not proposed.
    control
        The marker that the file was stained without, if it is an FMO control; in other files the gates that need one have no
        cut of their own.
    panel
        What was found of the file's panel in round one; without it the template's `expect` is tested.

    Returns
    -------
    Frame with the columns of ``PROPOSAL_SCHEMA``. A gate that was tried and failed has a row with NaN and a reason; a gate
    below a failed one has no row. `panel` says what is wrong with the file's panel, "" where it is plausible.

    Notes
    -----
    Only fitted gates that are not given, and what they stand on, are looked at. To a population of more than 100,000 events a gate
    is fitted by 50,000 to 100,000 of them: those chosen by a number that hangs on the event itself, so that the order of
    events does not matter; the spread is that of so many events. `n` is counted among all events. Memory does not grow with
    the file: see :class:`il2cyto.gt._sampled_tree.SampledTree`.
    """
    source = _OwnCuts(content, sample, given or {}, control)
    wanted = _open_gates(events.plan, source.given)
    if not wanted:
        return pl.DataFrame(schema=PROPOSAL_SCHEMA)
    tree = SampledTree(events, source, expected_of(events.plan.template) if panel is None else (), only_fitted=wanted)
    if panel is None:
        panel = judge(tree, own_cuts, left_out=control).reason
    return pl.DataFrame(source.rows(tree, panel), schema=PROPOSAL_SCHEMA, orient="row")


def panel_of(proposals: pl.DataFrame) -> str:
    """What is wrong with a file's panel, as its rows say; "" where nothing is known to be."""
    return next(iter(proposals["panel"]), "")


def own_cuts() -> Fit:
    """Fit every gate to the events in hand, for a look at a file."""
    return _OwnCuts("", "", {}, "")


def _open_gates(plan: Plan, given: Mapping[str, Mapping[str, float]]) -> list[str]:
    """The populations whose cut is still to be found in this file."""
    gated = [p for p in plan.template.populations if p.gate is not None and p.gate.fitted and p.name not in given]
    return [p.name for p in gated if not plan.missing(p)]


class _OwnCuts:
    """A cut source that fits every gate to the file's own events and keeps a record of it."""

    def __init__(self, content: str, sample: str, given: Mapping[str, Mapping[str, float]], control: str) -> None:
        self._content, self._sample, self.given, self._control = content, sample, given, control.casefold()
        self._cuts: dict[str, Cut] = {}  # of gates on one channel, for the corners that refer to them
        self._found: list[tuple[Population, Gate, Proposal]] = []

    def __call__(self, population: Population, gate: Gate, tree: SampledTree) -> Decision:
        if population.name in self.given:
            settled = self.given[population.name]
            if "cut" in settled:
                self._cuts[population.name] = Cut(settled["cut"], spread=0.0)
            return Decision(settled)
        values = _values(gate, tree, population.parent)
        seed = f"{self._content}/{population.name}/{tree.template.digest}"
        rng = np.random.default_rng(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8]))
        if isinstance(gate, FmoGate) and gate.channel.casefold() != self._control:
            proposal = Proposal.failed(f"no FMO control of {gate.channel} in the batch", flags=Flag.FMO_MISSING)
        elif isinstance(gate, CornerGate):
            axes = [self._axis(axis, values[:, i], tree, rng) for i, axis in enumerate((gate.x, gate.y))]
            proposal = _corner.join(values, gate.slant, axes)
        else:
            proposal = _fit(values, gate, tree, rng)
        self._found.append((population, gate, proposal))
        if proposal.found:
            if "cut" in proposal.cuts:
                self._cuts[population.name] = proposal.cuts["cut"]
            return Decision({name: cut.value for name, cut in proposal.cuts.items()}, flags=proposal.flags)
        # Without a cut of its own the file goes on with the template's last resort, if there is one: what lies below can
        # still be proposed, and is proposed again if the group's cut turns out to be another.
        fixed = tree.template.adapt_of(population.name).fixed
        if fixed is not None:
            self._cuts[population.name] = Cut(fixed, spread=0.0)
        return Decision(None if fixed is None else {"cut": fixed}, flags=proposal.flags)

    def _axis(self, axis: Gate, values: FloatArray, tree: SampledTree, rng: np.random.Generator) -> Proposal:
        if not isinstance(axis, RefAxis):
            return _fit(values, axis, tree, rng)
        of = tree.template.by_name[axis.of].gate
        cut = Cut(of.at, spread=0.0) if isinstance(of, FixedGate) else self._cuts.get(axis.of)
        return Proposal.failed(f"{axis.of} has no cut") if cut is None else Proposal({"cut": cut})

    def rows(self, tree: SampledTree, panel: str) -> list[tuple[Any, ...]]:
        """What was found, as rows of proposals."""
        return [
            (
                *(self._sample, population.name, coordinate, gate.method),
                *(c.value, c.spread, c.q05, c.q95, c.missing, c.quality),
                *(tree.nodes[population.parent].count, _span(gate, coordinate, tree)),
                *(int(proposal.flags), proposal.reason, panel),
            )
            for population, gate, proposal in self._found
            for coordinate, c in proposal.cuts.items()
        ]


def _fit(values: FloatArray, gate: Gate, tree: SampledTree, rng: np.random.Generator) -> Proposal:
    """Run a gate's method; where a valley has one peak, run its policy."""
    proposal = _run(values, gate, tree, rng)
    policy = gate.one_peak_gate() if isinstance(gate, ValleyGate) and not proposal.found else None
    if policy is None:
        return proposal
    if isinstance(policy, FixedGate):
        return Proposal({"cut": Cut(policy.at, spread=0.0)}, proposal.flags | Flag.NO_VALLEY, proposal.reason)
    second = _run(values, policy, tree, rng)
    reason = f"{proposal.reason}; {policy.method}: {second.reason}" if second.reason else proposal.reason
    return Proposal(second.cuts, second.flags | Flag.NO_VALLEY, reason, second.diagnostics)


def _run(values: FloatArray, gate: Gate, tree: SampledTree, rng: np.random.Generator) -> Proposal:
    method = find_method(gate.method)
    name = getattr(gate, "reference", None)
    if name is None:
        proposal = method(values, gate, None, rng)
    elif not tree.nodes[name].evaluable:
        return Proposal.failed(f"the reference population {name} is not evaluable")
    else:
        proposal = method(values, gate, _values(gate, tree, name), rng)
    return _off_the_events(proposal, values)


def _values(gate: Gate, tree: SampledTree, population: str) -> FloatArray:
    """Values of the gate's channels: (n,) for one, (n, k) for several."""
    columns = [tree.values(key, population) for key in gate.keys]
    return columns[0] if len(columns) == 1 else np.column_stack(columns)


def _off_the_events(proposal: Proposal, values: FloatArray) -> Proposal:
    """Move a cut that equals an event's value half a gap down: on which side the event falls must not hang on rounding."""
    cut = proposal.cuts.get("cut")
    if cut is None or values.ndim != 1 or not np.any(values == cut.value):
        return proposal
    below = values[values < cut.value]
    if not below.size:
        return proposal
    moved = Cut((float(below.max()) + cut.value) / 2, cut.spread, cut.q05, cut.q95, cut.missing, cut.quality)
    return Proposal({**proposal.cuts, "cut": moved}, proposal.flags, proposal.reason, proposal.diagnostics)


def _span(gate: Gate, coordinate: str, tree: SampledTree) -> float:
    """The unit in which cuts are compared; slopes and logarithms of widths have none."""
    if coordinate in ("slope", "log_l11", "log_l22"):
        return 1.0
    return tree.widths[gate.keys[0 if coordinate in ("x", "mean_x") else -1]]  # of a line or a band, the last channel's

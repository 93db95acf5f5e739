"""One walk over a template's tree for one file: which populations can be evaluated, and what is to be said of each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from il2cyto._keys import ROOT
from il2cyto.gt._flags import FAIL, Flag

if TYPE_CHECKING:
    from il2cyto.gt._plan import Plan
    from il2cyto.template import Population

#: What a population says of its own counts; it says nothing about its children.
_OF_COUNTS = Flag.LOW_PARENT | Flag.DETECTABLE | Flag.BELOW_DETECTION | Flag.IMPLAUSIBLE | Flag.AT_EDGE
#: A step was passed through here, or before.
_PASSED = Flag.MISSING_PASS | Flag.MISSING_ABOVE


@dataclass(slots=True)
class Node:
    """What is known of a population of one file."""

    flags: Flag
    cut_flags: Flag = Flag.NONE
    count: int = 0
    parent_count: int = 0

    @property
    def evaluable(self) -> bool:
        """Whether no flag says that it failed; the counts of one that did mean nothing."""
        return not self.flags & FAIL


N = TypeVar("N", bound=Node)


class Walk(ABC, Generic[N]):
    """Fills `nodes` population by population; who counts the events, and how, is left to those that inherit."""

    plan: Plan
    nodes: dict[str, N]

    @abstractmethod
    def _empty(self, flags: Flag, cut_flags: Flag, parent: N) -> N:
        """Make the node of a population that cannot be evaluated."""

    @abstractmethod
    def _filled(self, population: Population, parent: N, *, missing: bool) -> N:
        """Make the node of a population with its count and the flags of its cut, or an empty one if it has no cut."""

    @abstractmethod
    def _n_at_top(self, population: Population, key: str) -> int:
        """Count events of the parent in the last unit of a channel's range."""

    def _evaluate(self, population: Population) -> N:
        template, parent = self.plan.template, self.nodes[population.parent]
        operands = population.expression.names() if population.expression else ()
        needed = (parent, *(self.nodes[name] for name in operands))
        if not all(node.evaluable for node in needed):
            # What the panel lacks is told to the last descendant: no other gate, and no other sample, would mend it.
            absent = any(node.flags & Flag.CHANNEL_MISSING for node in needed)
            return self._empty(Flag.CHANNEL_MISSING if absent else Flag.PARENT_FAILED, Flag.NONE, parent)
        if parent.count < template.min_parent_of(population.name).nan:
            return self._empty(Flag.NO_PARENT, Flag.NONE, parent)
        missing = bool(self.plan.missing(population))
        if missing and population.if_missing != "pass":
            return self._empty(Flag.CHANNEL_MISSING, Flag.NONE, parent)
        node = self._filled(population, parent, missing=missing)
        if node.evaluable:
            node.flags |= self._carried_by_parent(population) | self._count_flags(population, node)
            if any(other.flags & _PASSED for other in needed):
                node.flags |= Flag.MISSING_ABOVE
        return node

    def _carried_by_operands(self, population: Population) -> Flag:
        """Warnings of the operands' cuts, and of all steps above an operand that no table shows."""
        flags = Flag.NONE
        for name in population.expression.names() if population.expression else ():
            node, shown = self.nodes[name], self.plan.template.by_name[name].report
            told = Flag.MISSING_PASS if shown else Flag.NONE
            flags |= (node.cut_flags if shown else node.cut_flags | node.flags & ~_OF_COUNTS) & ~told
        return flags

    def _carried_by_parent(self, population: Population) -> Flag:
        """A warning of an unreported step would otherwise be seen nowhere; of a reported one it is told once, at the step itself."""
        parent = self.nodes[population.parent]
        hidden = population.parent != ROOT and not self.plan.template.by_name[population.parent].report
        return parent.flags & ~_OF_COUNTS if hidden else parent.flags & Flag.NONFINITE

    def _count_flags(self, population: Population, node: N) -> Flag:
        flags = Flag.NONE
        if node.parent_count < self.plan.template.min_parent_of(population.name).warn:
            flags |= Flag.LOW_PARENT
        if node.count < 20:
            flags |= Flag.BELOW_DETECTION
        elif node.count < 50:
            flags |= Flag.DETECTABLE
        if population.endpoint is not None and node.parent_count:
            low, high = population.endpoint.plausible
            if not low <= node.count / node.parent_count <= high:
                flags |= Flag.IMPLAUSIBLE
        if any(
            self._n_at_top(population, key) > 0.01 * node.parent_count for key in keys_with_a_top(self.plan, population)
        ):
            flags |= Flag.AT_EDGE
        return flags


def keys_with_a_top(plan: Plan, population: Population) -> tuple[str, ...]:
    """The gate's channels in which events may pile up at the top of the range unnoticed: all but the scatter."""
    keys = population.gate.keys if population.gate else ()
    return tuple(key for key in keys if key in plan.channels and plan.channels[key].detector != "scatter")

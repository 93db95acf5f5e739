"""What a template loses in a panel that lacks one of its markers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from il2cyto.template._gate import RefGate

if TYPE_CHECKING:
    from il2cyto.template._template import GatingTemplate


class Loss(NamedTuple):
    """What the absence of a marker does.

    Attributes
    ----------
    passed
        Gates that are passed through: what follows from them holds the cells that they would have removed.
    lost
        Reported populations that cannot be evaluated.
    """

    passed: tuple[str, ...]
    lost: tuple[str, ...]

    def __str__(self) -> str:
        """The loss in words, such as ``NK cannot be evaluated``."""
        texts = [f"{_and(self.lost)} cannot be evaluated"] if self.lost else []
        if self.passed:
            texts.append(f"the step{'s' * (len(self.passed) > 1)} {_and(self.passed)} removed nothing")
        return "; ".join(texts) or "no gate needs it"


def keys_of(template: GatingTemplate, name: str) -> tuple[str, ...]:
    """The markers, channels or dimensions that a population's gate looks at, through the gate that it refers to."""
    gate = template.by_name[name].gate
    if isinstance(gate, RefGate):
        return keys_of(template, gate.of)
    return gate.keys if gate is not None else ()


def loss_without(template: GatingTemplate, marker: str) -> Loss:
    """What becomes of a template without a marker."""
    passed: list[str] = []
    lost: set[str] = set()
    for name in template.order:
        population = template.by_name[name]
        operands = population.expression.names() if population.expression else ()
        absent = marker in keys_of(template, name)
        if lost & {population.parent, *operands} or (absent and population.if_missing != "pass"):
            lost.add(name)
        elif absent:
            passed.append(name)
    return Loss(tuple(passed), tuple(p.name for p in template.reported if p.name in lost))


def _and(names: tuple[str, ...]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))

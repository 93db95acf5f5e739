"""What must hold between the populations of a template; every problem is reported at once, each at its own place."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

from il2cyto._keys import ROOT
from il2cyto.template._axes import cut_referred
from il2cyto.template._corner import CornerGate, RefAxis
from il2cyto.template._cuts import Cut1D
from il2cyto.template._gate import RefGate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from il2cyto.template._template import GatingTemplate

Problem = tuple[tuple[str | int, ...], str]


def raise_problems(template: GatingTemplate) -> None:
    """Raise a pydantic ``ValidationError`` with one entry per problem, or do nothing."""
    problems = [*_duplicates(template), *_unknown_names(template)]
    if not problems:  # a cycle can only be looked for once all names are known
        problems = [
            *_cycles(template),
            *_endpoints(template),
            *_unused(template),
            *_markers(template),
            *_matrices(template),
            *_refs(template),
            *_axes(template),
            *_last_resorts(template),
        ]
    if problems:
        details = [_detail(place, text) for place, text in problems]
        title = type(template).__name__
        raise ValidationError.from_exception_data(title, details)


def _detail(place: tuple[str | int, ...], text: str) -> InitErrorDetails:
    error = PydanticCustomError("template", "{text}", {"text": text})
    return InitErrorDetails(type=error, loc=place, input=None)


def nearest(name: str, allowed: Iterable[str]) -> str:
    """A phrase that names the closest allowed names, or all of them where none is close."""
    allowed = list(allowed)
    near = difflib.get_close_matches(name, allowed, n=3, cutoff=0.6)
    return f"nearest: {', '.join(near)}" if near else f"allowed: {', '.join(allowed)}"


def _duplicates(template: GatingTemplate) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for i, population in enumerate(template.populations):
        if population.name in seen:
            text = f"population {population.name!r} stands twice (also number {seen[population.name] + 1}); rename one"
            yield ("populations", i, "name"), text
        seen.setdefault(population.name, i)


def _unknown_names(template: GatingTemplate) -> Iterator[Problem]:
    names = [p.name for p in template.populations]
    for i, population in enumerate(template.populations):
        place = ("populations", i)
        if population.parent not in (ROOT, *names):
            text = f"{population.name}: parent {population.parent!r} is unknown; {nearest(population.parent, (ROOT, *names))}"
            yield (*place, "parent"), text
        field = "gate" if population.where is None else "where"
        for other in population.referred:
            if other not in names:
                yield (*place, field), f"{population.name}: population {other!r} is unknown; {nearest(other, names)}"
        for other in population.endpoint.denominators if population.endpoint else ():
            if other not in (ROOT, *names):
                yield (
                    (*place, "endpoint", "denominators"),
                    f"{population.name}: denominator {other!r} is unknown; {nearest(other, names)}",
                )
    for i, expectation in enumerate(template.expect):
        for other in expectation.populations:
            if other not in (ROOT, *names):
                yield ("expect", i), f"expect: population {other!r} is unknown; {nearest(other, names)}"
    for field in ("total", "live", "beads"):
        name = getattr(template, field)
        if name is not None and name not in names:
            yield (field,), f"{field}: population {name!r} is unknown; {nearest(name, names)}"


def _cycles(template: GatingTemplate) -> Iterator[Problem]:
    needs = {p.name: [n for n in (p.parent, *p.referred) if n != ROOT] for p in template.populations}
    clear: set[str] = set()
    # Peel off populations whose needs are all met; what is left stands in, or hangs from, a cycle.
    while ready := [name for name in needs if name not in clear and all(n in clear for n in needs[name])]:
        clear.update(ready)
    left = [name for name in needs if name not in clear]
    if left:
        trail, name = [], left[0]
        while name not in trail:
            trail.append(name)
            name = next(n for n in needs[name] if n not in clear)
        loop = " -> ".join([*trail[trail.index(name) :], name])
        index = [p.name for p in template.populations].index(name)
        yield ("populations", index), f"populations need one another in a circle: {loop}; break it at one of them"


def _endpoints(template: GatingTemplate) -> Iterator[Problem]:
    for i, population in enumerate(template.populations):
        if population.endpoint is None:
            continue
        place = ("populations", i, "endpoint")
        first = population.endpoint.denominators[0]
        if first != population.parent:
            text = f"{population.name}: the first denominator is {first!r}, the parent {population.parent!r}; they must be the same"
            yield (*place, "denominators"), text
        hidden = [d for d in population.endpoint.denominators if d != ROOT and not template.by_name[d].report]
        for name in hidden:
            yield (
                (*place, "denominators"),
                f"{population.name}: denominator {name!r} has report: false; a denominator is reported",
            )
        low, high = population.endpoint.plausible
        if low >= high:
            yield (*place, "plausible"), f"{population.name}: plausible is {low} to {high}; the first must be lower"
        if not population.report:
            yield place, f"{population.name}: an endpoint has report: false; report it"


def _unused(template: GatingTemplate) -> Iterator[Problem]:
    used = {name for p in template.populations for name in (p.parent, *p.referred)}
    used.update(name for expectation in template.expect for name in expectation.populations)
    used.add(template.beads or "")
    for i, population in enumerate(template.populations):
        if not population.report and population.name not in used:
            yield (
                ("populations", i),
                f"{population.name}: not reported and not used by any population; remove it or report it",
            )


def _markers(template: GatingTemplate) -> Iterator[Problem]:
    known = (*template.requires, *template.optional)
    for i, population in enumerate(template.populations):
        for key in population.gate.keys if population.gate else ():
            # Scatter and time are channels of every file; markers must be declared so that `check` can look for them.
            scatter = key.upper().startswith(("FSC", "SSC", "TIME"))
            if key not in known and key not in template.dimensions and not scatter:
                text = f"{population.name}: marker {key!r} stands neither in requires nor in optional; {nearest(key, known)}"
                yield ("populations", i, "gate"), text
    for i, expectation in enumerate(template.expect):
        for key in expectation.markers:
            if key not in known:
                text = f"expect: marker {key!r} stands neither in requires nor in optional; {nearest(key, known)}"
                yield ("expect", i), text


def _matrices(template: GatingTemplate) -> Iterator[Problem]:
    allowed = ("acquisition", "none", *template.matrices)
    for name, dimension in template.dimensions.items():
        if dimension.compensation not in allowed:
            text = f"{name}: matrix {dimension.compensation!r} is unknown; {nearest(dimension.compensation, allowed)}"
            yield ("dimensions", name, "compensation"), text


def _refs(template: GatingTemplate) -> Iterator[Problem]:
    for i, population in enumerate(template.populations):
        gate = population.gate
        if isinstance(gate, RefGate) and template.by_name[gate.of].gate is None:
            text = f"{population.name}: ref of {gate.of!r}, which is a boolean combination and has no gate; refer to a gated population"
            yield ("populations", i, "gate", "of"), text


def _axes(template: GatingTemplate) -> Iterator[Problem]:
    for i, population in enumerate(template.populations):
        gate = population.gate
        axes = [("x", gate.x), ("y", gate.y)] if isinstance(gate, CornerGate) else []
        for name, axis in axes:
            if not isinstance(axis, RefAxis):
                continue
            of = cut_referred({p.name: p.gate for p in template.populations}, axis.of)
            if of is None:
                text = f"{population.name}: {name} refers to {axis.of!r}, which is no cut on one channel; refer to one that is"
                yield ("populations", i, "gate", name), text
            elif axis.channel != of[1].channel:
                text = f"{population.name}: {name} names {axis.channel!r}, but {axis.of!r} is a cut on {of[1].channel!r}; leave the channel out"
                yield ("populations", i, "gate", name), text


def _last_resorts(template: GatingTemplate) -> Iterator[Problem]:
    for i, population in enumerate(template.populations):
        gate = population.gate
        number = template.adapt_of(population.name).fixed
        if gate is not None and gate.fitted and not isinstance(gate, Cut1D) and number is not None:
            text = f"{population.name}: adapt.fixed is one number, and a {gate.method} gate has several; leave it out"
            yield ("populations", i, "adapt"), text

"""What strict YAML refuses in a text, and how the rest of it becomes plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    NodeEvent,
    ScalarEvent,
)
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ruamel.yaml.constructor import SafeConstructor
    from ruamel.yaml.events import Event
    from ruamel.yaml.nodes import Node

YamlValue: TypeAlias = "dict[str, YamlValue] | list[YamlValue] | str | int | float | bool | None"
YamlPath: TypeAlias = tuple[str | int, ...]

MAX_DEPTH: Final = 50
_TYPED: Final = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "bool", "null"))


def parser() -> YAML:
    """Make the parser that builds plain values only."""
    return YAML(typ="safe", pure=True)


def forbidden(text: str) -> Iterator[str]:
    """Find what strict YAML does not allow: ``line: what and the remedy``."""
    # On the events, before anything is built: composing would resolve aliases without a trace.
    depth = documents = 0
    for event in parser().parse(text):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        documents += isinstance(event, DocumentStartEvent)
        line = event.start_mark.line + 1
        if depth > MAX_DEPTH:
            yield f"{line}: nested deeper than {MAX_DEPTH} levels; allowed are {MAX_DEPTH}"
            return
        if documents > 1 and isinstance(event, DocumentStartEvent):
            yield f"{line}: a second document; allowed is one: remove the line '---' and what follows"
        for problem in _forbidden_event(event):
            yield f"{line}: {problem}"


def _forbidden_event(event: Event) -> Iterator[str]:
    if isinstance(event, DocumentStartEvent) and (event.version or event.tags):
        yield "a %YAML or %TAG directive; remove it"
    if isinstance(event, AliasEvent):
        yield f"alias *{printable(event.anchor)}; write the value out instead"
    elif isinstance(event, NodeEvent) and event.anchor:
        yield f"anchor &{printable(event.anchor)}; remove it and write the value out where it is used"
    if isinstance(event, ScalarEvent | CollectionStartEvent) and event.ctag is not None:
        yield f"tag {printable(str(event.ctag))}; remove it"
    if isinstance(event, ScalarEvent) and event.value == "<<" and event.implicit[0]:
        yield "merge key <<; write the values out instead"


@dataclass
class Builder:
    """Turns nodes into plain values, remembering where each stood."""

    constructor: SafeConstructor
    marks: dict[YamlPath, tuple[int, int]]
    problems: list[str]

    def value(self, node: Node, path: YamlPath = ()) -> YamlValue:
        """Build the value of a node; one that cannot be read is None, and a problem."""
        line = node.start_mark.line + 1
        self.marks.setdefault(path, (line, node.start_mark.column + 1))
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        try:
            if str(node.tag) in _TYPED:
                return self.constructor.construct_object(node)  # type: ignore[no-any-return]
            if _is_text(node.value) or not node.value:
                return str(node.value)
        except ValueError:
            pass  # a whole number of more than 4,300 digits
        self.problems.append(f"{line}: a value that cannot be read; shorten or retype it")
        return None

    def _mapping(self, node: MappingNode, path: YamlPath) -> dict[str, YamlValue]:
        mapping: dict[str, YamlValue] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode) or not _is_text(key.value):
                self.problems.append(f"{line}: a key that is no text; allowed are names")
            elif key.value in mapping:
                first = self.marks[*path, key.value][0]
                self.problems.append(f"{line}: duplicate key {printable(key.value)}, first in line {first}; keep one")
            else:
                self.marks[*path, key.value] = (line, key.start_mark.column + 1)
                mapping[key.value] = self.value(value, (*path, key.value))
        return mapping


def _is_text(value: str) -> bool:
    # An escape can make half a surrogate pair, which no file can hold.
    return value != "" and not any("\ud800" <= character <= "\udfff" for character in value)


def printable(text: str) -> str:
    """Show a word of a file in a message: short, and without control characters."""
    return text if text.isprintable() and len(text) <= 60 else repr(text[:60])

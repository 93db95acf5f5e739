"""Strict YAML: what a person wrote in a study or template file, with the line of every entry.

A file is data, never a program: anchors, aliases, merge keys, tags and directives are refused, because each of them
makes a short file mean something that its reader does not see.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    NodeEvent,
    ScalarEvent,
)
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from il2cyto.errors import Il2cytoError
from il2cyto.io._validation import explain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ruamel.yaml.constructor import SafeConstructor
    from ruamel.yaml.events import Event
    from ruamel.yaml.nodes import Node

YamlValue: TypeAlias = "dict[str, YamlValue] | list[YamlValue] | str | int | float | bool | None"
YamlPath: TypeAlias = tuple[str | int, ...]

ModelT = TypeVar("ModelT", bound=BaseModel)

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 50
#: What the parser says of the slips that people make -> what mends them.
_REMEDIES: Final = {
    "'\\t'": "indent with blanks, not with a tab",
    "mapping values are not allowed": "put a text that holds ': ' in quotes, and begin the entries of one mapping in one column",
    "could not find expected ':'": "write key: value, with a blank behind the colon",
    "but got '<stream end>'": "close the bracket",
    "found unexpected end of stream": "close the quotes",
    "cannot start any token": "put a text that begins with such a sign in quotes",
    "unknown escape character": "write a path with /, or in single quotes",
    "but found ']'": "remove a bracket",
    "but found '}'": "remove a bracket",
    "expected <block end>": "begin the entries of one mapping in one column",
}
_TYPED: Final = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "bool", "null"))


@dataclass(frozen=True)
class YamlDocument:
    """One YAML file as plain Python values.

    Parameters
    ----------
    name
        File name without its folder.
    text
        The file as written.
    data
        Dicts, lists, text, numbers, booleans and None; keys are always text, as written. Dates stay text.
    marks
        Path of each entry -> line and column, both from 1; the entry of a mapping stands where its key does.
    """

    name: str
    text: str
    data: YamlValue
    marks: Mapping[YamlPath, tuple[int, int]]

    def line(self, path: YamlPath) -> int:
        """Line of an entry, from 1; that of its nearest ancestor when the entry is not in the file."""
        return self._mark(path)[0]

    def column(self, path: YamlPath) -> int:
        """Column of an entry, from 1; that of its nearest ancestor when the entry is not in the file."""
        return self._mark(path)[1]

    def problem(self, path: YamlPath, message: str) -> str:
        """One line of an error message: ``study.yaml:12: panels.tnk.template: message``."""
        where = self.where(path)
        return f"{self.name}:{self.line(path)}: {where}: {message}" if where else f"{self.name}: {message}"

    def where(self, path: YamlPath) -> str:
        """Write a path in words, ``populations[Treg].gate.bounds``: list items by their `name` where they have one."""
        words, value = "", self.data
        for step in path:
            value = _child(value, step)
            if isinstance(step, int):
                name = value.get("name") if isinstance(value, dict) else None
                words += f"[{_printable(name) if isinstance(name, str) else step}]"
            else:
                words += f".{_printable(step)}" if words else _printable(step)
        return words

    def _mark(self, path: YamlPath) -> tuple[int, int]:
        return next((self.marks[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.marks), (1, 1))


def load_yaml(path: str | Path, *, error_class: type[Il2cytoError] = Il2cytoError) -> YamlDocument:
    """Read one YAML file strictly.

    Parameters
    ----------
    path
        The file: UTF-8, at most 1 MB, one document.
    error_class
        The exception that a bad file raises.

    Returns
    -------
    The document. An empty file gives ``data`` None.

    Raises
    ------
    Il2cytoError
        As `error_class`: unreadable file, not YAML, or an anchor, alias, merge key, tag, directive, duplicate key or
        second document. All that can be found at once stands in one message, a line each.
    """
    path = Path(path)
    return parse_yaml(_read_text(path, error_class), name=path.name, error_class=error_class)


def parse_yaml(text: str, *, name: str, error_class: type[Il2cytoError] = Il2cytoError) -> YamlDocument:
    """As :func:`load_yaml`, of the text of a file called `name`."""
    try:
        problems = list(_forbidden(text))
        yaml = _parser()
        root = None if problems else yaml.compose(text)
        builder = _Builder(yaml.constructor, {}, problems)
        data = None if root is None else builder.value(root)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark is not None else ""
        found = str(error.problem or error.context)
        msg = f"{name}{line}: not valid YAML: {found}{next((f'; {how}' for what, how in _REMEDIES.items() if what in found), '')}"
        raise error_class(msg) from None
    except YAMLError:
        msg = f"{name}: not valid YAML: it holds a character that YAML does not allow; save it as plain text"
        raise error_class(msg) from None
    if problems:
        raise error_class("\n".join(f"{name}:{problem}" for problem in problems))
    return YamlDocument(name, text, data, builder.marks)


def validate_yaml(
    document: YamlDocument, model: type[ModelT], error_class: type[Il2cytoError] = Il2cytoError
) -> ModelT:
    """Turn a document into a pydantic model.

    Values are taken strictly: ``"3"`` is no number, ``NO`` is no boolean, 12 is no text, nothing is infinite or NaN.

    Parameters
    ----------
    document
        From :func:`load_yaml`.
    model
        The class to build.
    error_class
        The exception raised.

    Returns
    -------
    The model.

    Raises
    ------
    Il2cytoError
        As `error_class`, with all problems of the file, a line each, in the order of the file.
    """
    value, problems = check_yaml(document, model)
    if value is None:
        raise error_class("\n".join(problems))
    return value


def check_yaml(document: YamlDocument, model: type[ModelT]) -> tuple[ModelT | None, list[str]]:
    """Like :func:`validate_yaml`, for a caller with more to check: the model or None, and the problems, a line each."""
    infinite = {path: f"found {value}; allowed a finite number" for path, value in _not_finite(document.data)}
    findings: dict[YamlPath, str] = {}
    value = None
    if document.data is None:
        return None, [
            document.problem(
                (),
                f"the file is empty; allowed are the fields {', '.join(field.alias or name for name, field in model.model_fields.items())}",
            )
        ]
    try:
        # Through JSON, because pydantic's strict mode takes a list for a tuple and text for a path only from there.
        value = model.model_validate_json(json.dumps(document.data), strict=True)
    except ValidationError as error:
        findings = explain(error, model, document.data)
    problems = sorted(
        {**findings, **infinite}.items(), key=lambda item: (document.line(item[0]), document.column(item[0]))
    )
    return None if problems else value, [document.problem(path, message) for path, message in problems]


def _read_text(path: Path, error_class: type[Il2cytoError]) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        msg = f"{path.name}: no such file"
        raise error_class(msg) from None
    except OSError as error:
        msg = f"{path.name}: cannot be read: {error.strerror}"
        raise error_class(msg) from None
    if len(content) > MAX_BYTES:
        msg = f"{path.name}: larger than 1 MB; allowed is 1 MB: tables belong in a CSV file beside it"
        raise error_class(msg)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        msg = f"{path.name}: not UTF-8 text; save it as UTF-8"
        raise error_class(msg) from None


def _parser() -> YAML:
    return YAML(typ="safe", pure=True)


def _forbidden(text: str) -> Iterator[str]:
    # On the events, before anything is built: composing would resolve aliases without a trace.
    depth = documents = 0
    for event in _parser().parse(text):
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
        yield f"alias *{_printable(event.anchor)}; write the value out instead"
    elif isinstance(event, NodeEvent) and event.anchor:
        yield f"anchor &{_printable(event.anchor)}; remove it and write the value out where it is used"
    if isinstance(event, ScalarEvent | CollectionStartEvent) and event.ctag is not None:
        yield f"tag {_printable(str(event.ctag))}; remove it"
    if isinstance(event, ScalarEvent) and event.value == "<<" and event.implicit[0]:
        yield "merge key <<; write the values out instead"


@dataclass
class _Builder:
    """Turns nodes into plain values, remembering where each stood."""

    constructor: SafeConstructor
    marks: dict[YamlPath, tuple[int, int]]
    problems: list[str]

    def value(self, node: Node, path: YamlPath = ()) -> YamlValue:
        line = node.start_mark.line + 1
        self.marks.setdefault(path, (line, node.start_mark.column + 1))
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
        if isinstance(node, MappingNode):
            return self.mapping(node, path)
        try:
            if str(node.tag) in _TYPED:
                return self.constructor.construct_object(node)  # type: ignore[no-any-return]
            if _is_text(node.value) or not node.value:
                return str(node.value)
        except ValueError:
            pass  # a whole number of more than 4,300 digits
        self.problems.append(f"{line}: a value that cannot be read; shorten or retype it")
        return None

    def mapping(self, node: MappingNode, path: YamlPath) -> dict[str, YamlValue]:
        mapping: dict[str, YamlValue] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode) or not _is_text(key.value):
                self.problems.append(f"{line}: a key that is no text; allowed are names")
            elif key.value in mapping:
                first = self.marks[*path, key.value][0]
                self.problems.append(f"{line}: duplicate key {_printable(key.value)}, first in line {first}; keep one")
            else:
                self.marks[*path, key.value] = (line, key.start_mark.column + 1)
                mapping[key.value] = self.value(value, (*path, key.value))
        return mapping


def _not_finite(value: YamlValue, path: YamlPath = ()) -> Iterator[tuple[YamlPath, float]]:
    if isinstance(value, float) and not math.isfinite(value):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _not_finite(item, (*path, key))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _not_finite(item, (*path, i))


def _is_text(value: str) -> bool:
    # An escape can make half a surrogate pair, which no file can hold.
    return value != "" and not any("\ud800" <= character <= "\udfff" for character in value)


def _child(value: YamlValue, step: str | int) -> YamlValue:
    if isinstance(value, dict) and isinstance(step, str):
        return value.get(step)
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    return None


def _printable(text: str) -> str:
    return text if text.isprintable() and len(text) <= 60 else repr(text[:60])

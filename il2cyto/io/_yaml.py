"""Strict YAML: what a person wrote in a study or template file, with the line of every entry.

A file is data, never a program: anchors, aliases, merge keys, tags and directives are refused, because each of them
makes a short file mean something that its reader does not see.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from il2cyto.errors import Il2cytoError
from il2cyto.io._validation import explain
from il2cyto.io._yaml_nodes import Builder, forbidden, parser, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from il2cyto.io._yaml_nodes import YamlPath, YamlValue

ModelT = TypeVar("ModelT", bound=BaseModel)

MAX_BYTES: Final = 1_000_000
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
                words += f"[{printable(name) if isinstance(name, str) else step}]"
            else:
                words += f".{printable(step)}" if words else printable(step)
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
        problems = list(forbidden(text))
        yaml = parser()
        root = None if problems else yaml.compose(text)
        builder = Builder(yaml.constructor, {}, problems)
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
    if document.data is None:
        fields = ", ".join(field.alias or name for name, field in model.model_fields.items())
        return None, [document.problem((), f"the file is empty; allowed are the fields {fields}")]
    infinite = {path: f"found {value}; allowed a finite number" for path, value in _not_finite(document.data)}
    findings: dict[YamlPath, str] = {}
    value = None
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


def _not_finite(value: YamlValue, path: YamlPath = ()) -> Iterator[tuple[YamlPath, float]]:
    if isinstance(value, float) and not math.isfinite(value):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _not_finite(item, (*path, key))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _not_finite(item, (*path, i))


def _child(value: YamlValue, step: str | int) -> YamlValue:
    if isinstance(value, dict) and isinstance(step, str):
        return value.get(step)
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    return None

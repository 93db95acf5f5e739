"""What pydantic found wrong with a file, in the words of somebody who has to mend the file."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core.core_schema import ErrorType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

Path: TypeAlias = tuple[str | int, ...]

_PYDANTIC = frozenset(get_args(ErrorType))
_KINDS = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "frozen": "a list",
    "dict": "a mapping",
    "model": "a mapping",
    "mapping": "a mapping",
    "none": "nothing",
    "path": "a path",
}
_LIMITS = {
    "greater_than": ("gt", "a number > {:g}"),
    "greater_than_equal": ("ge", "a number >= {:g}"),
    "less_than": ("lt", "a number < {:g}"),
    "less_than_equal": ("le", "a number <= {:g}"),
    "too_short": ("min_length", "at least {} of them"),
    "too_long": ("max_length", "at most {} of them"),
    "string_too_short": ("min_length", "text of at least {} characters"),
    "string_too_long": ("max_length", "text of at most {} characters"),
    "string_pattern_mismatch": ("pattern", "text matching {}"),
}


@dataclass(frozen=True)
class _Finding:
    path: Path
    what: str
    allowed: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        allowed = f"allowed {self.allowed}" if self.allowed else ""
        return "; ".join(part for part in (self.what, allowed, self.remedy) if part)


def explain(error: ValidationError, model: type[BaseModel], data: object) -> dict[Path, str]:
    """Say what is wrong at which place of the data: what was found, what is allowed, how to mend it.

    Parameters
    ----------
    error
        From validating `data`.
    model
        The class validated against; its fields are what is allowed where one is unknown.
    data
        Dicts, lists and plain values.

    Returns
    -------
    Path of the entry -> message. What several branches of a union say of one entry becomes one message.
    """
    by_path: dict[Path, list[_Finding]] = {}
    for details in error.errors(include_url=False):
        finding = _finding(details, model, data)
        by_path.setdefault(finding.path, []).append(finding)
    # A mapping that fits one branch of a union nearly is not also reported as no number, no text ...
    nested = {path[:end] for path in by_path for end in range(len(path))}
    return {path: _merged(found) for path, found in by_path.items() if path not in nested or not found[0].allowed}


def nearest(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Find the known name that is most like `name`, without regard to case; "" when none is much like it."""
    folded = {word.casefold(): word for word in known}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=cutoff)
    return folded[near[0]] if near else ""


def suggest(name: str, known: Iterable[str]) -> str:
    """Name the nearest of the known names as a question, or give nothing.

    Examples
    --------
    >>> suggest("visits", ["visit", "week"])
    "did you mean 'visit'?"
    """
    near = nearest(name, known)
    return f"did you mean {near!r}?" if near else ""


def show(value: object) -> str:
    """Show a value of a person's own file in a message: short, without control characters."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            return repr(value if len(value) <= 40 else f"{value[:37]}...")
        case list():
            return f"a list of {len(value)}"
        case dict():
            return "a mapping"
        case _:
            return str(value)[:40]


def _finding(details: ErrorDetails, model: type[BaseModel], data: object) -> _Finding:
    kind, loc, context = details["type"], details["loc"], details.get("ctx", {})
    path, value = _real_path(loc, data)
    if kind == "missing":
        return _Finding((*path, loc[-1]), "required field is missing", remedy="add it")
    if kind == "extra_forbidden":
        fields = _field_names(_annotations(model, loc[:-1]))
        return _Finding(path, "unknown field", ", ".join(fields), suggest(str(loc[-1]), fields) or "remove it")
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        return _tag_finding(kind, path, context, _annotations(model, loc))
    if kind in {"literal_error", "enum"}:
        expected = context["expected"]
        return _Finding(path, f"found {show(value)}", expected, suggest(str(value), re.findall(r"'([^']*)'", expected)))
    if kind in {"value_error", "assertion_error"}:
        return _Finding(path, str(context.get("error", details["msg"])))
    allowed = _allowed(kind, context)
    if not allowed:
        # An error of our own validators says all there is to say; pydantic's rarer ones do not show what they found.
        return _Finding(path, f"found {show(value)}: {details['msg']}" if kind in _PYDANTIC else details["msg"])
    number_for_text = kind == "string_type" and isinstance(value, int | float) and not isinstance(value, bool)
    return _Finding(path, f"found {show(value)}", allowed, "put it in quotes" if number_for_text else "")


def _tag_finding(kind: str, path: Path, context: Mapping[str, Any], annotations: list[Any]) -> _Finding:
    field = context["discriminator"].strip("'")
    tags = sorted({tag for each in annotations for tag in _literals(each, field)})
    allowed = ", ".join(tags)
    if kind == "union_tag_not_found":
        return _Finding((*path, field), "required field is missing", allowed, "add it")
    tag = context["tag"]
    return _Finding((*path, field), f"found {show(tag)}", allowed, suggest(tag, tags))


def _allowed(kind: str, context: Mapping[str, Any]) -> str:
    if kind in _LIMITS:
        name, words = _LIMITS[kind]
        return words.format(context[name])
    return _KINDS.get(kind.split("_")[0], "") if kind.endswith(("_type", "_parsing", "_number", "_required")) else ""


def _merged(found: list[_Finding]) -> str:
    first, rest = found[0], found[1:]
    if not rest:
        return str(first)
    if not all(finding.allowed for finding in found):
        return "; ".join(dict.fromkeys(str(finding) for finding in found))
    allowed = " or ".join(dict.fromkeys(finding.allowed for finding in found))
    remedy = next((finding.remedy for finding in found if finding.remedy), "")
    return str(_Finding(first.path, first.what, allowed, remedy))


def _real_path(loc: Path, data: object) -> tuple[Path, object]:
    # pydantic puts the names of union branches and validators between the keys of the data: leave them out.
    path: Path = ()
    value = data
    for step in loc:
        if isinstance(value, list):
            known = isinstance(step, int) and step < len(value)
        else:
            known = isinstance(value, dict) and step in value
        if known:
            value, path = value[step], (*path, step)  # type: ignore[index]
    return path, value


def _annotations(model: type[BaseModel], loc: Path) -> list[Any]:
    """Find the types that the model allows at a location."""
    candidates: list[Any] = [model]
    for step in loc:
        inner = [each for candidate in candidates for each in _inside(candidate, step)]
        if not inner:
            # A branch of a union, named by its class or by the value of its discriminator.
            inner = [each for each in candidates if _is_model(each) and _is_branch(each, str(step))]
        candidates = inner or candidates
    return candidates


def _inside(candidate: Any, step: str | int) -> list[Any]:
    if _is_model(candidate):
        fields = [field for name, field in candidate.model_fields.items() if step in {name, field.alias}]
        return [each for field in fields for each in _members(field.annotation)]
    origin, arguments = get_origin(candidate), get_args(candidate)
    if not isinstance(origin, type) or not arguments:
        return []
    if issubclass(origin, Mapping):
        return _members(arguments[-1])
    if issubclass(origin, Sequence | set | frozenset) and isinstance(step, int):
        return _members(arguments[0 if arguments[-1] is ... else min(step, len(arguments) - 1)])
    return []


def _members(annotation: Any) -> list[Any]:
    annotation = getattr(annotation, "__value__", annotation)  # a `type X = ...` alias
    origin = get_origin(annotation)
    if origin is Annotated:
        return _members(get_args(annotation)[0])
    if origin in {Union, UnionType}:
        return [each for member in get_args(annotation) for each in _members(member)]
    return [annotation]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _is_branch(model: type[BaseModel], step: str) -> bool:
    return model.__name__ == step or any(step in _literals(model, field) for field in model.model_fields)


def _literals(model: Any, field: str) -> list[str]:
    annotation = model.model_fields[field].annotation if _is_model(model) and field in model.model_fields else None
    return [str(value) for value in get_args(annotation)] if get_origin(annotation) is Literal else []


def _field_names(annotations: list[Any]) -> list[str]:
    models = [each for each in annotations if _is_model(each)]
    return list(dict.fromkeys(field.alias or name for each in models for name, field in each.model_fields.items()))

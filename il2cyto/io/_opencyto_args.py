"""Arguments of an openCyto row: a small grammar of R's literals. Nothing is evaluated."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, TypeAlias

from il2cyto.errors import TemplateError

if TYPE_CHECKING:
    from collections.abc import Iterator

Argument: TypeAlias = "float | str | bool | list[Argument] | None"

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?L?)
  | (?P<string>"[^"]*"|'[^']*')
  | (?P<word>[A-Za-z.][A-Za-z0-9._]*)
  | (?P<minus>-(?=Inf))
  | (?P<sign>[(),=])
    )""",
    re.VERBOSE,
)
_WORDS: dict[str, Argument] = {
    "TRUE": True,
    "T": True,
    "FALSE": False,
    "F": False,
    "NULL": None,
    "NA": None,
    "Inf": math.inf,
}


def parse_arguments(text: str) -> dict[str, Argument]:
    """Read ``name=value`` pairs, where a value is a number, text, TRUE, FALSE, NULL, Inf or a vector ``c(...)``.

    Raises
    ------
    TemplateError
        If the text is anything else, such as a call of a function or an operation.

    Examples
    --------
    >>> parse_arguments("K=2, target=c(1e5, 5e4), positive=TRUE")
    {'K': 2.0, 'target': [100000.0, 50000.0], 'positive': True}
    """
    tokens = list(_tokens(text))
    arguments: dict[str, Argument] = {}
    while tokens:
        if len(tokens) < 3 or tokens[1] != "=":
            _refuse(text)
        name = tokens.pop(0).strip("\"'")
        tokens.pop(0)
        arguments[name] = _value(tokens, text)
        if tokens and tokens.pop(0) != ",":
            _refuse(text)
    return arguments


def numbers(value: Argument, count: int) -> tuple[float, ...] | None:
    """Give the value as so many finite numbers, or None if it is anything else."""
    items = value if isinstance(value, list) else [value]
    found = [item for item in items if isinstance(item, float) and math.isfinite(item)]
    return tuple(found) if len(found) == len(items) == count else None


def _tokens(text: str) -> Iterator[str]:
    position, text = 0, text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            _refuse(text)
            return
        yield match.group().strip()
        position = match.end()


def _value(tokens: list[str], text: str) -> Argument:
    token = tokens.pop(0)
    if token == "-" and tokens and tokens[0] == "Inf":
        tokens.pop(0)
        return -math.inf
    if token == "c" and tokens and tokens[0] == "(":
        tokens.pop(0)
        items: list[Argument] = []
        while tokens and tokens[0] != ")":
            if len(tokens) > 2 and tokens[1] == "=":  # a vector may name its elements
                del tokens[:2]
            items.append(_value(tokens, text))
            if tokens and tokens[0] == ",":
                tokens.pop(0)
        if not tokens:
            _refuse(text)
        tokens.pop(0)
        return items
    if token[0] in "\"'":
        return token[1:-1]
    if token in _WORDS:
        return _WORDS[token]
    if re.fullmatch(r"[+-]?[\d.].*", token):
        return float(token.rstrip("L"))
    _refuse(text)
    return None


def _refuse(text: str) -> None:
    msg = f"arguments {text!r} cannot be read: allowed are name=value with numbers, text, TRUE, FALSE, NULL, Inf and c(...)"
    raise TemplateError(msg)

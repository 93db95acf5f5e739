"""Boolean gates: names, and, or, not, parentheses. A parser of its own, because nothing from a file is ever evaluated."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from il2cyto.errors import TemplateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEYWORDS = ("and", "or", "not")
_TOKEN = re.compile(r"\s*(?:([A-Za-z][A-Za-z0-9_]*)|([()])|(\S))")


@dataclass(frozen=True, slots=True)
class Expression:
    """A node of the syntax tree: a name, or an operator with its operands."""

    operator: str  # "name", "and", "or", "not"
    name: str = ""
    operands: tuple[Expression, ...] = ()

    def names(self) -> tuple[str, ...]:
        """The populations the expression speaks of, in order of appearance, each once."""
        own = (self.name,) if self.operator == "name" else ()
        return tuple(dict.fromkeys((*own, *(name for part in self.operands for name in part.names()))))

    def evaluate(self, value_of: Callable[[str], Any]) -> Any:
        """Combine what `value_of` gives for each name (boolean arrays, or bools) with ``&``, ``|`` and ``~``."""
        if self.operator == "name":
            return value_of(self.name)
        parts = [part.evaluate(value_of) for part in self.operands]
        if self.operator == "not":
            return ~parts[0]
        return parts[0] & parts[1] if self.operator == "and" else parts[0] | parts[1]


def parse(text: str) -> Expression:
    """Read a boolean gate such as ``CD4pos and not (CD8pos or dead)``.

    ``not`` binds tighter than ``and``, ``and`` tighter than ``or``.

    Raises
    ------
    TemplateError
        Naming the place where the text stops making sense.

    Examples
    --------
    >>> parse("CD4pos and not CD8pos").names()
    ('CD4pos', 'CD8pos')
    """
    tokens = _Tokens(text)
    expression = _either(tokens)
    if tokens.now:
        raise tokens.unexpected(wanted="the end of the expression")
    return expression


class _Tokens:
    """The words of the text, one ahead."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._rest: Iterator[re.Match[str]] = _TOKEN.finditer(text)
        self.now, self.at = "", 0
        self.step()

    def step(self) -> str:
        taken = self.now
        match = next(self._rest, None)
        self.now, self.at = ("", len(self.text)) if match is None else (match.group().strip(), match.end())
        return taken

    def unexpected(self, *, wanted: str) -> TemplateError:
        found = repr(self.now) if self.now else "the end"
        msg = f"boolean gate {self.text!r}: found {found} at character {self.at}; expected {wanted}"
        return TemplateError(msg)


def _either(tokens: _Tokens) -> Expression:
    left = _both(tokens)
    while tokens.now == "or":
        tokens.step()
        left = Expression("or", operands=(left, _both(tokens)))
    return left


def _both(tokens: _Tokens) -> Expression:
    left = _term(tokens)
    while tokens.now == "and":
        tokens.step()
        left = Expression("and", operands=(left, _term(tokens)))
    return left


def _term(tokens: _Tokens) -> Expression:
    # A loop instead of recursion on "not": a hostile file cannot exhaust the stack with it; parentheses are capped.
    negations = 0
    while tokens.now == "not":
        tokens.step()
        negations += 1
    if tokens.now == "(":
        if tokens.text.count("(") > 50:
            raise tokens.unexpected(wanted="at most 50 pairs of parentheses")
        tokens.step()
        inner = _either(tokens)
        if tokens.now != ")":
            raise tokens.unexpected(wanted="')'")
        tokens.step()
    elif tokens.now and tokens.now not in KEYWORDS and (tokens.now[0].isalpha() and tokens.now.isascii()):
        inner = Expression("name", name=tokens.step())
    else:
        raise tokens.unexpected(wanted="a population's name, 'not' or '('")
    return Expression("not", operands=(inner,)) if negations % 2 else inner

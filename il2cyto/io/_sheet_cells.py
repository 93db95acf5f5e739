"""What a column of a sheet may hold, and a cell of it as a value, or what is wrong with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from il2cyto.io._validation import show, suggest

Cell: TypeAlias = "str | bool | int | float | None"

_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,15}(?:\.0+)?")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?")
_MONTHS: Final = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
#: A date in any of the usual spellings.
DATE: Final = re.compile(
    r"(?<![\d.])(?:"
    r"(?:19|20)\d\d([-/.])(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12]\d|3[01])"
    r"|(?:0?[1-9]|[12]\d|3[01])([-/.])(?:0?[1-9]|[12]\d|3[01])\2(?:(?:19|20)\d\d|\d\d)"
    rf"|(?:0?[1-9]|[12]\d|3[01])[-. ]*(?:{_MONTHS})[a-z]*[-., ]*(?:19|20)\d\d"
    r")(?!\d|\.\d)",
    re.IGNORECASE,
)
DATE_PROBLEM: Final = (
    "a date, which may identify a person; give the study day (the baseline visit is day 1) or remove the column"
)
_COMMA: Final = re.compile(r"[+-]?[0-9]+,[0-9]+")
#: Without the number itself: a whole column of them is one problem.
COMMA_PROBLEM: Final = (
    "found a number with a decimal comma; allowed is a point, 0.5 for 0,5, or semicolons between the cells of the sheet"
)
_BOOLEANS: Final = {
    **dict.fromkeys(("true", "yes", "y", "t", "1", "1.0"), True),
    **dict.fromkeys(("false", "no", "n", "f", "0", "0.0"), False),
}


@dataclass(frozen=True)
class Column:
    """What a sheet may hold in one column.

    Attributes
    ----------
    name
        The name that il2cyto uses; one that ends in ``*`` stands for all columns that begin so.
    kind
        What the cells are. A blank cell is always allowed here; what may not be blank is the sheet's own rule.
    required
        The sheet must have the column.
    accepted
        Other headings, CDISC's among them; the earlier wins. Columns that disagree are a problem.
    fallback
        A heading that is read only where there is no other, and need not agree.
    choices
        The only values allowed, if any.
    low, high
        Bounds of a number, both allowed.
    """

    name: str
    kind: Literal["text", "bool", "int", "float"] = "text"
    required: bool = False
    accepted: tuple[str, ...] = ()
    fallback: str = ""
    choices: tuple[str, ...] = ()
    low: float = float("-inf")
    high: float = float("inf")


def parse_cell(text: str, column: Column, *, decimal_comma: bool) -> tuple[Cell, str]:
    """Turn a cell into a value, or None and what is wrong with it."""
    if not text:
        return None, ""
    if column.kind != "text" and DATE.match(text):
        return None, DATE_PROBLEM
    if not text.isprintable():
        return None, f"found {show(text)}, with a control character or line break; retype it"
    if column.kind == "bool":
        value = _BOOLEANS.get(text.casefold())
        return value, "" if value is not None else f"found {show(text)}; allowed yes, no or blank"
    if column.kind in {"int", "float"}:
        return _parse_number(text, column, decimal_comma=decimal_comma)
    if column.choices and text not in column.choices:
        problem = f"found {show(text)}; allowed {', '.join(column.choices)}; {suggest(text, column.choices)}"
        return None, problem.removesuffix("; ")
    return text, ""


def _parse_number(text: str, column: Column, *, decimal_comma: bool) -> tuple[Cell, str]:
    number = text.replace(",", ".") if decimal_comma and text.count(",") == 1 else text
    whole = column.kind == "int"
    if not (_WHOLE if whole else _NUMBER).fullmatch(number):
        if _COMMA.fullmatch(text):
            return None, COMMA_PROBLEM
        return None, f"found {show(text)}; allowed {'a whole number' if whole else 'a number'} or blank"
    value = float(number)
    if not column.low <= value <= column.high:
        allowed = f"{column.low:g} to {column.high:g}" if column.high < float("inf") else f"{column.low:g} or more"
        return None, f"found {text}; allowed {allowed}"
    return int(value) if whole else value, ""

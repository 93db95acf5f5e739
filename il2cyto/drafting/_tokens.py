"""The words of a file's name, and what each of them looks like."""

from __future__ import annotations

import re
from typing import Final

from il2cyto.panel import parse_label

_MONTH: Final = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_YEAR: Final = r"(?:19|20)\d\d"
_MM, _DD = "(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12]\d|3[01])"
# A date is taken out before anything is read from a name: it may identify a person, and says nothing that $DATE does not.
_DATE: Final = re.compile(
    rf"(?<!\d)(?:{_YEAR}([-_. ]?){_MM}\1{_DD}|\d{{1,2}}([-_. ])\d{{1,2}}\2{_YEAR}|{_DD}{_MM}{_YEAR}|\d\d{_MM}{_DD}"
    rf"|\d{{1,2}}[-_. ]?{_MONTH}[-_. ]?(?:{_YEAR}|\d\d))(?!\d)",
    re.IGNORECASE,
)
_SEPARATORS: Final = re.compile(r"[\s_.,;:()\[\]{}+&@#=!~'\"]+")
_KEYWORD: Final = re.compile(
    r"visit|week|wk|day|month|subject|subj|patient|pat|pt|donor|batch|plate|run|rep|replicate", re.IGNORECASE
)
_GLUED: Final = re.compile(r"(.*\d)((?:visit|week|day|v|w|d)\d{1,3})", re.IGNORECASE)

VISIT: Final = re.compile(
    r"(?:v|vis|visit|w|wk|week|day|month)[-+]?\d{1,3}|c\d{1,2}d\d{1,2}|baseline|base|bl|screening|screen|scr|eot|eos"
    r"|follow-?up\d*|fu\d+|pre|post|predose|postdose|unscheduled",
    re.IGNORECASE,
)
#: What may be a visit, or something else: D1 is a day or a donor, T1 a time or a tube.
MAYBE_VISIT: Final = re.compile(r"(?:d|m|t|tp)-?\d{1,3}", re.IGNORECASE)
BATCH: Final = re.compile(r"(?:batch|plate|run)-?\d{1,3}[a-z]?|b\d{1,2}", re.IGNORECASE)
REPLICATE: Final = re.compile(r"(?:rep|replicate|dup|duplicate)-?[0-9a-d]{1,2}", re.IGNORECASE)
MAYBE_REPLICATE: Final = re.compile(r"[a-d]|\d", re.IGNORECASE)
SUBJECT: Final = re.compile(
    r"(?:subject|subj|sub|patient|pat|pt|donor|p|s|hc|hd)-?\d{1,6}|[a-z]{2,}\d*(?:-[a-z0-9]+)*-\d+|\d{1,4}(?:-\d{1,5})+",
    re.IGNORECASE,
)
MAYBE_SUBJECT: Final = re.compile(r"(?=.*\d)[^\W\d_][\w-]*")
_DIGIT_LETTER: Final = re.compile(r"(?<=\d)(?=[^\W\d_])")
#: Nothing longer is an identifier.
LONGEST: Final = 40
#: Stands where a date stood; no file name has it.
DATE_FILLER: Final = "\N{REPLACEMENT CHARACTER}"


def names_markers(word: str) -> bool:
    """Tell whether a word is markers and nothing else.

    Examples
    --------
    >>> names_markers("Ki67ccr7"), names_markers("CD25"), names_markers("Hs90208C")
    (True, True, False)
    """
    return bool(parse_label(word)) or all(parse_label(piece) for piece in _DIGIT_LETTER.split(word))


def letters(word: str) -> str:
    """The letters that a word begins with, in lower case."""
    return re.split(r"[\W\d_]", word, maxsplit=1)[0].casefold()


def without_dates(text: str) -> str:
    """Put a filler in the place of each letter of a date."""
    return _DATE.sub(lambda match: DATE_FILLER * len(match[0]), text)


def words(text: str) -> tuple[str, ...]:
    """Split a name into words, dates left out.

    A hyphen separates only where it sets off a word that is known, so that ``SIM-003`` stays whole.

    Examples
    --------
    >>> words("SIM-003_W12"), words("2024-03-01 Subject_07-V2"), words("P01V1")
    (('SIM-003', 'W12'), ('Subject07', 'V2'), ('P01', 'V1'))
    """
    parts = [part.strip("-") for part in _SEPARATORS.split(_DATE.sub(" ", text))]
    return tuple(_joined([word for part in parts if part for word in _cut(part)]))


def _joined(parts: list[str]) -> list[str]:
    """Put ``Visit`` and the ``2`` behind it together."""
    found: list[str] = []
    for part in parts:
        if found and part.isdecimal() and _KEYWORD.fullmatch(found[-1]):
            found[-1] += part
        else:
            found.append(part)
    return found


def _cut(word: str) -> list[str]:
    if _is_known(word):
        return [word]
    glued = _GLUED.fullmatch(word)
    if glued and "-" not in word:
        return [glued[1], glued[2]]
    found, rest = [], ""
    for piece in word.split("-"):
        if _is_known(piece):
            found += [rest, piece] if rest else [piece]
            rest = ""
        else:
            rest = f"{rest}-{piece}" if rest else piece
    return [*found, rest] if rest else found


def _is_known(word: str) -> bool:
    return any(kind.fullmatch(word) for kind in (VISIT, MAYBE_VISIT, BATCH, REPLICATE))

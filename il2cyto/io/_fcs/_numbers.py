"""Numbers as FCS writes them. Python's own `int` and `float` also take `1_000`, `infinity` and full-width digits."""

from __future__ import annotations

import math
import re
from functools import lru_cache

_INTEGER = re.compile(r"[ \t\r\n]*[+-]?[0-9]+[ \t\r\n]*")
_NUMBER = re.compile(r"[ \t\r\n]*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[ \t\r\n]*")
# Longer than any number a file can mean; Python refuses to convert text of 4300 digits.
_LONGEST = 300


def integer(text: str) -> int | None:
    """Read an integer, blanks around it allowed; None where there is none."""
    return int(text) if len(text) < _LONGEST and _INTEGER.fullmatch(text) else None


# Files of one batch repeat their numbers, those of the spillover matrix above all.
@lru_cache(maxsize=4096)
def number(text: str) -> float | None:
    """Read a finite number, blanks around it allowed; None where there is none."""
    if len(text) >= _LONGEST or not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None

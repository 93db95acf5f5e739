"""The day a file was acquired, to tell batches apart."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# The standard says 05-OCT-2024; some programs write 2024-OCT-05.
_DAY_FIRST: Final = re.compile(r"(?P<day>\d{1,2})-(?P<month>[a-z]{3})-(?P<year>\d{4})", re.IGNORECASE)
_YEAR_FIRST: Final = re.compile(r"(?P<year>\d{4})-(?P<month>[a-z]{3})-(?P<day>\d{1,2})", re.IGNORECASE)


def parse_day(text: str) -> date | None:
    """Read `$DATE`; None where it is not a date as the standard writes it.

    Examples
    --------
    >>> parse_day("05-OCT-2024"), parse_day("5/10/24")
    (datetime.date(2024, 10, 5), None)
    """
    match = _DAY_FIRST.fullmatch(text.strip()) or _YEAR_FIRST.fullmatch(text.strip())
    if match is None or match["month"].lower() not in _MONTHS:
        return None
    try:
        return date(int(match["year"]), _MONTHS.index(match["month"].lower()) + 1, int(match["day"]))
    except ValueError:
        return None

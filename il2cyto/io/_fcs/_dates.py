"""The day of acquisition. It is used to compare files with one another, and never written out: a date may identify a patient."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from il2cyto.io._fcs._file import FcsFile

_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
# As the standard says, day first; some makers put the year first, and 3.2 has ISO 8601.
_DAY_FIRST: Final = re.compile(r"([0-9]{1,2})-([A-Z]{3})-([0-9]{4})")
_YEAR_FIRST: Final = re.compile(r"([0-9]{4})-([A-Z]{3})-([0-9]{1,2})")
_ISO: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(T.*)?")


def acquisition_day(file: FcsFile) -> date | None:
    """Read `$DATE` or, in FCS 3.2, `$BEGINDATETIME`; None where there is none in a form that can mean one day only."""
    for key in ("$BEGINDATETIME", "$DATE"):
        day = parse_day(file._words.get(key, ""))
        if day is not None:
            return day
    return None


def parse_day(text: str) -> date | None:
    """Read a day.

    Examples
    --------
    >>> parse_day("07-MAR-2020") == parse_day("2020-Mar-7") == parse_day("2020-03-07T09:30:00Z")
    True
    >>> parse_day("07/03/2020") is None, parse_day("31-FEB-2020") is None
    (True, True)
    """
    text = text.strip().upper()
    if match := _DAY_FIRST.fullmatch(text):
        day, month, year = match.groups()
    elif match := _YEAR_FIRST.fullmatch(text):
        year, month, day = match.groups()
    elif match := _ISO.fullmatch(text):
        year, month, day = match.groups()[:3]
    else:
        return None
    if month.isalpha():
        if month not in _MONTHS:
            return None
        month = str(_MONTHS.index(month) + 1)
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None

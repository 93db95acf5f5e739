"""Tables as the page shows them: text for people, and the numbers behind it for sorting and for the CSV that is copied."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl


class Cell(NamedTuple):
    """What is shown, and what is sorted by and copied."""

    text: str
    value: str
    numeric: bool


class Table(NamedTuple):
    """A table of the page: an id, a caption, the heads of its columns, the rows, and which columns hold numbers."""

    name: str
    caption: str
    heads: list[str]
    rows: list[list[Cell]]
    numeric: list[bool]


def table(
    name: str,
    frame: pl.DataFrame,
    *,
    caption: str,
    heads: Mapping[str, str] | None = None,
    columns: Sequence[str] | None = None,
    percent: frozenset[str] = frozenset(),
) -> Table:
    """Make a table of a frame.

    Parameters
    ----------
    name
        Its id, and the name of the file that its CSV is saved as.
    frame
        The rows.
    caption
        What it shows.
    heads
        Column -> head; the column's own name where there is none.
    columns
        Which, in this order; those that the frame lacks are left out. All if None.
    percent
        Columns with fractions that are shown in percent; their heads say so.

    Returns
    -------
    The table. Null and NaN are shown as an en dash and copied as nothing.
    """
    chosen = [column for column in columns or frame.columns if column in frame.columns]
    # A column that says nothing at all takes room from those that do.
    chosen = [c for c in chosen if frame[c].null_count() < frame.height or not frame.height]
    titles = [(heads or {}).get(c, c.replace("_", " ")) + (" %" if c in percent else "") for c in chosen]
    whole = {c for c in chosen if _is_whole(frame[c])}
    rows = [
        [cell(value, percent=c in percent, whole=c in whole) for c, value in zip(chosen, row, strict=True)]
        for row in frame.select(chosen).iter_rows()
    ]
    numeric = [frame.schema[c].is_numeric() for c in chosen]
    return Table(name, caption, titles, rows, numeric)


def _is_whole(column: pl.Series) -> bool:
    """Tell whether a column of decimals, such as weeks, holds nothing but whole numbers that are short."""
    if not column.dtype.is_float():
        return False
    values = column.fill_nan(None).drop_nulls()
    return bool(((values == values.round()) & (values.abs() < 10_000)).all())


def cell(value: object, *, percent: bool = False, whole: bool = False) -> Cell:
    """Write one value; of a column of `whole` numbers without decimals.

    Examples
    --------
    >>> cell(0.0471, percent=True)
    Cell(text='4.71', value='0.0471', numeric=True)
    >>> cell(None).text, cell(float("nan")).value, cell(12).text, cell(True).text
    ('–', '', '12', 'yes')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return Cell("–", "", numeric=False)
    if isinstance(value, bool):
        return Cell("yes" if value else "no", str(value).lower(), numeric=False)
    if isinstance(value, int):
        return Cell(
            f"{value:,}".replace(",", "\u202f") if abs(value) >= 10_000 else str(value), str(value), numeric=True
        )
    if isinstance(value, float):
        shown = 100 * value if percent else value
        text = f"{shown + 0:.0f}".replace("-", "−") if whole and not percent else _short(shown)
        return Cell(text, repr(value), numeric=True)
    return Cell(str(value), str(value), numeric=False)


def _short(number: float) -> str:
    """Three digits that count, without an exponent where a reader can do without one."""
    if math.isinf(number):
        return "∞" if number > 0 else "−∞"
    if number != 0 and not 1e-4 <= abs(number) < 1e6:
        return f"{number:.2e}".replace("-", "−")
    digits = 0 if number == 0 else max(0, 2 - math.floor(math.log10(abs(number))))
    return f"{number:.{min(digits, 6)}f}".replace("-", "−")

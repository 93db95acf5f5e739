"""All result tables in one XLSX that people open and paste from: a readme sheet first, then a sheet a table."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from il2cyto.io._atomic import replacing
from il2cyto.io._columns import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

#: What Excel allows, and what stays quick to open; longer tables are in the CSV and parquet files.
MOST_ROWS: Final = 50_000
LONGEST_NAME: Final = 31
_WIDEST: Final = 48


def write_workbook(
    tables: Mapping[str, pl.DataFrame], path: str | Path, *, title: str, notes: Sequence[str] = ()
) -> Path:
    """Write tables as one workbook: frozen bold heads with filters, numbers as numbers, and a readme with units.

    Parameters
    ----------
    tables
        Sheet -> table. Tables without rows are listed in the readme and have no sheet, as are those of more than 50,000
        rows.
    path
        Where to, ``results.xlsx``; an existing file is replaced in one step.
    title
        What stands at the top of the readme: the study's name.
    notes
        Lines below it, such as that the data are simulated.

    Returns
    -------
    The path. The same tables give the same bytes. Missing values are blank cells. Text is never run as a formula, nor
    turned into a link.
    """
    import xlsxwriter

    path = Path(path)
    options = {
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "nan_inf_to_errors": True,
    }
    with replacing(path) as draft, xlsxwriter.Workbook(draft, options) as book:
        # A workbook with the hour of its making would differ each time.
        book.set_properties({"title": title, "comments": "il2cyto", "created": datetime.datetime(2000, 1, 1)})
        names = sheet_names(tables)
        shown = {name: table for name, table in tables.items() if 0 < table.height <= MOST_ROWS}
        _readme(book, tables, names, title=title, notes=notes)
        for name, table in shown.items():
            _sheet(book, names[name], table)
    return path


def sheet_names(tables: Mapping[str, pl.DataFrame]) -> dict[str, str]:
    """Give each table a name that Excel takes: no more than 31 characters, no brackets or slashes, none twice.

    Examples
    --------
    >>> import polars
    >>> sheet_names({"a/b": polars.DataFrame(), "a_b": polars.DataFrame()})
    {'a/b': 'a_b', 'a_b': 'a_b 2'}
    """
    names: dict[str, str] = {}
    for name in tables:
        plain = "".join("_" if letter in "[]:*?/\\'" else letter for letter in name)[:LONGEST_NAME] or "table"
        candidate, again = plain, 1
        while candidate.lower() in {taken.lower() for taken in (*names.values(), "readme")}:
            again += 1
            candidate = f"{plain[: LONGEST_NAME - 4]} {again}"
        names[name] = candidate
    return names


def _readme(
    book: Any, tables: Mapping[str, pl.DataFrame], names: Mapping[str, str], *, title: str, notes: Sequence[str]
) -> None:
    sheet = book.add_worksheet("readme")
    bold = book.add_format({"bold": True})
    wrapped = book.add_format({"text_wrap": True, "valign": "top"})
    sheet.set_column(0, 0, 28)
    sheet.set_column(1, 1, 26)
    sheet.set_column(2, 3, 22)
    sheet.set_column(4, 4, 70, wrapped)
    sheet.write_string(0, 0, title, book.add_format({"bold": True, "font_size": 14}))
    lines = [*notes, "Fractions are 0-1; a blank cell is a value that is missing or could not be evaluated, never 0."]
    for at, line in enumerate(lines, start=1):
        sheet.write_string(at, 0, line)
    first = len(lines) + 2
    sheet.write_row(first, 0, ["sheet", "column", "unit", "rows", "meaning"], bold)
    row = first + 1
    for name, table in tables.items():
        where = "" if table.height <= MOST_ROWS else f"too long for a sheet: see tables/{name}.csv"
        sheet.write_row(row, 0, [names[name], "", "", table.height, where or ("" if table.height else "no rows")])
        row += 1
        for name_of_column in table.columns:
            unit, meaning = COLUMNS.get(name_of_column, ("", ""))
            sheet.write_row(row, 0, ["", name_of_column, unit, "", meaning])
            row += 1
    sheet.freeze_panes(first + 1, 0)


def _sheet(book: Any, name: str, table: pl.DataFrame) -> None:
    sheet = book.add_worksheet(name)
    bold = book.add_format({"bold": True, "bottom": 1})
    for column, head in enumerate(table.columns):
        values = table[head]
        sheet.write_string(0, column, head, bold)
        for row, value in enumerate(values.to_list(), start=1):
            _write(sheet, row, column, value)
        longest = 12 if values.dtype.is_float() else max((len(str(v)) for v in values.head(200)), default=0)
        sheet.set_column(column, column, min(max(len(head) + 2, longest), _WIDEST))
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, table.height, table.width - 1)


def _write(sheet: Any, row: int, column: int, value: object) -> None:
    if value is None or value != value:
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, int | float):
        sheet.write_number(row, column, value) if abs(value) != float("inf") else sheet.write_string(
            row, column, str(value)
        )
    else:
        sheet.write_string(row, column, str(value))

"""The rows of a CSV or Excel file, before anything is known of its columns."""

from __future__ import annotations

import csv
import importlib
import importlib.util
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class UnreadableError(Exception):
    """The sheet cannot be read at all."""


def read_csv(path: Path) -> tuple[list[tuple[int, list[str]]], bool]:
    """Rows of cells with their line numbers, and whether numbers have a decimal comma."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        msg = "no such file"
        raise UnreadableError(msg) from None
    except OSError as error:
        msg = f"cannot be read: {error.strerror}"
        raise UnreadableError(msg) from None
    except UnicodeDecodeError:
        msg = "not UTF-8 text; save it as 'CSV UTF-8'"
        raise UnreadableError(msg) from None
    if "\0" in text:  # UTF-16 without its mark passes as UTF-8
        msg = "not UTF-8 text, but UTF-16 or no text at all; save it as 'CSV UTF-8'"
        raise UnreadableError(msg)
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, start = [], 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append((start, row))
            start = reader.line_num + 1  # a quoted cell may run over several lines
    except csv.Error as error:
        msg = f"not a CSV table from line {start} on: {error}"
        raise UnreadableError(msg) from None
    # Where commas do not separate, the locale that saved the sheet writes 0,5 for a half.
    return rows, delimiter == ";"


def read_excel(path: Path) -> tuple[list[tuple[int, list[str]]], bool]:
    """Rows of cells of the first sheet with their line numbers; its numbers have no decimal comma."""
    if importlib.util.find_spec("fastexcel") is None:
        msg = "an Excel file needs the package fastexcel; install it (pip install fastexcel) or save the sheet as 'CSV UTF-8'"
        raise UnreadableError(msg)
    if not path.is_file():
        msg = "no such file"
        raise UnreadableError(msg)
    fastexcel = importlib.import_module("fastexcel")  # optional, and without types
    try:
        table = fastexcel.read_excel(path).load_sheet(0, header_row=None, skip_rows=0, dtypes="string").to_polars()
    except fastexcel.FastExcelError:
        msg = "not a readable Excel file; open it, save it again, or save the sheet as 'CSV UTF-8'"
        raise UnreadableError(msg) from None
    rows = [(i, [cell or "" for cell in row]) for i, row in enumerate(table.iter_rows(), start=1)]
    return [(i, row) for i, row in rows if any(cell.strip() for cell in row)], False

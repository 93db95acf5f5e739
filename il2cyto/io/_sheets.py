"""Sheets that people keep: CSV or Excel tables, read by rules, with the line of every problem."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from il2cyto.io._sheet_cells import Column, parse_cell
from il2cyto.io._sheet_files import UnreadableError, read_csv, read_excel
from il2cyto.io._validation import nearest, show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path


_DTYPES: Final = {"text": pl.String, "bool": pl.Boolean, "int": pl.Int64, "float": pl.Float64}


@dataclass
class Sheet:
    """A sheet as read, and what is wrong with it.

    Attributes
    ----------
    name
        File name.
    frame
        Typed columns by their il2cyto names, other columns as text, and ``line``, the line (CSV) or row (Excel) from 1.
        Blank cells, and those that are a problem, are null.
    sources
        Column -> heading, where they differ by more than case.
    problems
        Line (0 for the sheet itself) and message.
    """

    name: str
    frame: pl.DataFrame = field(default_factory=pl.DataFrame)
    sources: dict[str, str] = field(default_factory=dict)
    problems: list[tuple[int, str]] = field(default_factory=list)

    def messages(self) -> list[str]:
        """All problems in the order of the sheet; what several lines have in common is said once."""
        lines: dict[str, list[int]] = {}
        for line, text in sorted(self.problems, key=lambda problem: problem[0]):
            lines.setdefault(text, []).append(line)
        return [f"{self.name}{f':{at[0]}' if at[0] else ''}: {text}{_also(at[1:])}" for text, at in lines.items()]


def read_sheet(path: Path, columns: Sequence[Column]) -> Sheet:
    """Read a sheet by the rules of its columns.

    Parameters
    ----------
    path
        A CSV file (UTF-8, separated by commas, semicolons or tabs) or the first sheet of an Excel file.
    columns
        What the sheet may hold; other columns are kept as text.

    Returns
    -------
    The sheet with all its problems. A sheet that cannot be read at all has one problem and an empty frame.
    """
    sheet = Sheet(path.name)
    try:
        rows, decimal_comma = read_excel(path) if path.suffix.lower() in {".xlsx", ".xls"} else read_csv(path)
    except UnreadableError as error:
        sheet.problems.append((0, str(error)))
        return sheet
    if not rows:
        sheet.problems.append((0, f"the sheet is empty; its first line names columns: {_names(columns)}"))
        return sheet
    table = _by_heading(sheet, rows)
    columns = [each for column in columns for each in _expanded(column, table.cells)]
    places = _resolve(sheet, table, columns)
    series = [pl.Series("line", table.lines, dtype=pl.Int64)]
    for column in columns:
        if column.name in places:
            texts = table.cells[places[column.name]]
            parsed = [parse_cell(text, column, decimal_comma=decimal_comma) for text in texts]
            sheet.problems += [
                (line, f"{column.name}: {problem}")
                for line, (_, problem) in zip(table.lines, parsed, strict=True)
                if problem
            ]
            series.append(pl.Series(column.name, [value for value, _ in parsed], dtype=_DTYPES[column.kind]))
    taken = {*places.values(), *(column.name for column in columns), "line"}
    others = {name: texts for name, texts in table.cells.items() if name not in taken}
    series += [pl.Series(name, [text or None for text in texts], dtype=pl.String) for name, texts in others.items()]
    sheet.frame = pl.DataFrame(series)
    return sheet


@dataclass(frozen=True)
class _Table:
    """Cleaned cells by heading; `head` is the line of the headings, `lines` those of the rows."""

    head: int
    lines: list[int]
    cells: dict[str, list[str]]


def blanks(sheet: Sheet, column: str, rows: Iterable[Mapping[str, Any]]) -> list[tuple[int, str]]:
    """List the rows whose cell is blank; a cell that is null because it is a problem already is not blank."""
    bad = {line for line, text in sheet.problems if text.startswith(f"{column}: ")}
    lines = [row["line"] for row in rows if row[column] is None]
    return [(line, f"{column}: blank; fill it in") for line in lines if line not in bad]


def repeats(
    rows: list[dict[str, Any]], key: Callable[[dict[str, Any]], object]
) -> dict[int, tuple[dict[str, Any], int]]:
    """Line of each row whose key came before -> the row, and the line where it came first."""
    first: dict[object, int] = {}
    repeats = {}
    for row in rows:
        value = key(row)
        if value and value in first:
            repeats[row["line"]] = (row, first[value])
        elif value:
            first[value] = row["line"]
    return repeats


def not_in(value: str, where: str, allowed: Sequence[str]) -> str:
    """Say that a value is none of those allowed, and which of them is nearest."""
    near = nearest(value, allowed, cutoff=0.4)
    return f"{show(value)} is not in {where}; allowed {', '.join(allowed)}{f'; nearest {near}' if near else ''}"


def _clean(cell: str) -> str:
    return unicodedata.normalize("NFC", cell).strip()


def _by_heading(sheet: Sheet, rows: list[tuple[int, list[str]]]) -> _Table:
    (head, header), body = rows[0], rows[1:]
    for line, row in body:
        if len(row) < len(header) or any(cell.strip() for cell in row[len(header) :]):
            text = f"has {len(row)} cells, the headings are {len(header)}; look for a missing or stray separator"
            sheet.problems.append((line, text))
    cells: dict[str, list[str]] = {}
    for i, name in enumerate(map(_clean, header)):
        texts = [_clean(row[i]) if i < len(row) else "" for _, row in body]
        if name in cells:
            sheet.problems.append((head, f"two columns are called {show(name)}; rename or remove one"))
        elif name:
            cells[name] = texts
        elif any(texts):
            sheet.problems.append((head, f"column {i + 1} has no name; name it or remove it"))
    return _Table(head, [line for line, _ in body], cells)


def _expanded(column: Column, headings: Iterable[str]) -> list[Column]:
    if not column.name.endswith("*"):
        return [column]
    names = dict.fromkeys(heading.casefold() for heading in headings)
    return [replace(column, name=name) for name in names if name.startswith(column.name[:-1])]


def _resolve(sheet: Sheet, table: _Table, columns: Sequence[Column]) -> dict[str, str]:
    """Decide which heading stands for which column; note what is missing, contradictory or nearly right."""
    headings = {column: _headings(column, table.cells) for column in columns}
    free = [name for name in table.cells if not any(name in found for found in headings.values())]
    for column, found in headings.items():
        if found:
            _check_agreement(sheet, table, column, found)
        elif column.required:
            names = " or ".join((column.name, *column.accepted))
            near = nearest(column.name, free)
            remedy = f"; rename {show(near)} to {column.name!r}" if near else ""
            text = f"no column {names}; found {', '.join(map(show, table.cells))}{remedy}"
            sheet.problems.append((table.head, text))
        elif near := nearest(column.name, free, cutoff=0.8):
            text = f"unknown column {show(near)}; did you mean {column.name!r}? Rename or remove it"
            sheet.problems.append((table.head, text))
    places = {column.name: found[0] for column, found in headings.items() if found}
    sheet.sources.update({name: heading for name, heading in places.items() if heading.casefold() != name})
    return places


def _headings(column: Column, cells: Iterable[str]) -> list[str]:
    """Find the headings that stand for a column, the one to take first."""
    words = [word.casefold() for word in (*column.accepted, column.name)]
    found = sorted((name for name in cells if name.casefold() in words), key=lambda name: words.index(name.casefold()))
    # The canonical name as il2cyto writes it beats all; `VISIT` in capitals is CDISC's and stands behind `AVISIT`.
    found.sort(key=lambda name: name != column.name)
    return found or [name for name in cells if name.casefold() == column.fallback.casefold()]


def _check_agreement(sheet: Sheet, table: _Table, column: Column, found: list[str]) -> None:
    for other in found[1:]:
        pairs = zip(table.lines, table.cells[found[0]], table.cells[other], strict=True)
        text = f"columns {show(found[0])} and {show(other)} both stand for {column.name!r} and differ; remove one"
        sheet.problems += [(line, text) for line, first, second in pairs if first != second]


def _names(columns: Sequence[Column]) -> str:
    return ", ".join(column.name for column in columns if column.required)


def _also(lines: list[int]) -> str:
    if not lines:
        return ""
    shown = ", ".join(map(str, lines[:3]))
    more = f" and {len(lines) - 3} more" if len(lines) > 3 else ""
    return f" (also in line{'s' if len(lines) > 1 else ''} {shown}{more})"

"""Tables for people: CSV that spreadsheets and statistics programs read the same way."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

# A spreadsheet would run a cell that begins with one of these as a formula.
_FORMULA = r"^[=+\-@\t\r]"


def write_csv(frame: pl.DataFrame, path: str | Path, *, whole: Sequence[str] = ()) -> Path:
    """Write a table as CSV, replacing what was there in one step.

    Missing numbers are blank, never "NaN" and never 0. A text that begins like a formula (``= + - @``, tab) gets an
    apostrophe in front, so that a spreadsheet shows it instead of running it.

    Parameters
    ----------
    frame
        The table.
    path
        Where to; missing folders are made.
    whole
        Columns of counts, written without decimals.

    Returns
    -------
    The path.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = [
        name
        for name, dtype in frame.schema.items()
        if dtype in (pl.String, pl.Categorical) or isinstance(dtype, pl.Enum)
    ]
    plain = frame.with_columns(
        pl.col(text).cast(pl.String).str.replace(_FORMULA, "'${0}"),
        pl.selectors.float().fill_nan(None),
    ).with_columns(pl.col(list(whole)).cast(pl.Int64))
    draft = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    try:
        with draft.open("wb") as file:
            plain.write_csv(file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path

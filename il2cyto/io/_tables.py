"""Tables for people: CSV that spreadsheets and statistics programs read the same way."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from il2cyto.io._atomic import replacing

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

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     frame = pl.DataFrame({"sample": ["P01", "=1+1"], "frequency": [0.5, float("nan")]})
    ...     print(write_csv(frame, Path(folder, "table.csv")).read_text())
    sample,frequency
    P01,0.5
    '=1+1,
    <BLANKLINE>
    """
    path = Path(path)
    text = [
        name
        for name, dtype in frame.schema.items()
        if dtype in (pl.String, pl.Categorical) or isinstance(dtype, pl.Enum)
    ]
    plain = frame.with_columns(
        pl.col(text).cast(pl.String).str.replace(_FORMULA, "'${0}"),
        pl.selectors.float().fill_nan(None),
    ).with_columns(pl.col(list(whole)).cast(pl.Int64))
    with replacing(path) as draft:
        plain.write_csv(draft)
    return path


def write_parquet(frame: pl.DataFrame, path: str | Path) -> Path:
    """Write a table as parquet, types kept, replacing what was there in one step; NaN becomes null.

    Parameters
    ----------
    frame
        The table.
    path
        Where to; missing folders are made.

    Returns
    -------
    The path.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = write_parquet(pl.DataFrame({"frequency": [0.5, float("nan")]}), Path(folder, "table.parquet"))
    ...     pl.read_parquet(file)["frequency"].to_list()
    [0.5, None]
    """
    path = Path(path)
    with replacing(path) as draft:
        frame.with_columns(pl.selectors.float().fill_nan(None)).write_parquet(draft)
    return path


def plain_text(text: str) -> str:
    """Keep a text that begins like a formula from being run as one.

    Examples
    --------
    >>> plain_text("=1+1"), plain_text("IL-2")
    ("'=1+1", 'IL-2')
    """
    return re.sub(_FORMULA, r"'\g<0>", text)

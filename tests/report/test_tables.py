from __future__ import annotations

import polars as pl

from il2cyto.report._tables import table


def test_whole_numbers_such_as_weeks_are_shown_without_decimals_and_others_with_three_digits() -> None:
    frame = pl.DataFrame({"week": [2.0, 12.0, None], "mean": [2.0, 12.5, -0.01234], "share": [0.0, 1.0, 1.0]})

    rows = table("means", frame, caption="", percent=frozenset({"share"})).rows

    assert [[cell.text for cell in row] for row in rows] == [
        ["2", "2.00", "0"],
        ["12", "12.5", "100"],
        ["–", "−0.0123", "100"],
    ]
    assert rows[1][0].value == "12.0"

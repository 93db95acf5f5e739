from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from il2cyto.cli._terminal import print_problems

if TYPE_CHECKING:
    import pytest


def test_of_many_findings_that_differ_by_a_number_the_terminal_shows_the_first_and_counts_the_rest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [("warning", "W151", f"{i} events", "Look.", f"f{i}.fcs") for i in range(9)]
    columns = ["severity", "code", "message", "remedy", "file"]
    print_problems(pl.DataFrame([*rows, ("error", "E101", "gone", "Copy it.", "g.fcs")], schema=columns, orient="row"))

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7
    assert lines[5] == "warning W151 4 more findings of this kind. See them all with --json or --out."
    assert lines[6] == "error   E101 g.fcs: gone. Copy it."

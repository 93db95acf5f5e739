"""The page on troubleshooting shows the codes as the code has them."""

from __future__ import annotations

from pathlib import Path

from il2cyto.inventory import explain

PAGE = Path(__file__).parents[1] / "docs" / "troubleshooting.md"


def test_the_page_lists_every_code_with_its_meaning_and_remedy() -> None:
    rows = [f"| `{code}` | {severity} | {meaning} | {remedy} |" for code, severity, meaning, remedy in explain().rows()]
    listed = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    assert listed == rows

"""docs/schema.md and the code say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from il2cyto import _keys
from il2cyto.gt._flags import LEGEND

PAGE = (Path(__file__).parents[1] / "docs/schema.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text of the page from one heading to the next."""
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    """The cells of the tables of a section, of those rows whose first cell is code."""
    lines = re.findall(r"^\| (`.+) \|$", section(title), flags=re.MULTILINE)
    return [[cell.strip().strip("`") for cell in line.split("|")] for line in lines]


def values(keys: type) -> list[str]:
    return [value for name, value in vars(keys).items() if not name.startswith("_")]


@pytest.mark.parametrize("keys", [_keys.Layers, _keys.Obs, _keys.Var, _keys.Obsm], ids=lambda keys: keys.__name__)
def test_the_page_lists_each_key_once_and_no_other(keys: type) -> None:
    listed = [row[0] for row in rows(keys.__name__)]

    assert sorted(listed) == sorted(values(keys))


def test_the_page_lists_each_key_of_uns_once_in_its_block() -> None:
    top, inside = (re.findall(r"^\| `(\w+)` ", text, flags=re.MULTILINE) for text in section("Uns").split("Inside `"))

    assert set(top) == {_keys.Uns.IL2CYTO, _keys.Uns.GATING_COLS, _keys.Uns.META}
    assert sorted(top + inside) == sorted(values(_keys.Uns))


def test_no_key_holds_a_slash_which_the_file_format_does_not_allow() -> None:
    for keys in (_keys.Layers, _keys.Obs, _keys.Var, _keys.Obsm, _keys.Uns):
        assert not [value for value in values(keys) if "/" in value]


def test_the_page_names_version_root_and_endpoints() -> None:
    assert f"\nSchema version: {_keys.SCHEMA_VERSION}\n" in PAGE
    assert f"`{_keys.ROOT}` stands" in section("The cohort's X")
    assert re.findall(r"`(\w+)`", section("The cohort's X").partition("endpoint populations are")[2])[:5] == list(
        _keys.ENDPOINT_POPULATIONS
    )


def test_the_page_lists_the_flags_with_severity_and_meaning() -> None:
    assert rows("Flags") == [[flag.name, severity, meaning] for flag, (severity, meaning) in LEGEND.items()]

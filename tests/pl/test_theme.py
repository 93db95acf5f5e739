from __future__ import annotations

import re
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from il2cyto.pl import save_figure, theme
from il2cyto.pl._theme import add_footer, arm_styles, printable

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = ["$\\frac{", "<script>alert(1)</script>", "x" * 500, "🧬 NK\u202e cells\x00\n--", "", "Ünïcode ∆ µ"]


def small_figure(name: str) -> Figure:
    with theme():
        figure = Figure(figsize=(2, 1.5), layout="constrained")
        ax = figure.subplots()
        ax.set_title(printable(name, limit=20))
        ax.text(0.5, 0.5, printable(name, limit=20))
        add_footer(figure, printable(name), simulated=True)
    return figure


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", ["svg", "pdf", "png"])
def test_a_hostile_name_cannot_break_a_picture(tmp_path: Path, name: str, kind: str) -> None:
    first = save_figure(small_figure(name), tmp_path / f"first.{kind}").read_bytes()

    assert first == save_figure(small_figure(name), tmp_path / f"second.{kind}").read_bytes()
    assert b"<script>" not in first


def test_files_hold_no_date(tmp_path: Path) -> None:
    svg, pdf = (save_figure(small_figure("NK"), tmp_path / f"figure.{kind}").read_bytes() for kind in ("svg", "pdf"))

    assert not re.search(rb"20\d\d-\d\d-\d\d|<dc:date>", svg)
    assert b"CreationDate" not in pdf


def test_the_users_own_settings_neither_enter_nor_change() -> None:
    with mpl.rc_context({"font.size": 30, "text.parse_math": True}):
        with theme():
            assert (mpl.rcParams["font.size"], mpl.rcParams["text.parse_math"]) == (7, False)
        assert (mpl.rcParams["font.size"], mpl.rcParams["text.parse_math"]) == (30, True)


def test_another_suffix_is_an_error_that_names_the_allowed(tmp_path: Path) -> None:
    with pytest.raises(ValueError) as e:  # noqa: PT011
        save_figure(small_figure("NK"), tmp_path / "figure.jpg")

    assert str(e.value) == (
        "save_figure: figure.jpg: no format '.jpg'; allowed are .svg, .pdf, .png. Change the file's name."
    )
    assert not (tmp_path / "figure.jpg").exists()


def test_a_second_footer_replaces_the_first() -> None:
    figure = small_figure("first")

    add_footer(figure, "second", simulated=False)

    assert [text.get_text() for text in figure.texts] == ["second"]


def test_arms_differ_by_colour_and_by_marker_and_the_control_is_grey_blue() -> None:
    styles = arm_styles(["placebo", "low", "high", "higher"])

    assert styles["placebo"].colour == "#7396B4"
    assert len({style.colour for style in styles.values()}) == len({style.marker for style in styles.values()}) == 4


def test_two_arms_differ_in_grey_and_without_any_colour() -> None:
    control, treated = arm_styles(["placebo", "IL-2"]).values()
    # Luminance of ITU-R BT.601, as of a printer without colour.
    grey = [float(np.dot(to_rgb(style.colour), (0.299, 0.587, 0.114))) for style in (control, treated)]

    assert abs(grey[0] - grey[1]) > 0.12
    assert control.dashes != treated.dashes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CD4+\tT\ncells", "CD4+ T cells"),
        ("🧬", "\ufffd"),
        ("$x$", "$x$"),
        ("_hidden from legends", "\u200a_hidden from le…"),
    ],
)
def test_printable_text_is_one_short_line_the_font_can_draw(text: str, expected: str) -> None:
    assert printable(text, limit=17) == expected

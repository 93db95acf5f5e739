"""One look for all figures: colours, sizes for journals, text that cannot break a picture, files equal to the byte."""

from __future__ import annotations

import io
import re
import textwrap
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.layout_engine import ConstrainedLayoutEngine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.figure import Figure

MM: Final = 1 / 25.4
SINGLE_COLUMN: Final = 89 * MM
DOUBLE_COLUMN: Final = 183 * MM

TICK_SIZE: Final = 6.5

INK: Final = "#222222"
GREY: Final = "#8A8A8A"
PERIOD: Final = "#E6E6E6"
#: Height of a line of the footer, in inches.
LINE: Final = 0.115
SIMULATED_INK: Final = "#B2182B"
SIMULATED: Final = "SIMULATED DATA"
_FOOTER: Final = "_footer"
#: Names that matplotlib gives to clips, markers and images of an SVG.
_HASHED: Final = re.compile(rb"(?<=[\"#])([a-z]+)[0-9a-f]{10}(?=[\")])")


class ArmStyle(NamedTuple):
    """How one arm is drawn; marker and dashes say the same as the colour, for whoever cannot see it."""

    colour: str
    marker: str
    dashes: Literal["-", "--", "-.", ":"]


# Okabe and Ito's palette behind a grey-blue for the control, which recedes beside vermilion; that one is a little darker
# than theirs, so that the two differ in grey as well.
_ARMS: Final = (
    ArmStyle("#7396B4", "o", "--"),
    ArmStyle("#C04E00", "s", "-"),
    ArmStyle("#009E73", "^", "--"),
    ArmStyle("#CC79A7", "D", "-."),
    ArmStyle("#E69F00", "v", ":"),
    ArmStyle("#0072B2", "P", "--"),
)

_RC: Final[dict[Any, Any]] = {
    # The font that matplotlib brings along: the same picture on every machine.
    "font.family": "DejaVu Sans",
    "font.size": 7,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7,
    "xtick.labelsize": TICK_SIZE,
    "ytick.labelsize": TICK_SIZE,
    "legend.fontsize": 7,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.4,
    "ytick.minor.size": 1.4,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.0,
    "patch.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.unicode_minus": True,
    "legend.frameon": False,
    "figure.dpi": 150,
    "savefig.dpi": 300,
    # A dollar sign in a name is a dollar sign.
    "text.parse_math": False,
    "text.usetex": False,
    "svg.hashsalt": "il2cyto",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
}

_METADATA: Final[dict[str, dict[str, str | None]]] = {
    "svg": {"Creator": "il2cyto", "Date": None},
    "pdf": {"Creator": "il2cyto", "Producer": "matplotlib", "CreationDate": None},
    "png": {"Software": "il2cyto"},
}


@contextmanager
def theme() -> Iterator[None]:
    """Draw in the look of il2cyto, whatever the user's own settings are.

    Examples
    --------
    >>> import matplotlib
    >>> with theme():
    ...     matplotlib.rcParams["text.parse_math"]
    False
    """
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)
        yield


def arm_styles(arms: Sequence[str]) -> dict[str, ArmStyle]:
    """Assign a style to each arm, the control being first; a seventh arm starts over."""
    return {arm: _ARMS[i % len(_ARMS)] for i, arm in enumerate(arms)}


def printable(text: str, *, limit: int = 60) -> str:
    r"""Make a name fit for paper: one line, at most `limit` characters, and a box for what the font cannot draw.

    Examples
    --------
    >>> printable("CD4\n+ T cells", limit=8)
    'CD4 + T…'
    """
    line = " ".join(str(text).split())
    # Matplotlib leaves what begins with an underscore out of its legends, with a warning.
    line = f"\u200a{line}" if line.startswith("_") else line
    drawn = "".join(character if ord(character) in _glyphs() else "\ufffd" for character in line)
    return drawn if len(drawn) <= limit else drawn[: limit - 1].rstrip() + "…"


@cache
def _glyphs() -> frozenset[int]:
    font = font_manager.get_font(font_manager.findfont(_RC["font.family"]))
    return frozenset(font.get_charmap())


def add_footer(fig: Figure, caption: str = "", *, simulated: bool) -> None:
    """Write the caption, and the words SIMULATED DATA where they apply, below everything else in the figure.

    Takes the space from the layout, if the figure has a constrained one. A second footer replaces the first.
    """
    for text in [text for text in fig.texts if text.get_label() == _FOOTER]:
        text.remove()
    # Six-point type: a character is 3.5 points wide on average; the right end of the line may be taken.
    characters = 72 * fig.get_figwidth() / 3.5 - 4 - (len(SIMULATED) + 6) * simulated
    lines = textwrap.wrap(caption, int(characters))
    bottom = (LINE * max(len(lines), int(simulated)) + MM) / fig.get_figheight()
    layout = fig.get_layout_engine()
    if isinstance(layout, ConstrainedLayoutEngine):
        layout.set(rect=(0, bottom, 1, 1 - bottom))
    edge = 2 * MM / fig.get_figwidth()
    look: dict[str, Any] = {"va": "top", "label": _FOOTER}
    fig.text(edge, bottom, "\n".join(lines), size=6, color=INK, ha="left", linespacing=1.25, **look)
    if simulated:
        fig.text(1 - edge, bottom, SIMULATED, size=6.5, weight="bold", color=SIMULATED_INK, ha="right", **look)


def save_figure(fig: Figure, path: str | Path) -> Path:
    """Write a figure as svg, pdf or png: the same figure gives the same bytes, without a date.

    Parameters
    ----------
    fig
        A figure.
    path
        Its suffix chooses the format. An existing file is replaced.

    Returns
    -------
    The path.

    Raises
    ------
    ValueError
        The suffix is none of .svg, .pdf, .png.
    """
    path = Path(path)
    kind = path.suffix.lower().removeprefix(".")
    if kind not in _METADATA:
        msg = f"save_figure: {path.name}: no format {path.suffix!r}; allowed are .svg, .pdf, .png. Change the file's name."
        raise ValueError(msg)
    drawn = rendered(fig, kind)
    # Only a picture that could be drawn replaces the old file.
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(drawn)
    return path


def rendered(fig: Figure, kind: str) -> bytes:
    """Give the bytes of a figure as svg, pdf or png."""
    buffer = io.BytesIO()
    with theme():
        fig.savefig(buffer, format=kind, metadata=_METADATA[kind])
    drawn = buffer.getvalue()
    if kind != "svg":
        return drawn
    # Matplotlib makes these names of unrounded coordinates, whose last digits depend on the layout solver's memory.
    names: dict[bytes, bytes] = {}
    return _HASHED.sub(lambda found: names.setdefault(found[0], found[1] + b"%d" % len(names)), drawn)

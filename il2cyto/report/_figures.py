"""Figures of the page: drawn by `il2cyto.pl`, kept as SVG with a description for whoever cannot see them."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, NamedTuple

from il2cyto.pl import correlation
from il2cyto.pl._theme import rendered

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    from matplotlib.figure import Figure

# Matplotlib repeats every text as a comment; names from a sheet have no business in the page's source.
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_PREFACE = re.compile(rb"\A.*?(?=<svg)", re.DOTALL)


class Picture(NamedTuple):
    """A figure as the page embeds it."""

    svg: str
    alt: str
    caption: str


def response_correlation(pairs: pl.DataFrame, *, arms: Sequence[str] | None, simulated: bool) -> Figure:
    """Draw the table `response_pairs`: change of each population before the response against the change of disease activity."""
    visit, outcome = (str(pairs[name][0]) for name in ("visit", "outcome_visit"))
    return correlation(
        pairs,
        x="change_logit",
        y="change_sledai",
        label_x=f"change in log odds to {visit}",
        label_y=f"change in SLEDAI to {outcome}",
        arms=arms,
        simulated=simulated,
    )


def picture(figure: Figure, *, alt: str, caption: str = "") -> Picture:
    """Turn a figure into an SVG that a page can hold, base64, without a date: the same figure gives the same text.

    Parameters
    ----------
    figure
        A figure of `il2cyto.pl`.
    alt
        What it shows, for a reader who cannot see it.
    caption
        What stands below it; figures carry their own legend and method.
    """
    drawn = _COMMENT.sub(b"", _PREFACE.sub(b"", rendered(figure, "svg")))
    return Picture(base64.b64encode(drawn).decode("ascii"), alt, caption)

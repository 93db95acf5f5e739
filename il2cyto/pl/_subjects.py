"""How a subject is drawn: always alike, whoever else is in the picture."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from il2cyto.pl._theme import ArmStyle

if TYPE_CHECKING:
    from collections.abc import Iterable

# Okabe and Ito's palette with black, and wine in place of vermilion, which is an arm's; yellow is lost on white.
COLOURS: Final = ("#222222", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#882255", "#CC79A7")
MARKERS: Final = ("o", "s", "^", "D", "v", "P")
DASHES: Final = ("-", "--", "-.", ":")


def subject_styles(subjects: Iterable[str]) -> dict[str, ArmStyle]:
    """Colour, marker and dashes of each subject, derived from the name alone.

    So a subject looks the same in every figure, panel and subset of a study. There are 168 styles: two subjects may share a
    colour, rarely all three; names stand beside the lines where it matters.

    Parameters
    ----------
    subjects
        Names.

    Returns
    -------
    Subject -> style, in the order given.

    Examples
    --------
    >>> alone, together = subject_styles(["P01"]), subject_styles(["P02", "P01"])
    >>> alone["P01"] == together["P01"]
    True
    """
    return {subject: _style(str(subject)) for subject in subjects}


def _style(subject: str) -> ArmStyle:
    number = int.from_bytes(hashlib.sha256(subject.encode()).digest()[:8])
    number, colour = divmod(number, len(COLOURS))
    number, marker = divmod(number, len(MARKERS))
    return ArmStyle(COLOURS[colour], MARKERS[marker], DASHES[number % len(DASHES)])

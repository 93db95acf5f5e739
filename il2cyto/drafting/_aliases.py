"""Labels that name no known marker, with the nearest one."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Final

import polars as pl

from il2cyto.panel import VOCABULARY, parse_label

if TYPE_CHECKING:
    from collections.abc import Iterable

    from il2cyto.drafting._fit import Header

_WORDS: Final = {word: marker for marker, words in VOCABULARY.items() for word in (marker.casefold(), *words)}
_CD: Final = re.compile(r"cd\W*((\d{1,3})[a-z]?)", re.IGNORECASE)
#: A letter or digit more or less is a slip; more is another word.
_NEAR: Final = 0.75


def unknown_labels(headers: Iterable[Header]) -> pl.DataFrame:
    """List the labels of detectors that name no known marker, each once, with the nearest marker.

    Returns
    -------
    label, marker (null, to be filled in), suggestion (null where no marker is near). Labels without a letter or digit, and those
    that only repeat the detector, are none.
    """
    found: dict[str, str] = {}
    for header in headers:
        for channel in header.panel.channels:
            label = channel.label.strip()
            detector = channel.detector in {"fluor", "element"}
            if detector and not channel.markers and _is_text(label) and not _same(label, channel.name):
                found.setdefault(label.casefold(), label)
    labels = [found[key] for key in sorted(found)]
    rows = {"label": labels, "marker": [None] * len(labels), "suggestion": [nearest_marker(label) for label in labels]}
    return pl.DataFrame(rows, schema=dict.fromkeys(rows, pl.String))


def nearest_marker(label: str) -> str | None:
    """Suggest the marker that a label may mean; None where none is near.

    Examples
    --------
    >>> (
    ...     nearest_marker("CD 127"),
    ...     nearest_marker("hCD1d-PBS-57"),
    ...     nearest_marker("FoxP-3 PE"),
    ...     nearest_marker("autofluorescence"),
    ... )
    ('CD127', 'CD1d', 'FOXP3', None)
    """
    spaced = _CD.search(label)
    if spaced:
        # CD1d is another molecule than CD1a; of CD127B the B is a colour's.
        return next(found[0] for digits in spaced.groups() if (found := parse_label(f"CD{digits}")))
    pieces = [label.casefold(), *(piece.casefold() for piece in label.split())]
    scored = [
        (difflib.SequenceMatcher(None, piece, word).ratio(), word)
        for piece in pieces
        for word in _WORDS
        if len(word) > 3
    ]
    score, word = max(scored)
    return _WORDS[word] if score >= _NEAR else None


def _is_text(label: str) -> bool:
    return label.isprintable() and label[:1].isalnum()


def _same(label: str, name: str) -> bool:
    """Tell whether a label says no more than the detector's name."""
    first, second = (re.sub(r"[^a-z0-9]|[ahw]$", "", text.casefold()) for text in (label, name))
    return first == second

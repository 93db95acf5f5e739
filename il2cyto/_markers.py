"""The vocabulary of markers, and the markers that a label names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Canonical marker -> other spellings. Any ``CD<number>`` is known without standing here.
VOCABULARY: Final[dict[str, tuple[str, ...]]] = {
    "viability": (
        *(
            "live",
            "dead",
            "live/dead",
            "live-dead",
            "livedead",
            "l/d",
            "ld",
            "viab",
            "zombie",
            "fvd",
            "fvs",
            "7aad",
            "7-aad",
        ),
        *("dapi", "pi", "propidium iodide", "sytox", "ghost dye", "cisplatin", "amine", "vivid"),
    ),
    "lineage": ("lin", "dump"),
    "CD3": ("cd3e", "cd3 epsilon"),
    "CD4": ("cd4a",),
    "CD8": ("cd8a", "cd8 alpha"),
    "CD14": (),
    "CD16": ("cd16a", "fcgr3"),
    "CD19": (),
    "CD25": ("il2ra", "il-2ra", "il2r", "il-2r"),
    "CD45": ("ptprc", "lca"),
    "CD45RA": (),
    "CD45RO": (),
    "CD56": ("ncam", "ncam1"),
    "CD127": ("il7ra", "il-7ra", "il7r", "il-7r"),
    "FOXP3": (),
    "HLA-DR": ("hladr", "hla dr"),
    "CCR7": ("cd197",),
    "TCRgd": ("tcr gd", "gdtcr", "tcr-gd", "tcrgammadelta", "tcr γδ", "tcrγδ"),
    "TCRab": ("tcr ab", "abtcr", "tcr-ab", "tcrαβ"),
    "IgK": ("kappa", "igkappa", "ig kappa", "iglc kappa"),
    "IgL": ("lambda", "iglambda", "ig lambda"),
    "IgD": (),
    "IgM": (),
    "CXCR3": ("cd183",),
    "CXCR5": ("cd185",),
    "CCR4": ("cd194",),
    "CCR6": ("cd196",),
    "PD-1": ("pd1", "cd279"),
    "CTLA-4": ("ctla4", "cd152"),
    "Helios": (),
    "Ki-67": ("ki67",),
    "NKG2D": ("cd314",),
    "NKG2A": ("cd159a",),
    "TIGIT": (),
    "ICOS": ("cd278",),
    "IFNg": ("ifn-g", "ifng", "ifn gamma", "ifnγ"),
    "TNFa": ("tnf-a", "tnf", "tnf alpha", "tnfα"),
    "DNA1": ("dna-1", "dna 1", "dna_1", "ir191", "191ir", "ir191di"),
    "DNA2": ("dna-2", "dna 2", "dna_2", "ir193", "193ir", "ir193di"),
    "event_length": ("event length", "cell_length", "cell length"),
    "beads": ("counting beads", "trucount", "bead"),
}

_CANONICAL: Final = {word.lower(): marker for marker, words in VOCABULARY.items() for word in (marker, *words)}
_WORD: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    + "|".join(re.escape(word) for word in sorted(_CANONICAL, key=len, reverse=True))
    + r"|cd\d{1,3}[a-z]{0,2})(?![A-Za-z0-9])",
    re.IGNORECASE,
)
# Labs abbreviate the second of two antibodies: CD16+56, CD16/56.
_SHORT_PAIR: Final = re.compile(r"(?<![A-Za-z0-9])(cd\d{1,3})\s*[+/&]\s*(\d{1,3})(?![A-Za-z0-9])", re.IGNORECASE)


def parse_label(label: str, aliases: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The markers that a label ($PnS) names, each once, in order.

    Parameters
    ----------
    label
        Text as the file has it.
    aliases
        A lab's own spellings, found label -> marker; compared without case and outer blanks. They win over the vocabulary.
        An empty marker says that the label is none.

    Returns
    -------
    Canonical markers; empty where the label names none, two or more for a shared detector.

    Examples
    --------
    >>> parse_label("CD127 (IL-7Ra) BV421"), parse_label("CD4+CD20"), parse_label("CD16+56 PE"), parse_label("FSC-A")
    (('CD127',), ('CD4', 'CD20'), ('CD16', 'CD56'), ())
    """
    folded = {found.strip().casefold(): marker for found, marker in (aliases or {}).items()}
    if label.strip().casefold() in folded:
        marker = folded[label.strip().casefold()]
        return parse_label(marker) or ((marker,) if marker else ())
    text = _SHORT_PAIR.sub(r"\1+CD\2", label)
    return tuple(dict.fromkeys(_canonical(match.group()) for match in _WORD.finditer(text)))


def _canonical(word: str) -> str:
    known = _CANONICAL.get(word.lower())
    return known if known is not None else word[:2].upper() + word[2:]

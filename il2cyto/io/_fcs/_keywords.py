"""The keywords that may leave a file; all others stay in it, since they may identify a patient."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from il2cyto.io._fcs._numbers import number
from il2cyto.panel import parse_label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from il2cyto.io._fcs._channels import FcsChannel

SIMULATED: Final = "IL2CYTO_SIMULATED"

_NUMERIC: Final = ("$TOT", "$VOL", "$TIMESTEP")
_SOFTWARE: Final = ("CREATOR", "$CYTOLIB_VERSION", "APPLICATION")
# A maker's name and numbers: the keyword is free text, in which somebody may have signed.
_SOFTWARE_VERSION: Final = re.compile(
    r"(BD )?(FACSDiva|FACSChorus|FACSuite|CELLQuest|CELLQuest Pro|Accuri C6|CytExpert|Kaluza|SpectroFlo|FlowJo|Attune|NxT|Summit"
    r"|FlowSight|MACSQuantify|Guava|FCS Express|Cytobank|CyTOF|flowCore|cytolib|CyView|NovoExpress|ForeCyt)"
    r"( (Software|Version|v))*[ ]?v?[0-9.]*",
    re.IGNORECASE,
)


def allowed_keywords(words: Mapping[str, str], channels: Sequence[FcsChannel]) -> dict[str, str]:
    """Pick the allow-listed keywords; numbers only where they are numbers, of labels only the markers they name."""
    kept = {"$CYT": words["$CYT"]} if words.get("$CYT", "").strip() else {}
    kept |= {key: words[key].strip() for key in _NUMERIC if number(words.get(key, "")) is not None}
    kept |= {key: words[key] for key in _SOFTWARE if _SOFTWARE_VERSION.fullmatch(words.get(key, ""))}
    if SIMULATED in words:
        kept[SIMULATED] = "true"
    for channel in channels:
        key = f"$P{channel.index + 1}"
        kept[f"{key}N"] = channel.name
        markers = parse_label(channel.label)
        if markers:
            kept[f"{key}S"] = "+".join(markers)
        kept |= {key + x: words[key + x].strip() for x in "VG" if number(words.get(key + x, "")) is not None}
    return kept

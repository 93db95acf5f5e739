"""Channel and Panel: from what a cytometer wrote ($PnN, $PnS) to markers.

A label is free text: ``CD3``, ``CD3 BV510``, ``Live/Dead Aqua``, ``CD4+CD20`` (two antibodies on one detector), ``89Y_CD45``.
The vocabulary finds the markers in it; a lab's own spellings come from an aliases table, which always wins.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Final

from il2cyto._markers import VOCABULARY as VOCABULARY, parse_label as parse_label
from il2cyto.errors import PanelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


_SCATTER: Final = re.compile(
    r"^\s*(FSC?|SSC?|FALS|FORWARD|SIDE|FORWARD SCATTER|SIDE SCATTER)(?:[ _-]*(.*))?$", re.IGNORECASE
)
_SIGNALS: Final = (
    ("area", re.compile(r"(?:^|[ _:-])(?:A|AREA|INT|INTEG|INTEGRAL)(?: LIN| LOG)?$", re.IGNORECASE)),
    ("height", re.compile(r"(?:^|[ _:-])(?:H|HEIGHT|PEAK)(?: LIN| LOG)?$", re.IGNORECASE)),
    ("width", re.compile(r"(?:^|[ _:-])(?:W|WIDTH|TOF)(?: LIN| LOG)?$", re.IGNORECASE)),
)
_TIME: Final = re.compile(r"^(?:HDR-)?(?:T|TIME)\d?$", re.IGNORECASE)
_ELEMENT: Final = re.compile(r"^\(?[A-Za-z]{1,2}\d{2,3}\)?D[id]$|^\d{2,3}[A-Z][a-z](?:Di|Dd)?$")


@dataclass(frozen=True, slots=True)
class Channel:
    """One parameter of a file, understood.

    Attributes
    ----------
    index
        Column in the file.
    name, label
        ``$PnN`` and ``$PnS``.
    markers
        What the label names: none, one, or several on a shared detector.
    detector
        ``scatter``, ``fluor``, ``time`` or ``element``.
    signal
        ``area``, ``height``, ``width``, ``element`` or ``other``.
    fluorochrome
        The dye as the detector's name gives it; "" for scatter, time and elements.
    range
        ``$PnR``.
    """

    index: int
    name: str
    label: str
    markers: tuple[str, ...]
    detector: str
    signal: str
    fluorochrome: str
    range: float

    @property
    def marker(self) -> str:
        """The markers joined by ``+``; "" for none."""
        return "+".join(self.markers)


@dataclass(frozen=True)
class Panel:
    """The channels of a file, to be asked by marker or by channel name."""

    channels: tuple[Channel, ...]

    @classmethod
    def from_labels(
        cls,
        names: Sequence[str],
        labels: Sequence[str],
        *,
        ranges: Sequence[float] | None = None,
        aliases: Mapping[str, str] | None = None,
    ) -> Panel:
        """Understand the ``$PnN`` and ``$PnS`` of a file.

        Some files carry the marker in ``$PnN`` and leave ``$PnS`` empty: then the name is read as a label.

        Examples
        --------
        >>> Panel.from_labels(["FSC-A", "BV421-A"], ["", "CD3"]).find("CD3").name
        'BV421-A'
        """
        ranges = [float("nan")] * len(names) if ranges is None else ranges
        own = tuple((aliases or {}).items())
        return cls(_channels(tuple(zip(names, labels, ranges, strict=True)), own))

    @cached_property
    def _by_name(self) -> dict[str, Channel]:
        return {channel.name.casefold(): channel for channel in reversed(self.channels)}

    def candidates(self, key: str) -> tuple[Channel, ...]:
        """All channels that a marker or channel name could mean, the best rank only.

        In order: the exact channel name, a channel of the marker alone, a shared detector, the label word for word, a scatter
        channel spelled otherwise. Where area, height and width carry the same marker, the area stands for them.
        """
        exact = self._by_name.get(key.casefold())
        if exact is not None:
            return (exact,)
        wanted = parse_label(key) or (key,)
        for matches in (
            [c for c in self.channels if c.markers == wanted],
            [c for c in self.channels if set(wanted) <= set(c.markers)],
            [c for c in self.channels if c.label.strip().casefold() == key.casefold()],
            [c for c in self.channels if _scatter_key(c.name) == _scatter_key(key) != ""],
        ):
            areas = [c for c in matches if c.signal == "area"]
            if matches:
                return tuple(areas or matches)
        return ()

    def find(self, key: str) -> Channel | None:
        """The one channel that `key` (a marker or ``$PnN``) means; None where there is none, or more than one."""
        found = self.candidates(key)
        return found[0] if len(found) == 1 else None

    def require(self, key: str, *, file: str) -> Channel:
        """Like :meth:`find`, but never None.

        Raises
        ------
        PanelError
            Naming the file, the marker, and the nearest of the markers that the file has.
        """
        found = self.candidates(key)
        if len(found) == 1:
            return found[0]
        if found:
            msg = (
                f"{file}: marker {key!r} is on {len(found)} channels ({', '.join(c.name for c in found)}); one is allowed. "
                f"Name the others differently in the aliases table."
            )
            raise PanelError(msg)
        msg = f"{file}: marker {key!r} not found; {self.nearest(key)}. Add the file's label to the aliases table."
        raise PanelError(msg)

    def require_all(self, keys: Iterable[str], *, file: str) -> dict[str, Channel]:
        """The channel of each key, with everything that is missing or ambiguous in one message.

        Raises
        ------
        PanelError
            As :meth:`require`; several absent markers share a line.
        """
        absent = [key for key in keys if not self.candidates(key)]
        found, problems = {}, []
        for key in keys:
            try:
                found[key] = self.require(key, file=file)
            except PanelError as error:
                if len(absent) < 2 or key not in absent:
                    problems.append(str(error))
        if len(absent) > 1:
            names = ", ".join(repr(key) for key in absent)
            problems.insert(
                0, f"{file}: markers {names} not found; {self._inventory}. Add the file's labels to the aliases table."
            )
        if problems:
            raise PanelError("\n".join(problems))
        return found

    @property
    def _inventory(self) -> str:
        known = sorted({channel.marker for channel in self.channels if channel.markers})
        return f"the file has {', '.join(known) or 'no known marker'}"

    def nearest(self, key: str) -> str:
        """A phrase naming the channels closest to `key`, for messages: known markers only, never free text of a label."""
        known = {c.marker: c.name for c in self.channels if c.markers}
        near = difflib.get_close_matches(key, known, n=2, cutoff=0.5)
        if near:
            return "nearest: " + ", ".join(f"{marker} on {known[marker]}" for marker in near)
        return self._inventory


# Files of one batch share the panel.
@lru_cache(maxsize=64)
def _channels(written: tuple[tuple[str, str, float], ...], aliases: tuple[tuple[str, str], ...]) -> tuple[Channel, ...]:
    return tuple(_channel(i, *channel, dict(aliases)) for i, channel in enumerate(written))


def _channel(index: int, name: str, label: str, value: float, aliases: Mapping[str, str] | None) -> Channel:
    signal = next((kind for kind, pattern in _SIGNALS if pattern.search(name)), "other")
    if _TIME.match(name.strip()):
        detector, signal = "time", "other"
    elif _scatter_key(name):
        detector = "scatter"
    elif _ELEMENT.match(name.strip()):
        detector, signal = "element", "element"
    else:
        detector = "fluor"
    markers: tuple[str, ...] = ()
    if detector in ("fluor", "element"):
        markers = parse_label(label, aliases)
        if not label.strip():
            markers = parse_label(name, aliases)
    fluorochrome = ""
    if detector == "fluor" and not parse_label(name):
        fluorochrome = re.sub(r"[ _:-](?:A|H|W)$", "", name.strip())
    return Channel(index, name, label, markers, detector, signal, fluorochrome, value)


def _scatter_key(name: str) -> str:
    """FSC-A for FS, FSC, FSC-A, FS INT LIN; FSC-H for FSC-H, FSC-Height, FS PEAK; "" for what is not scatter."""
    match = _SCATTER.match(name)
    if match is None:
        return ""
    rest = (match.group(2) or "").strip()
    kind = next((kind for kind, pattern in _SIGNALS if pattern.search(f" {rest}")), "" if rest else "area")
    if not kind:
        return ""
    prefix = "FSC" if match.group(1)[0].upper() == "F" else "SSC"
    extra = re.sub(
        r"(?:^|[ _:-]*)(?:A|AREA|INT|INTEG|INTEGRAL|H|HEIGHT|PEAK|W|WIDTH|TOF)?(?: LIN| LOG)?$", "", rest, flags=re.I
    )
    return f"{prefix}{extra.upper()}-{kind[0].upper()}"

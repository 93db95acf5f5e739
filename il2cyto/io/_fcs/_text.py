"""TEXT: from delimited bytes to keywords, where the standard and the files disagree about empty values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from il2cyto.errors import FcsError
from il2cyto.io._fcs._header import HEADER_BYTES, Segment
from il2cyto.io._fcs._numbers import integer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from il2cyto.io._fcs._flags import Notes

_LARGEST_DELIMITER: Final = 126
_STRUCTURAL: Final = re.compile(
    r"\$?SPILL(?:OVER)?|\$(?:PAR|TOT|MODE|BYTEORD|DATATYPE|NEXTDATA|(?:BEGIN|END)(?:DATA|STEXT)|TIMESTEP|P[0-9]+(?:[NBREG]|DATATYPE))"
)
_EXPECTED: Final = ("$PAR", "$DATATYPE", "$BYTEORD", "$MODE", "$TOT")


def parse_text(raw: bytes, notes: Notes) -> dict[str, str]:
    """Keywords, in upper case, and values, as they stand, of a TEXT segment.

    A doubled delimiter is a literal one by the standard, and an empty value in many files. Both readings are tried; the
    one that finds more of the keywords every file must have is taken, the standard's where they are equal.
    """
    delimiter, body = raw[:1], raw[1:]
    if not 0 < raw[0] <= _LARGEST_DELIMITER:
        raise FcsError(
            notes.file,
            "TEXT",
            f"delimiter is byte {raw[0]}, allowed are 1 to 126",
            "The file is damaged: export it again.",
        )
    body = _without_end(body, delimiter, notes)
    plain = body.split(delimiter)
    if delimiter + delimiter not in body:
        return _pairs(plain, notes)
    escaped = _split_escaped(body, delimiter)
    with_empty, with_literal = _score(plain), _score(escaped)
    if with_empty > with_literal:
        notes.flag("empty_value")
        return _pairs(plain, notes)
    if with_empty == with_literal and _keywords(plain) != _keywords(escaped):
        notes.flag("text_ambiguous")
    return _pairs(escaped, notes)


def merge_supplemental(
    words: dict[str, str], text: Segment, size: int, delimiter: bytes, read: Callable[[Segment], bytes], notes: Notes
) -> dict[str, str]:
    """Add the keywords of the supplemental TEXT segment, if there is one."""
    begin, end = (integer(words.get(key, "0")) for key in ("$BEGINSTEXT", "$ENDSTEXT"))
    if not begin or not end:
        if begin is None or end is None:
            notes.flag("stext_unusable")
        return words
    segment = Segment(begin, end)
    if segment.length < 1 or begin < 0 or end >= size:
        notes.flag("stext_unusable")
        return words
    if segment.begin < HEADER_BYTES or segment.overlaps(text):
        notes.flag("stext_overlap")
        return words
    raw = read(segment)
    if raw[:1] != delimiter and (raw[:1].isalnum() or raw[:1] in b"$@#"):
        raw = delimiter + raw
    more = parse_text(raw, notes)
    for key in words.keys() & more.keys():
        if words[key] != more[key]:
            notes.flag("stext_conflict", key if _STRUCTURAL.fullmatch(key) else "")
    return more | words


def _without_end(body: bytes, delimiter: bytes, notes: Notes) -> bytes:
    """Cut the final delimiter and whatever padding follows it; a last value without delimiter stays whole."""
    padding = bytes({0, 32} - {delimiter[0]})
    stripped = body.rstrip(padding)
    if not stripped.endswith(delimiter):
        notes.flag("text_end")
        return body.rstrip(b"\x00")
    if stripped != body:
        notes.flag("text_padding")
    n_final = len(stripped) - len(stripped.rstrip(delimiter))
    if n_final % 2 == 0:
        notes.flag("text_end")
        return stripped[:-2]
    return stripped[:-1]


def _split_escaped(body: bytes, delimiter: bytes) -> list[bytes]:
    tokens, parts = [], []
    for piece in body.split(delimiter + delimiter):
        first, *rest = piece.split(delimiter)
        parts.append(first)
        for token in rest:
            tokens.append(delimiter.join(parts))
            parts = [token]
    return [*tokens, delimiter.join(parts)]


def _keywords(tokens: Sequence[bytes]) -> list[bytes]:
    return [token.upper() for token in tokens[::2]]


def _score(tokens: Sequence[bytes]) -> int:
    keywords = _keywords(tokens)
    present = set(keywords)
    values = dict(zip(keywords, tokens[1::2], strict=False))
    n_parameters = integer(values.get(b"$PAR", b"").decode("latin-1")) or 0
    expected = [key.encode() for key in _EXPECTED]
    # A file cannot have more parameters than keywords, whatever it claims.
    for n in range(1, min(n_parameters, len(keywords)) + 1):
        expected += [b"$P%dN" % n, b"$P%dB" % n, b"$P%dR" % n]
    odd = sum(1 for key in keywords if not key.strip() or b"$" in key[1:])
    return sum(key in present for key in expected) - odd


def _pairs(tokens: list[bytes], notes: Notes) -> dict[str, str]:
    if len(tokens) % 2:
        # The last keyword has lost its value.
        notes.flag("empty_value")
        tokens = [*tokens, b""]
    words: dict[str, str] = {}
    texts = _decode(tokens, notes)
    for key, value in zip(map(str.upper, texts[::2]), texts[1::2], strict=True):
        if not key.strip():
            notes.flag("text_blank_keyword")
        elif key not in words:
            words[key] = value
        elif _STRUCTURAL.fullmatch(key):
            raise FcsError(notes.file, key, "stands twice", "Keep the right one of the two, or export the file again.")
        else:
            notes.flag("repeated_keyword")
    return words


def _decode(tokens: list[bytes], notes: Notes) -> list[str]:
    try:
        return [token.decode() for token in tokens]
    except UnicodeDecodeError:
        notes.flag("encoding")
        # Each on its own: one Latin-1 byte must not garble the UTF-8 of the others.
        return [_decode_one(token) for token in tokens]


def _decode_one(token: bytes) -> str:
    try:
        return token.decode()
    except UnicodeDecodeError:
        return token.decode("latin-1")


def require(words: Mapping[str, str], key: str, notes: Notes) -> str:
    """Return the value of a keyword that every file must have."""
    value = words.get(key, "").strip()
    if not value:
        raise FcsError(notes.file, key, "absent or empty", "The file cannot be read without it: export it again.")
    return value

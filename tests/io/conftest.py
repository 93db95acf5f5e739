"""A maker of FCS files byte by byte, independent of the package's own writer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from tests.io._fcs import EVENTS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class MakeFcs(Protocol):
    """Signature of the fixture `make_fcs`."""

    def __call__(
        self,
        words: Mapping[str, str | None] | None = None,
        *,
        data: bytes | None = None,
        version: str = "FCS3.1",
        delimiter: str = "/",
        tail: str | None = None,
        raw_words: bytes = b"",
        after: bytes = b"",
        data_in_header: tuple[int, int] | None = None,
    ) -> Path: ...


@pytest.fixture
def make_fcs(tmp_path: Path) -> MakeFcs:
    """Make a file of two channels, FSC-A and Time, and three events, unless told otherwise.

    A keyword that is None is left out. `raw_words` goes into TEXT as it is, `tail` replaces the final delimiter.
    """

    def make(
        words: Mapping[str, str | None] | None = None,
        *,
        data: bytes | None = None,
        version: str = "FCS3.1",
        delimiter: str = "/",
        tail: str | None = None,
        raw_words: bytes = b"",
        after: bytes = b"",
        data_in_header: tuple[int, int] | None = None,
    ) -> Path:
        data = EVENTS.astype("<f4").tobytes() if data is None else data
        kept = {
            "$BEGINDATA": "00000000",
            "$ENDDATA": "00000000",
            "$BYTEORD": "1,2,3,4",
            "$DATATYPE": "F",
            "$MODE": "L",
            "$NEXTDATA": "0",
            "$PAR": "2",
            "$TOT": "3",
        }
        for n, name in ((1, "FSC-A"), (2, "Time")):
            kept |= {f"$P{n}N": name, f"$P{n}B": "32", f"$P{n}E": "0,0", f"$P{n}R": "262144"}
        given = dict(words or {})
        merged = {**kept, **given}

        def text(begin: int) -> bytes:
            offsets = {"$BEGINDATA": f"{begin:08d}", "$ENDDATA": f"{begin + len(data) - 1:08d}"}
            final = {**merged, **{key: value for key, value in offsets.items() if key not in given}}
            pairs = "".join(f"{delimiter}{key}{delimiter}{value}" for key, value in final.items() if value is not None)
            return pairs.encode() + raw_words + (delimiter if tail is None else tail).encode("latin-1")

        begin = 58 + len(text(0))
        in_header = (begin, begin + len(data) - 1) if data_in_header is None else data_in_header
        header = version.ljust(10).encode() + b"".join(b"%8d" % n for n in (58, begin - 1, *in_header, 0, 0))
        path = tmp_path / "made.fcs"
        path.write_bytes(header + text(begin) + data + after)
        return path

    return make

"""Blocks of events are the events, however the file stores them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from il2cyto.errors import FcsError
from il2cyto.io._fcs import _blocks
from tests.io._fcs import quiet

if TYPE_CHECKING:
    from tests.io.conftest import MakeFcs

FLOATS = np.random.default_rng(0).normal(0, 1000, (1000, 2))
INTEGERS = np.random.default_rng(1).integers(0, 1024, (1000, 2))
BITS_10 = int("".join(f"{v:010b}" for v in INTEGERS.ravel()), 2).to_bytes(2500, "big")
LAYOUTS = {
    "float": ({}, FLOATS.astype("<f4").tobytes()),
    "float, high byte first": ({"$BYTEORD": "4,3,2,1"}, FLOATS.astype(">f4").tobytes()),
    "double": ({"$DATATYPE": "D", "$P1B": "64", "$P2B": "64"}, FLOATS.astype("<f8").tobytes()),
    "double, high byte first": (
        {"$DATATYPE": "D", "$P1B": "64", "$P2B": "64", "$BYTEORD": "8,7,6,5,4,3,2,1"},
        FLOATS.astype(">f8").tobytes(),
    ),
    "gain": ({"$P1G": "2.5"}, FLOATS.astype("<f4").tobytes()),
    "time": ({"$TIMESTEP": "0.01"}, FLOATS.astype("<f4").tobytes()),
    "integer": ({"$DATATYPE": "I", "$P1B": "16", "$P2B": "16", "$P1R": "1024"}, INTEGERS.astype("<u2").tobytes()),
    "logarithm": (
        {"$DATATYPE": "I", "$P1B": "16", "$P2B": "16", "$P1R": "1024", "$P1E": "4,1"},
        INTEGERS.astype("<u2").tobytes(),
    ),
    "packed bits": (
        {"$DATATYPE": "I", "$P1B": "10", "$P2B": "10", "$P1R": "1024", "$P2R": "1024", "$BYTEORD": "4,3,2,1"},
        BITS_10,
    ),
}


def joined(file, columns):
    blocks = file.blocks(columns)
    out = np.full((file.n_events, len(columns)), np.nan)
    for start, block in blocks:
        out[start : start + len(block)] = block[:, blocks.positions]
    return out


@pytest.mark.parametrize("layout", LAYOUTS)
def test_blocks_are_the_events_in_every_layout(make_fcs: MakeFcs, monkeypatch, layout):
    monkeypatch.setattr(_blocks, "BLOCK_BYTES", 1000)
    words, data = LAYOUTS[layout]
    file = quiet(make_fcs({"$TOT": "1000", **words}, data=data))
    assert file.n_events == 1000
    for columns in ([0, 1], [1], [1, 0]):
        np.testing.assert_array_equal(joined(file, columns), file.events(columns).astype(np.float64))


def test_blocks_are_the_events_of_real_files(shared):
    read = 0
    for path in sorted((shared / "data" / "parser_zoo").rglob("*.fcs")):
        try:
            file = quiet(path)
        except FcsError:
            continue
        columns = [c.index for c in file.channels[:4]]
        np.testing.assert_array_equal(joined(file, columns), file.events(columns).astype(np.float64), err_msg=path.name)
        read += 1
    assert read >= 5


def test_a_file_that_shrinks_while_it_is_read_is_an_error(make_fcs: MakeFcs, monkeypatch):
    monkeypatch.setattr(_blocks, "BLOCK_BYTES", 1000)
    path = make_fcs({"$TOT": "1000"}, data=LAYOUTS["float"][1])
    blocks = iter(quiet(path).blocks([0]))
    next(blocks)
    with path.open("r+b") as stream:
        stream.truncate(path.stat().st_size - 4000)
    with pytest.raises(FcsError) as e:
        list(blocks)
    assert str(e.value) == str(
        FcsError(
            "made.fcs", "size", "ends before the last event", "Wait until the file is complete, and open it again."
        )
    )

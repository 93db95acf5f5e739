"""Rare forms of a file: digits in ASCII, gzip, the two data sets of one tube that Beckman writes; mixtures and mutants."""

from __future__ import annotations

import gzip
import struct
import subprocess
import sys
import warnings
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from il2cyto.errors import FcsError, FcsWarning
from il2cyto.io import open_fcs, read_fcs
from il2cyto.io._fcs import event_flags
from il2cyto.io._fcs._inflate import LARGEST_RATIO
from tests.io._fcs import EVENTS, quiet

if TYPE_CHECKING:
    from pathlib import Path

    from tests.io.conftest import MakeFcs

DIGITS = {"$DATATYPE": "A", "$P1B": "4", "$P2B": "6", "$P1R": "1024", "$P2R": "NA"}


def error_of(path):
    with pytest.raises(FcsError) as caught:
        quiet(path).events()
    return str(caught.value)


def test_ascii_values_of_a_fixed_width(make_fcs: MakeFcs) -> None:
    file = quiet(make_fcs(DIGITS, data=b"   1000002  30     4123499"[:20] + b"1234999999"))
    np.testing.assert_array_equal(file.events(), [[1, 2], [30, 4], [1234, 999_999]])
    np.testing.assert_array_equal(file.events([1], rows=slice(1, 3)), [[4], [999_999]])
    assert event_flags(file) == ()


def test_ascii_values_that_end_with_a_delimiter(make_fcs: MakeFcs) -> None:
    path = make_fcs({**DIGITS, "$P1B": "*", "$P2B": "*"}, data=b"1,22 333\r\n4\t 5,67")
    file = quiet(path)
    np.testing.assert_array_equal(file.events(), [[1, 22], [333, 4], [5, 67]])
    np.testing.assert_array_equal(file.events([1], rows=slice(1, 3)), [[4], [67]])
    blocks = file.blocks([0])
    assert [block[:, 0].tolist() for _, block in blocks] == [[1, 333, 5]]


def test_ascii_values_are_scaled_like_other_integers(make_fcs: MakeFcs) -> None:
    file = quiet(make_fcs({**DIGITS, "$P1E": "4,1"}, data=b" 512     1   0     21023     3"))
    np.testing.assert_allclose(file.events([0])[:, 0], 10 ** (4 * np.array([512, 0, 1023]) / 1024))


@pytest.mark.parametrize(
    ("words", "data", "message"),
    [
        ({}, b"  1_0     1" + b"0" * 19, "DATA: 1 of 3 values are no unsigned integers"),
        ({}, b"  -1" + b"0" * 26, "DATA: 1 of 3 values are no unsigned integers"),
        ({"$P1B": "*", "$P2B": "*"}, b"1 2 3 4 5", "DATA: no segment of the 11 bytes that $TOT events need at least"),
        ({"$P1B": "*", "$P2B": "*"}, b"1 2 3 4 5 6 7", "DATA: 7 values, $TOT events have 6"),
        ({"$P1B": "*"}, b"1 2 3 4 5 6", "$PnB: delimited ASCII values beside values of a fixed width"),
        ({"$P1B": "99"}, b"1", "$P1B: not * or a number of characters from 1 to 20"),
    ],
)  # fmt: skip
def test_ascii_values_that_are_none_are_the_one_error(make_fcs: MakeFcs, words, data, message) -> None:
    assert error_of(make_fcs({**DIGITS, **words}, data=data)).startswith(f"made.fcs: {message}. ")


def compressed(path: Path, content: bytes) -> Path:
    target = path.with_name(path.name + ".gz")
    target.write_bytes(content)
    return target


def test_a_compressed_file_reads_like_the_file_and_leaves_nothing_behind(make_fcs: MakeFcs, tmp_path, monkeypatch):
    plain = make_fcs()
    path = compressed(plain, gzip.compress(plain.read_bytes()))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))

    file = open_fcs(path)
    (copy,) = (tmp_path / "temporary").iterdir()

    np.testing.assert_array_equal(file.events(), EVENTS)
    np.testing.assert_array_equal(next(iter(file.blocks([0, 1])))[1], EVENTS)
    assert event_flags(file) == event_flags(open_fcs(plain))
    assert (file.name, file.path) == ("made.fcs.gz", path)
    assert file.sha256() != open_fcs(plain).sha256()
    assert copy.stat().st_mode & 0o777 == 0o600
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FcsWarning)
        assert read_fcs(path).obs_names[0] == "made-0"
    del file
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_compressed_file_that_is_damaged_or_swells_is_the_one_error(make_fcs: MakeFcs, tmp_path, monkeypatch) -> None:
    plain = make_fcs()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cut = compressed(plain, gzip.compress(plain.read_bytes())[:-20])
    assert error_of(cut) == "made.fcs.gz: gzip: damaged or truncated. Copy it again."
    bomb = compressed(plain, gzip.compress(b"\x00" * 20_000_000))
    found = f"inflates to more than {LARGEST_RATIO} times its size"
    assert error_of(bomb) == f"made.fcs.gz: gzip: {found}. Decompress it and look at it."
    assert list(tmp_path.glob("il2cyto-*")) == []


def test_both_data_sets_of_a_beckman_file_are_read_each_in_its_resolution(make_fcs: MakeFcs) -> None:
    """LMD: FCS 2.0 with 10-bit channel numbers in 16-bit words, then FCS 3.0 with 20 bits of the same events."""
    rng = np.random.default_rng(0)
    full = rng.integers(0, 1 << 20, (3, 2))
    words = {"$DATATYPE": "I", "$BYTEORD": "1,2,3,4"}
    low = {**words, "$P1B": "16", "$P2B": "16", "$P1R": "1024", "$P2R": "1024", "$P1S": "CD3"}
    high = {**words, "$P1R": "1048576", "$P2R": "1048576"}
    second = make_fcs(high, data=full.astype("<u4").tobytes(), version="FCS3.0").read_bytes()
    first = (full >> 10).astype("<u2").tobytes()
    size = make_fcs({**low, "$NEXTDATA": "00000000"}, data=first, version="FCS2.0").stat().st_size
    path = make_fcs({**low, "$NEXTDATA": f"{size:08d}"}, data=first, version="FCS2.0", after=second)

    with pytest.raises(FcsError, match="2 data sets, none chosen"):
        open_fcs(path)
    ten, twenty = quiet(path, 1), quiet(path, 2)
    assert (ten.version, ten.channels[0].label, twenty.version) == ("FCS2.0", "CD3", "FCS3.0")
    np.testing.assert_array_equal(ten.events(), full >> 10)
    np.testing.assert_array_equal(twenty.events(), full)


COLUMNS = st.one_of(
    st.sampled_from([("F", 32), ("D", 64)]), st.tuples(st.just("I"), st.sampled_from([8, 16, 24, 32, 40, 48, 64]))
)
LAYOUTS = st.one_of(
    st.lists(COLUMNS, min_size=2, max_size=2),
    st.lists(st.tuples(st.just("I"), st.integers(1, 31)), min_size=2, max_size=2),
)


def stored(kind: str, bits: int, value: float, order: str) -> bytes:
    if kind == "I":
        return int(value).to_bytes(bits // 8, order)  # type: ignore[arg-type]
    return struct.pack(f"{'<' if order == 'little' else '>'}{'f' if kind == 'F' else 'd'}", value)


@settings(deadline=None, max_examples=80, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), layout=LAYOUTS, order=st.sampled_from(["little", "big"]))
def test_values_survive_any_mixture_of_types_and_widths(make_fcs: MakeFcs, data, layout, order) -> None:
    def number(kind: str, bits: int) -> st.SearchStrategy:
        # Beyond 2**53 float64 has no room for all integers.
        return st.integers(0, 2 ** min(bits, 53) - 1) if kind == "I" else st.floats(width=32 if bits == 32 else 64)

    rows = [[data.draw(number(*column)) for column in layout] for _ in range(3)]
    if all(bits % 8 == 0 for _, bits in layout):
        raw = b"".join(
            stored(kind, bits, value, order) for row in rows for (kind, bits), value in zip(layout, row, strict=True)
        )
    else:
        text = "".join(f"{value:0{bits}b}" for row in rows for (_, bits), value in zip(layout, row, strict=True))
        raw = int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8), "big")
    words = {"$BYTEORD": "1,2,3,4" if order == "little" else "4,3,2,1"}
    for n, (kind, bits) in enumerate(layout, start=1):
        words |= {f"$P{n}DATATYPE": kind, f"$P{n}B": str(bits), f"$P{n}R": str(2**bits)}
    file = quiet(make_fcs(words, data=raw, version="FCS3.2"))
    np.testing.assert_array_equal(file.events(preprocess=False), np.array(rows, dtype=np.float64))


@pytest.mark.parametrize("n", [1500, pytest.param(20_000, marks=pytest.mark.slow)])
def test_of_flipped_bytes_come_the_same_events_a_flag_or_the_one_error(make_fcs: MakeFcs, n: int) -> None:
    path = make_fcs({"$SPILLOVER": "2,FSC-A,Time,1,0.25,0,1", "$P1G": "2", "$TIMESTEP": "0.01"})
    original = path.read_bytes()
    rng = np.random.default_rng(2020)
    outcomes: Counter[str] = Counter()
    for _ in range(n):
        raw = bytearray(original)
        for place in rng.integers(len(raw) - EVENTS.nbytes, size=rng.integers(1, 4)):
            raw[place] = rng.integers(256)
        path.write_bytes(raw)
        try:
            file = quiet(path)
            events = file.events(preprocess=False)
        except FcsError as error:
            outcomes["error"] += str(error).startswith("made.fcs: ")
        else:
            assert np.array_equal(events, EVENTS) or file.flags or event_flags(file), bytes(raw)
            outcomes["read"] += 1
    assert outcomes["error"] + outcomes["read"] == n
    assert min(outcomes.values()) > n / 10


def test_the_whole_corpus_of_odd_files_is_read_in_little_memory(shared: Path) -> None:
    script = (
        "import sys, warnings, pathlib\n"
        "warnings.simplefilter('ignore')\n"
        "from il2cyto.errors import FcsError\n"
        "from il2cyto.io import open_fcs\n"
        "from il2cyto.io._fcs import event_flags\n"
        "for path in pathlib.Path(sys.argv[1]).iterdir():\n"
        "    try:\n"
        "        event_flags(open_fcs(path))\n"
        "    except FcsError:\n"
        "        pass\n"
        # Not getrusage: its peak is handed down by the process that started this one.
        "status = dict(line.split(':', 1) for line in open('/proc/self/status'))\n"
        "print(int(status['VmHWM'].split()[0]))\n"
    )
    command = [sys.executable, "-c", script, str(shared / "badfcs" / "files")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    assert int(done.stdout) < 500_000

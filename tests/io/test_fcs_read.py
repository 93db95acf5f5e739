"""The reader: events, channels, flags, several data sets, and files that are no files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

from il2cyto.errors import FcsError, FcsWarning
from il2cyto.io import open_fcs
from il2cyto.io._fcs import event_flags
from tests.io._fcs import DAMAGED, EVENTS, codes, error_of, quiet

if TYPE_CHECKING:
    from pathlib import Path

    from tests.io.conftest import MakeFcs


def test_a_plain_file_is_read_without_a_word(make_fcs: MakeFcs) -> None:
    file = open_fcs(make_fcs())
    np.testing.assert_array_equal(file.events(), EVENTS)
    assert file.events().dtype == np.float32
    assert file.flags == ()
    assert repr(file) == "FcsFile('made.fcs', FCS3.1, 3 events x 2 channels)"


def test_columns_come_in_the_order_asked_for(make_fcs: MakeFcs) -> None:
    file = open_fcs(make_fcs())
    np.testing.assert_array_equal(file.events([1, 0]), EVENTS[:, ::-1])
    np.testing.assert_array_equal(file.events([1]), EVENTS[:, 1:])
    assert file.events([]).shape == (3, 0)


@pytest.mark.parametrize(("columns", "found"), [(["CD3"], "'CD3'"), ([0, 2, -1], "2, -1")])
def test_a_column_that_the_file_does_not_have_is_named_with_those_it_has(
    make_fcs: MakeFcs, columns: list[int], found: str
) -> None:
    with pytest.raises(FcsError) as caught:
        open_fcs(make_fcs()).events(columns)

    assert str(caught.value) == (
        f"made.fcs: columns: {found}, the file has 0 to 1. Give numbers: each of file.channels has its name and index."
    )


def test_each_flag_is_one_warning_naming_file_and_code(make_fcs: MakeFcs) -> None:
    path = make_fcs({"$P1R": "NA", "$P2R": None})
    with pytest.warns(FcsWarning) as caught:
        open_fcs(path)
    assert [str(w.message) for w in caught] == [
        "made.fcs: $PnR is absent or not a positive number; the range is unknown ($P1R, $P2R) [range_unreadable]"
    ]


def test_integers_with_bits_above_their_range_are_flagged(make_fcs: MakeFcs) -> None:
    words = {"$DATATYPE": "I", "$P1B": "16", "$P2B": "16", "$P1R": "1000"}
    file = quiet(make_fcs(words, data=np.array([1023, 1, 1024, 2, 7, 3], dtype="<u2").tobytes()))
    np.testing.assert_array_equal(file.events([0])[:, 0], [1023, 0, 7])
    assert [f.message for f in event_flags(file)] == [
        "integers with bits set above $PnR, which were cleared ($P1: 1 of 3 events)"
    ]


@pytest.mark.parametrize("total", ["1_0", "３", "3.0", "-3", "1e400", "", "3" * 5000])  # noqa: RUF001
def test_only_plain_ascii_integers_are_numbers(make_fcs: MakeFcs, total: str) -> None:
    assert error_of(make_fcs({"$TOT": total})).startswith("made.fcs: ")


def test_repeated_structural_keywords_are_refused_others_flagged(make_fcs: MakeFcs) -> None:
    message = "made.fcs: $TOT: stands twice. Keep the right one of the two, or export the file again."
    assert error_of(make_fcs(raw_words=b"/$TOT/3")) == message
    assert codes(quiet(make_fcs({"$CYT": "A"}, raw_words=b"/$cyt/B"))) == ["repeated_keyword"]


def test_without_tot_the_length_of_data_counts_and_is_flagged(make_fcs: MakeFcs) -> None:
    file = quiet(make_fcs({"$TOT": None}))
    assert (file.n_events, codes(file)) == (3, ["tot_missing"])


def test_one_byte_too_many_is_an_event_where_events_are_bytes(make_fcs: MakeFcs) -> None:
    words: dict[str, str | None] = {"$PAR": "1", "$DATATYPE": "I", "$P1B": "8", "$P1R": "256"}
    words |= {f"$P2{key}": None for key in "NBER"}
    message = f"made.fcs: $TOT: its events need 3 bytes, DATA has 4. {DAMAGED}"
    assert error_of(make_fcs(words, data=bytes(4))) == message


def two_sets(make_fcs: MakeFcs) -> Path:
    second = make_fcs({"$TOT": "1", "$P1N": "PE-A"}, data=EVENTS[:1].tobytes()).read_bytes()
    size = make_fcs({"$NEXTDATA": "00000000"}).stat().st_size
    return make_fcs({"$NEXTDATA": f"{size:08d}"}, after=second)


def test_of_several_data_sets_the_user_names_one(make_fcs: MakeFcs) -> None:
    path = two_sets(make_fcs)
    assert error_of(path) == "made.fcs: $NEXTDATA: 2 data sets, none chosen. Choose one by `dataset`, 1 to 2."
    first, second = open_fcs(path, dataset=1), open_fcs(path, dataset=2)
    np.testing.assert_array_equal(first.events(), EVENTS)
    np.testing.assert_array_equal(second.events(), EVENTS[:1])
    assert (second.channels[0].name, second.n_data_sets) == ("PE-A", 2)
    with pytest.raises(FcsError, match=r"^made.fcs: dataset: 3, the file has 2. Choose 1 to 2.$"):
        open_fcs(path, dataset=3)


def test_a_checksum_of_the_bytes_raises_no_flag(make_fcs: MakeFcs) -> None:
    path = make_fcs()
    crc = 0
    for byte in path.read_bytes():
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x8408 if crc & 1 else 0)
    good, bad = (event_flags(open_fcs(make_fcs(after=b"%08d" % value))) for value in (crc, crc ^ 1))
    assert [f.code for f in good if f.code == "crc"] == []
    assert [f.code for f in bad if f.code == "crc"] == ["crc"]


@pytest.mark.parametrize("in_header", [0, 99_999_999])
def test_offsets_too_large_for_the_header_are_taken_from_text(make_fcs: MakeFcs, in_header: int) -> None:
    begin = 100_000_100
    words = {"$BEGINDATA": str(begin), "$ENDDATA": str(begin + 23)}
    path = make_fcs(words, data_in_header=(in_header, in_header))
    with path.open("r+b") as file:
        file.seek(begin)
        file.write(EVENTS.tobytes())
    opened = open_fcs(path)
    np.testing.assert_array_equal(opened.events(), EVENTS)
    assert opened.flags == ()


def test_what_is_no_regular_file_is_the_one_error(tmp_path: Path, make_fcs: MakeFcs) -> None:
    os.mkfifo(tmp_path / "pipe.fcs")
    (tmp_path / "folder.fcs").mkdir()
    (tmp_path / "loop.fcs").symlink_to(tmp_path / "loop.fcs")
    (tmp_path / "dangling.fcs").symlink_to(tmp_path / "nowhere")
    (tmp_path / "note.txt").write_text("not a measurement" * 10)
    (tmp_path / "note.fcs").symlink_to(tmp_path / "note.txt")
    (tmp_path / "empty.fcs").touch()
    (tmp_path / "good.fcs").symlink_to(make_fcs())
    expected = {
        "pipe.fcs": "file: not a regular file. Give the path of an FCS file.",
        "folder.fcs": "file: not a regular file. Give the path of an FCS file.",
        "loop.fcs": "file: cannot be read (OSError). Copy or export it again.",
        "dangling.fcs": "file: not found. Check the name and the folder.",
        "note.fcs": "HEADER: does not begin with FCS and a version. Check that it is an FCS file.",
        "empty.fcs": "file: 0 bytes, HEADER alone has 58. The file is empty or truncated: copy it again.",
    }
    for name, message in expected.items():
        assert error_of(tmp_path / name) == f"{name}: {message}"
    np.testing.assert_array_equal(open_fcs(tmp_path / "good.fcs").events(), EVENTS)


def test_a_file_cut_after_it_was_opened_is_an_error_not_a_crash(make_fcs: MakeFcs) -> None:
    path = make_fcs()
    file = open_fcs(path)
    size = path.stat().st_size
    os.truncate(path, size - 8)
    with pytest.raises(FcsError) as caught:
        file.events()
    found = f"{size - 8} bytes, {size} when it was opened"
    assert str(caught.value) == f"made.fcs: size: {found}. Wait until the file is complete, and open it again."


def test_keywords_leave_the_file_by_allow_list_only(make_fcs: MakeFcs) -> None:
    kept = {
        "$CYT": "Canto",
        "$VOL": "120000",
        "$P1V": "450",
        "$P1S": "CD25",
        "CREATOR": "BD FACSDiva Software Version 8.0.1",
    }
    dropped = {"$SRC": "J. Doe", "$P2S": "J. Doe", "$P2V": "J. Doe", "$OP": "J. Doe", "APPLICATION": "FlowJo of J. Doe"}
    file = open_fcs(make_fcs({**kept, **dropped}))
    assert dict(file.keywords) == {**kept, "$TOT": "3", "$P1N": "FSC-A", "$P2N": "Time"}
    assert "J. Doe" not in repr(file.channels)

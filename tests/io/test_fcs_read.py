"""The reader: what other readers get wrong in silence, agreement with FlowIO, and files that are no files."""

from __future__ import annotations

import io
import os
import warnings
from typing import TYPE_CHECKING

import flowio
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from il2cyto.errors import FcsError, FcsWarning
from il2cyto.io import FcsFile, open_fcs
from il2cyto.io._fcs import event_flags

if TYPE_CHECKING:
    from pathlib import Path

    from tests.io.conftest import MakeFcs

EVENTS = np.array([[1.5, 1000.0], [-2.25, 70000.5], [3.125, 3.0]], dtype=np.float32)
DAMAGED = "The file is damaged or truncated: copy or export it again."


def quiet(path: Path, dataset: int | None = None) -> FcsFile:
    """Open a file whose flags are looked at by the test itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FcsWarning)
        return open_fcs(path, dataset=dataset)


def codes(file: FcsFile) -> list[str]:
    return [flag.code for flag in file.flags]


def error_of(path: Path) -> str:
    with pytest.raises(FcsError) as caught:
        quiet(path)
    return str(caught.value)


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


# The silent errors of other readers, numbered as in the list the reader was written from.


@pytest.mark.parametrize(
    ("total", "check"),
    [
        ("1", "$TOT: its events need 8 bytes, DATA has 24"),
        ("6", "DATA: $TOT events need 48 bytes, the file ends before"),
    ],
)
def test_01_tot_is_never_the_denominator(make_fcs: MakeFcs, total: str, check: str) -> None:
    assert error_of(make_fcs({"$TOT": total})) == f"made.fcs: {check}. {DAMAGED}"


def test_02_a_vendor_keyword_without_dollar_replaces_nothing(make_fcs: MakeFcs) -> None:
    vendor = {"TOT": "1", "PAR": "1", "P1N": "PE-A", "TIMESTEP": "10", "$TIMESTEP": "0.5", "$P1S": "CD$4"}
    file = open_fcs(make_fcs(vendor))
    assert [c.name for c in file.channels] == ["FSC-A", "Time"]
    assert file.channels[0].label == "CD$4"
    np.testing.assert_array_equal(file.events(), EVENTS * [1, 0.5])


@pytest.mark.parametrize("name", [None, " "])
def test_03_a_missing_name_does_not_shift_the_others(make_fcs: MakeFcs, name: str | None) -> None:
    remedy = "Without it names and columns may slip: export the file again."
    assert error_of(make_fcs({"$P1N": name})) == f"made.fcs: $P1N: absent or empty. {remedy}"


def test_04_two_channels_of_one_name_are_refused(make_fcs: MakeFcs) -> None:
    message = "made.fcs: $PnN: equal names in $P1N, $P2N. Give each channel a name of its own."
    assert error_of(make_fcs({"$P2N": "FSC-A"})) == message


@pytest.mark.parametrize("first", ["/", ""], ids=["as the standard says", "without its first delimiter"])
def test_05_supplemental_text_counts(make_fcs: MakeFcs, first: str) -> None:
    path = make_fcs({"$BEGINSTEXT": "00000000", "$ENDSTEXT": "00000000"})
    more = f"{first}$P1S/CD25/$CYT/X/".encode()
    size = path.stat().st_size
    path = make_fcs({"$BEGINSTEXT": f"{size:08d}", "$ENDSTEXT": f"{size + len(more) - 1:08d}"}, after=more)
    file = open_fcs(path)
    assert file.channels[0].label == "CD25"
    assert file.keywords["$CYT"] == "X"


def test_05_supplemental_text_over_text_is_skipped_with_a_flag(make_fcs: MakeFcs) -> None:
    file = quiet(make_fcs({"$BEGINSTEXT": "58", "$ENDSTEXT": "90"}))
    assert codes(file) == ["stext_overlap"]
    np.testing.assert_array_equal(file.events(), EVENTS)


def test_06_an_empty_value_swallows_no_keyword(make_fcs: MakeFcs) -> None:
    file = quiet(make_fcs({"$CYT": "", "$P1S": "CD3"}, raw_words=b"/$VOL//$P2S/clock"))
    assert (file.channels[0].label, file.channels[1].label) == ("CD3", "clock")
    assert codes(file) == ["empty_value"]


def test_06_a_doubled_delimiter_stays_a_literal_one_where_that_reads_as_well(make_fcs: MakeFcs) -> None:
    file = open_fcs(make_fcs({"$P1S": "CD16//56", "$CYT": "a//b"}))
    assert file.channels[0].label == "CD16/56"
    assert file.keywords["$CYT"] == "a/b"


@pytest.mark.parametrize("mode", ["C", "U"])
def test_07_histograms_are_no_events(make_fcs: MakeFcs, mode: str) -> None:
    remedy = "Histograms hold no events: export the file in list mode."
    assert error_of(make_fcs({"$MODE": mode})) == f"made.fcs: $MODE: not L (list mode). {remedy}"


def test_08_types_may_differ_from_channel_to_channel(make_fcs: MakeFcs) -> None:
    rows = np.array([(1.5, 1025), (2.5, 3)], dtype=[("a", ">f8"), ("b", ">u2")])
    words = {"$BYTEORD": "4,3,2,1", "$P1DATATYPE": "D", "$P1B": "64", "$P2DATATYPE": "I", "$P2B": "16", "$P2R": "1024"}
    file = open_fcs(make_fcs({**words, "$TOT": "2"}, data=rows.tobytes(), version="FCS3.2"))
    # 1025 loses the bit above $PnR.
    np.testing.assert_array_equal(file.events(), [[1.5, 1], [2.5, 3]])
    assert file.events([0]).dtype == np.float64
    assert [c.datatype for c in file.channels] == ["D", "I"]


def pdp(values: np.ndarray) -> bytes:
    """32-bit words as a PDP-11 has them: the high half first, each half little-endian."""
    return values.view("<u2").reshape(-1, 2)[:, ::-1].tobytes()


@pytest.mark.parametrize("kind", ["F", "I"])
def test_09_pdp_byte_order(make_fcs: MakeFcs, kind: str) -> None:
    values = np.abs(EVENTS).astype("<f4" if kind == "F" else "<u4")
    words = {"$BYTEORD": "3,4,1,2", "$DATATYPE": kind}
    np.testing.assert_array_equal(open_fcs(make_fcs(words, data=pdp(values))).events(), values)


@pytest.mark.parametrize("order", ["1,3,2,4", "1,2,3", "4321", "1,2,3,4,5", "0,1,2,3"])
def test_09_an_unknown_byte_order_is_refused(make_fcs: MakeFcs, order: str) -> None:
    message = "made.fcs: $BYTEORD: not a known order of bytes. The file cannot be read without it: export it again."
    assert error_of(make_fcs({"$BYTEORD": order})) == message


@pytest.mark.parametrize("begin", [0, 20, 60])
def test_10_header_and_text_are_not_events(make_fcs: MakeFcs, begin: int) -> None:
    words = {"$BEGINDATA": str(begin), "$ENDDATA": str(begin + 23)}
    path = make_fcs(words, data_in_header=(begin, begin + 23))
    assert error_of(path) == f"made.fcs: DATA: lies over HEADER or TEXT. {DAMAGED}"


def test_11_an_empty_segment_does_not_empty_the_sample(make_fcs: MakeFcs) -> None:
    path = make_fcs({"$BEGINDATA": "500", "$ENDDATA": "499"}, data_in_header=(0, 0), after=bytes(400))
    assert error_of(path) == f"made.fcs: $TOT: its events need 24 bytes, DATA has 0. {DAMAGED}"


def test_12_float_and_64_bits_contradict_each_other(make_fcs: MakeFcs) -> None:
    path = make_fcs({"$P1B": "64", "$P2B": "64", "$TOT": "1"}, data=bytes(16))
    message = "64 bits for data of type F, which has 32. The file contradicts itself: export it again."
    assert error_of(path) == f"made.fcs: $P1B: {message}"


def test_13_no_logarithm_of_floats_and_no_gain_on_a_logarithm(make_fcs: MakeFcs) -> None:
    floats = quiet(make_fcs({"$P1E": "4,1"}))
    assert codes(floats) == ["amplification_ignored"]
    np.testing.assert_array_equal(floats.events(), EVENTS)
    words = {"$DATATYPE": "I", "$P1B": "16", "$P2B": "16", "$P1R": "1024", "$P2R": "1024", "$P1E": "4,1", "$P1G": "2"}
    integers = quiet(make_fcs(words, data=np.arange(6, dtype="<u2").tobytes()))
    assert codes(integers) == ["gain_with_log"]
    np.testing.assert_allclose(integers.events([0])[:, 0], [1, 10 ** (4 * 2 / 1024), 10 ** (4 * 4 / 1024)], rtol=1e-15)


def test_14_the_matrix_comes_with_the_names_of_its_rows(make_fcs: MakeFcs) -> None:
    spillover = open_fcs(make_fcs({"$SPILLOVER": "2, Time,FSC-A,\n1,0.25,\n0.5,1"})).spillover()
    assert spillover is not None
    assert spillover.channels == ("Time", "FSC-A")
    np.testing.assert_array_equal(spillover.matrix, [[1, 0.25], [0.5, 1]])


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("2,FSC-A,Time,1,nan,0,1", "1 of 4 values are not finite numbers"),
        ("2,FSC-A,Time,1,1e400,0,1", "1 of 4 values are not finite numbers"),
        ("2,FSC-A,Time,1,1_0,0,1", "1 of 4 values are not finite numbers"),
        ("2,FSC-A,Time,100,2,3,100", "the diagonal is not 1 (percent, or not a spillover matrix)"),
        ("2,FSC-A,Time,1,0.99999,0.99999,1", "condition number 2.0e+05, allowed is 1e+04"),
        ("2,FSC-A,Time,1,0,0,1,", "8 items, 2 channels need 7"),
        ("2,1,2,1,0,0,1", "2 of 2 names are no $PnN, 0 repeated"),
        ("2,Time,Time,1,0,0,1", "0 of 2 names are no $PnN, 1 repeated"),
        ("999999999,FSC-A,1", "3 items, 999999999 channels need 999999999000000001"),
    ],
)
def test_15_an_unusable_matrix_is_an_error_when_asked_for(make_fcs: MakeFcs, value: str, found: str) -> None:
    file = quiet(make_fcs({"SPILL": value}))
    assert codes(file) == ["spill_unusable"]
    np.testing.assert_array_equal(file.events(), EVENTS)
    with pytest.raises(FcsError) as caught:
        file.spillover()
    assert (
        str(caught.value)
        == f"made.fcs: SPILL: {found}. Give the compensation matrix by the template or the sample sheet."
    )


def test_15_spillover_wins_over_spill_and_says_so(make_fcs: MakeFcs) -> None:
    file = quiet(make_fcs({"SPILL": "2,FSC-A,Time,1,0.5,0,1", "$SPILLOVER": "2,FSC-A,Time,1,0.25,0,1"}))
    spillover = file.spillover()
    assert codes(file) == ["spill_differ"]
    assert spillover is not None
    assert (spillover.source, spillover.matrix[0, 1]) == ("$SPILLOVER", 0.25)


@pytest.mark.parametrize(
    ("bits", "order"),
    [(24, "1,2,3,4"), (24, "4,3,2,1"), (48, "1,2,3,4"), (64, "4,3,2,1"), (8, "1,2,3,4")],
)
def test_16_integers_of_any_whole_number_of_bytes(make_fcs: MakeFcs, bits: int, order: str) -> None:
    values = [200, 2**bits - 2, 7, 1, 0, 3]
    ends: str = "little" if order == "1,2,3,4" else "big"
    data = b"".join(value.to_bytes(bits // 8, ends) for value in values)
    words = {f"$P{n}{key}": value for n in (1, 2) for key, value in (("B", str(bits)), ("R", str(2**bits)))}
    file = open_fcs(make_fcs({**words, "$DATATYPE": "I", "$BYTEORD": order}, data=data))
    np.testing.assert_array_equal(file.events(), np.array(values, dtype=np.float64).reshape(3, 2))


@pytest.mark.parametrize("packed", [True, False], ids=["one stream of bits", "a word for each value"])
def test_16_values_of_ten_bits(make_fcs: MakeFcs, packed: bool) -> None:  # noqa: FBT001
    values = [1023, 1, 512, 0, 700, 3]
    stream = int("".join(f"{value:010b}" for value in values) + "0000", 2).to_bytes(8, "big")
    data = stream if packed else np.array(values, dtype="<u2").tobytes()
    words = {"$P1B": "10", "$P2B": "10", "$P1R": "1024", "$P2R": "1024", "$DATATYPE": "I"}
    file = open_fcs(make_fcs(words, data=data))
    np.testing.assert_array_equal(file.events(), np.array(values).reshape(3, 2))


def test_17_a_latin1_byte_changes_its_own_value_only(make_fcs: MakeFcs) -> None:
    file = quiet(make_fcs({"$P1S": "CD8é"}, raw_words=b"/$P2S/\xb5s"))
    assert [c.label for c in file.channels] == ["CD8é", "µs"]
    assert codes(file) == ["encoding"]


def test_18_events_that_are_not_numbers_are_counted(make_fcs: MakeFcs) -> None:
    events = EVENTS.copy()
    events[1, 0], events[2, 1] = np.nan, np.inf
    flags = event_flags(open_fcs(make_fcs(data=events.tobytes())))
    assert [(f.code, f.message) for f in flags] == [("nonfinite", "events with NaN or infinite values (2 of 3 events)")]


@pytest.mark.parametrize("tail", ["", "//", "/  \x00", "/\x00\x00"])
def test_19_the_last_value_is_whole_whatever_ends_text(make_fcs: MakeFcs, tail: str) -> None:
    file = quiet(make_fcs({"$CYT": "Canto"}, tail=tail))
    assert file.keywords["$CYT"] == "Canto"
    assert codes(file) in (["text_end"], ["text_padding"])


# Further rules.


def test_integers_with_bits_above_their_range_are_flagged(make_fcs: MakeFcs) -> None:
    words = {"$DATATYPE": "I", "$P1B": "16", "$P2B": "16", "$P1R": "1000"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FcsWarning)
        file = open_fcs(make_fcs(words, data=np.array([1023, 1, 1024, 2, 7, 3], dtype="<u2").tobytes()))
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


# Agreement with FlowIO on real files, and the files where there is none.

FLOWIO_CANNOT = {
    "Cytek_xP5.fcs": "24-bit integers",
    "SG_2014-09-26_Duplicate_Names.fcs": "end of DATA is off by one",
    "fake_large_fcs.fcs": "HEADER leaves DATA blank",
    "data_start_offset_discrepancy_example.fcs": "HEADER and TEXT differ by one",
    "data_stop_offset_discrepancy_example.fcs": "HEADER and TEXT differ by one",
    "variable_int_example.fcs": "$TIMESTEP is text",
}
NOBODY_CAN = {"corrupted.fcs": "10 bytes", "sample_header.fcs": "no events behind TEXT"}


def test_equal_to_flowio_bit_for_bit_on_real_files(shared: Path) -> None:
    folders = ("parser_zoo", "raw_panels", "gatingml")
    paths = [p for f in folders for p in (shared / "data" / f).rglob("*") if p.suffix.lower() in (".fcs", ".lmd")]
    assert len(paths) > 30
    ours_only, neither = set(), set()
    for path in sorted(paths):
        try:
            theirs = flowio.FlowData(io.BytesIO(path.read_bytes()))
            stored, scaled = theirs.as_array(preprocess=False), theirs.as_array(preprocess=True)
        except Exception:  # noqa: BLE001 - FlowIO has no error of its own for most of these
            stored = None
        try:
            file = quiet(path)
        except FcsError:
            neither.add(path.name)
            assert stored is None, path.name
            continue
        if stored is None:
            ours_only.add(path.name)
            continue
        np.testing.assert_array_equal(file.events(preprocess=False), stored, err_msg=path.name)
        # The compared precision is ours: a time step is applied in float64 and rounded to float32.
        events = file.events()
        np.testing.assert_array_equal(events, scaled.astype(events.dtype), err_msg=path.name)
    assert ours_only == set(FLOWIO_CANNOT)
    assert neither == set(NOBODY_CAN)


@pytest.mark.parametrize(
    ("name", "truth", "preprocess"),
    [
        (
            "parser_zoo/flowio/B01 KC-A-W---91-US.fcs",
            "parser_zoo/flowio/B01 KC-A-W---91-US_preprocessed_events.npy",
            True,
        ),
        ("gatingml/data1.fcs", "parser_zoo/flowio/data1_original_events.npy", False),
    ],
)
def test_equal_to_stored_arrays(shared: Path, name: str, truth: str, preprocess: bool) -> None:  # noqa: FBT001
    events = quiet(shared / "data" / name).events(preprocess=preprocess)
    np.testing.assert_allclose(events, np.load(shared / "data" / truth), rtol=1e-7)


# Properties.

WIDTHS = {8: "u1", 16: "u2", 32: "u4", 64: "u8"}
DELIMITERS = [chr(n) for n in (*range(1, 32), *b" !%&'()*:;<>?@[]^`{|}~/\\")]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_values_and_labels_survive_any_legal_layout(make_fcs: MakeFcs, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from("FDI"))
    bits = {"F": 32, "D": 64}.get(kind) or data.draw(st.sampled_from(sorted(WIDTHS)))
    big = data.draw(st.booleans())
    # Beyond 2**53 float64 has no room for all integers.
    numbers = st.floats(width=bits) if kind != "I" else st.integers(0, 2 ** min(bits, 53) - 1)  # type: ignore[arg-type]
    values = np.array(
        data.draw(st.lists(numbers, min_size=6, max_size=6)),
        dtype=f"{'>' if big else '<'}f{bits // 8}" if kind != "I" else f"{'>' if big else '<'}{WIDTHS[bits]}",
    )
    delimiter = data.draw(st.sampled_from(DELIMITERS))
    label = data.draw(
        st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=8)
    )
    label = label.strip(delimiter) or "x"
    words = {
        "$DATATYPE": kind,
        "$BYTEORD": "4,3,2,1" if big else "1,2,3,4",
        "$P1S": label.replace(delimiter, 2 * delimiter),
        **{f"$P{n}B": str(bits) for n in (1, 2)},
        **{f"$P{n}R": str(2**bits) for n in (1, 2)},
    }
    file = quiet(make_fcs(words, data=values.tobytes(), delimiter=delimiter))
    np.testing.assert_array_equal(file.events(), values.reshape(3, 2).astype(np.float64))
    assert file.channels[0].label == label


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_flipped_byte_of_header_or_text_gives_the_same_events_a_flag_or_the_error(
    make_fcs: MakeFcs, position: int, byte: int
) -> None:
    path = make_fcs({"$SPILLOVER": "2,FSC-A,Time,1,0.25,0,1"})
    raw = bytearray(path.read_bytes())
    raw[position % (len(raw) - EVENTS.nbytes)] = byte
    path.write_bytes(raw)
    try:
        file = quiet(path)
        events = file.events()
    except FcsError:
        return
    assert np.array_equal(events, EVENTS) or file.flags or event_flags(file)

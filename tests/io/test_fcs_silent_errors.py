"""What other readers get wrong in silence, numbered as in the list the reader was written from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from il2cyto.errors import FcsError
from il2cyto.io import open_fcs
from il2cyto.io._fcs import event_flags
from tests.io._fcs import DAMAGED, EVENTS, codes, error_of, quiet

if TYPE_CHECKING:
    from tests.io.conftest import MakeFcs


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

"""Laws of the reader over files that hypothesis makes: any legal layout, any flipped byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import HealthCheck, given, settings, strategies as st

from il2cyto.errors import FcsError
from il2cyto.io._fcs import event_flags
from tests.io._fcs import EVENTS, quiet

if TYPE_CHECKING:
    from tests.io.conftest import MakeFcs

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

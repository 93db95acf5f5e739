"""The writer: other readers agree with it, and what it cannot store it refuses."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import flowio
import flowkit
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from il2cyto.errors import FcsError
from il2cyto.io import Spillover, open_fcs, write_fcs
from il2cyto.io._fcs._write import _header_and_text

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ["FSC-A", "BV421-A", "APC-A", "Time"]
LABELS = ["", "CD3", "CD25", ""]
EVENTS = np.random.default_rng(7).normal(5000, 2000, size=(500, 4)).astype(np.float32)
EVENTS[:, 3] = np.arange(500)
MATRIX = Spillover(("APC-A", "BV421-A"), np.array([[1, 0.015625], [0.1, 1]]))


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "simulated.fcs"
    keywords = {"$CYT": "a\x0cb", "IL2CYTO_SIMULATED": "1", "note": "µ/|\\"}
    ranges = [262144, 1024.5, 262144, 500]
    write_fcs(
        path, EVENTS, names=NAMES, labels=LABELS, ranges=ranges, spillover=MATRIX, keywords=keywords, timestep=0.25
    )
    return path


def test_flowio_reads_what_we_write(written: Path) -> None:
    theirs = flowio.FlowData(str(written))
    np.testing.assert_array_equal(theirs.as_array(preprocess=False), EVENTS)
    np.testing.assert_array_equal(theirs.as_array(preprocess=True)[:, 3], EVENTS[:, 3] * 0.25)
    assert (theirs.pnn_labels, theirs.pns_labels) == (NAMES, LABELS)
    assert theirs.version == "3.1"
    assert {k: theirs.text[k] for k in ("cyt", "il2cyto_simulated", "note", "p2r", "tot", "byteord", "datatype")} == {
        "cyt": "a\x0cb",
        "il2cyto_simulated": "1",
        "note": "µ/|\\",
        "p2r": "1024.5",
        "tot": "500",
        "byteord": "1,2,3,4",
        "datatype": "F",
    }


def test_flowkit_compensates_with_the_matrix_we_write(written: Path) -> None:
    sample = flowkit.Sample(str(written))
    sample.apply_compensation(sample.metadata["spillover"])
    theirs = sample.get_events(source="comp")
    ours = open_fcs(written)
    spillover = ours.spillover()
    assert spillover is not None
    columns = [NAMES.index(name) for name in spillover.channels]
    compensated = np.linalg.solve(spillover.matrix.T, ours.events(columns).T.astype(np.float64)).T
    np.testing.assert_allclose(theirs[:, columns], compensated, rtol=1e-6)


def test_our_reader_finds_all_that_was_written_and_nothing_odd(written: Path) -> None:
    file = open_fcs(written)
    assert file.flags == ()
    assert file.simulated
    assert [c.name for c in file.channels] == NAMES
    assert [c.label for c in file.channels] == LABELS
    assert [c.range for c in file.channels] == [262144, 1024.5, 262144, 500]
    np.testing.assert_array_equal(file.events(preprocess=False), EVENTS)
    np.testing.assert_array_equal(file.events([3])[:, 0], EVENTS[:, 3] * 0.25)
    spillover = file.spillover()
    assert spillover is not None
    assert spillover.channels == MATRIX.channels
    np.testing.assert_array_equal(spillover.matrix, MATRIX.matrix)


floats = st.floats(width=32)
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda v: v.strip("\x0c") == v
)
names = st.text(st.characters(codec="utf-8", exclude_characters="\x00\x0c,"), min_size=1, max_size=6).filter(
    lambda v: v.strip(" ") == v and v.strip()
)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(floats, floats), max_size=5),
    pair=st.lists(names, min_size=2, max_size=2, unique_by=lambda v: v.casefold()),
    label=words,
    value=words,
)
@example(rows=[], pair=["a", "b"], label="$P2N", value="a\x0c\x0cb")
@pytest.mark.filterwarnings("ignore::il2cyto.errors.FcsWarning")
def test_what_is_read_is_what_was_written(
    tmp_path: Path, rows: list[tuple[float, float]], pair: list[str], label: str, value: str
) -> None:
    events = np.array(rows, dtype=np.float32).reshape(-1, 2)
    path = tmp_path / "x.fcs"
    write_fcs(path, events, names=pair, labels=[label, ""], keywords={"$CYT": value})
    file = open_fcs(path)
    np.testing.assert_array_equal(file.events(), events)
    assert [c.name for c in file.channels] == pair
    assert file.channels[0].label == label
    assert file._words["$CYT"] == value


def test_a_file_beyond_the_header_s_eight_digits_is_found_through_text(tmp_path: Path) -> None:
    path = tmp_path / "large.fcs"
    n_events, n_channels = 12_500_000, 2
    keywords = {
        f"$P{n}{key}": value for n in (1, 2) for key, value in zip("NBER", ("x", "32", "0,0", "9"), strict=True)
    }
    front = _header_and_text("large.fcs", {**keywords, "$P2N": "y"}, n_events=n_events, n_channels=n_channels)
    assert front[26:42] == b"       0       0"
    last = np.array([1.5, -2.5], dtype="<f4").tobytes()
    with path.open("wb") as file:
        # A hole in the middle: the file takes no room on disk.
        file.write(front)
        file.seek(len(front) + 4 * n_events * n_channels - len(last))
        file.write(last)
    opened = open_fcs(path)
    assert opened.flags == ()
    assert opened.n_events == n_events
    assert opened._layout.begin == len(front)
    np.testing.assert_array_equal(opened.events([1])[-2:, 0], [0, -2.5])


def test_a_failed_write_leaves_the_old_file_and_no_other(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = written.read_bytes()

    def refuse(*_: object) -> None:
        msg = "disk full"
        raise OSError(msg)

    monkeypatch.setattr("pathlib.Path.replace", refuse)
    with pytest.raises(OSError, match="disk full"):
        write_fcs(written, EVENTS, names=NAMES)
    assert written.read_bytes() == before
    assert os.listdir(written.parent) == [written.name]  # noqa: PTH208 - hidden files too


def test_same_input_same_bytes(written: Path) -> None:
    first = written.read_bytes()
    events = open_fcs(written).events(preprocess=False)
    keywords = {"$CYT": "a\x0cb", "IL2CYTO_SIMULATED": "1", "note": "µ/|\\"}
    ranges = [262144, 1024.5, 262144, 500]
    write_fcs(
        written, events, names=NAMES, labels=LABELS, ranges=ranges, spillover=MATRIX, keywords=keywords, timestep=0.25
    )
    assert written.read_bytes() == first


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": ["A", "B"]}, "events: array of shape (500, 4) for 2 names. Give events x channels, one name each."),
        (
            {"names": ["A", "B", "C", "A"]},
            "$PnN: empty, repeated, padded, or with a comma or NUL. Give each channel a name of its own.",
        ),
        (
            {"names": ["A", "B", "C", "D,E"]},
            "$PnN: empty, repeated, padded, or with a comma or NUL. Give each channel a name of its own.",
        ),
        ({"labels": ["CD3"]}, "names: 4 names, 1 labels, 4 ranges. Give one of each per channel."),
        (
            {"ranges": [1, 1, 0, 1]},
            "$PnR: a range that is not positive and finite. Give the largest value of each channel.",
        ),
        ({"timestep": 0.0}, "$TIMESTEP: not a positive number. Give seconds per unit of Time."),
        ({"keywords": {"$tot": "9"}}, "$TOT: set by the writer itself. Leave it out of `keywords`."),
        ({"keywords": {"$P9N": "X"}}, "$P9N: set by the writer itself. Leave it out of `keywords`."),
        (
            {"keywords": {"a": "1", "A": "2"}},
            "keywords: a name given twice in different case. Keyword names ignore case.",
        ),
        ({"keywords": {"ä": "1"}}, "keywords: a name that is empty or not printable ASCII. Rename that keyword."),
        ({"keywords": {"A": ""}}, "A: value empty, or form feed at one of its ends. Leave the keyword out or trim it."),
        (
            {"spillover": Spillover(("PE-A",), np.eye(1))},
            "$SPILLOVER: channels repeated or not in the file. Use names of `names`, once each.",
        ),
        (
            {"spillover": Spillover(("APC-A",), np.eye(2))},
            "$SPILLOVER: matrix not square or not finite. Give 1 x 1 finite numbers.",
        ),
    ],
)
def test_what_cannot_be_stored_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(FcsError) as caught:
        write_fcs(tmp_path / "x.fcs", EVENTS, **{"names": NAMES, **change})
    assert str(caught.value) == f"x.fcs: {message}"
    assert not list(tmp_path.iterdir())


def test_a_value_too_large_for_float32_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FcsError) as caught:
        write_fcs(tmp_path / "x.fcs", np.array([[1e39]]), names=["A"])
    assert str(caught.value) == "x.fcs: events: a value beyond the range of float32. Rescale that channel."


def test_ten_thousand_events_are_written_in_milliseconds(tmp_path: Path) -> None:
    events = np.ones((10_000, 17), dtype=np.float32)
    channels = [f"C{i}" for i in range(17)]

    def once() -> float:
        started = time.perf_counter()
        write_fcs(tmp_path / "x.fcs", events, names=channels, spillover=Spillover(tuple(channels), np.eye(17)))
        return time.perf_counter() - started

    # Takes 0.6 ms; the bound leaves room for a busy machine.
    assert min(once() for _ in range(10)) < 0.005

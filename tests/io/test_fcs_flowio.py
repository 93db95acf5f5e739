"""Agreement with FlowIO on real files, and the files where there is none."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import flowio
import numpy as np
import pytest

from il2cyto.errors import FcsError
from tests.io._fcs import quiet

if TYPE_CHECKING:
    from pathlib import Path

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

"""Every file of the odd-file corpus gives what its manifest says: the values, or the one error."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from il2cyto.errors import FcsError, FcsWarning
from il2cyto.io import FcsFile, open_fcs
from il2cyto.io._fcs import event_flags

_FOLDER = Path(os.environ.get("IL2CYTO_SHARED", Path(__file__).parents[3] / "shared"), "badfcs")
_MANIFEST = _FOLDER / "manifest.json"
_SLOWEST = 2.0
ENTRIES: list[dict[str, Any]] = json.loads(_MANIFEST.read_text()) if _MANIFEST.is_file() else []

if not ENTRIES:
    pytest.skip(f"odd-file corpus not found: {_MANIFEST.name}", allow_module_level=True)


def _read(path: Path, dataset: int | None = None) -> tuple[FcsFile, np.ndarray]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        file = open_fcs(path, dataset=dataset)
    assert [w.category for w in caught] == [FcsWarning] * len(file.flags)
    return file, file.events(preprocess=False)


def _outcome(path: Path, *, wants_spillover: bool) -> tuple[FcsFile, np.ndarray] | FcsError:
    try:
        file, events = _read(path)
        if wants_spillover:
            file.spillover()
    except FcsError as error:
        return error
    return file, events


def _array(values: list[list[Any]], n_columns: int) -> np.ndarray:
    return np.array(values, dtype=np.float64).reshape(-1, n_columns)


def _assert_equals_manifest(entry: dict[str, Any], file: FcsFile, events: np.ndarray) -> None:
    assert list(events.shape) == entry["shape"]
    assert file.n_events == len(events)
    if "raw" in entry:
        np.testing.assert_array_equal(events.astype(np.float64), _array(entry["raw"], events.shape[1]))
    if "raw_sha256" in entry:
        assert hashlib.sha256(events.astype("<f8").tobytes()).hexdigest() == entry["raw_sha256"]
    if "scaled" in entry:
        # Time in seconds is rounded to float32, the rest is exact or float64.
        np.testing.assert_allclose(file.events(), _array(entry["scaled"], events.shape[1]), rtol=1e-7)
    if "names" in entry:
        assert [c.name for c in file.channels] == [name.strip(" ") for name in entry["names"]]
    if "labels" in entry:
        assert [c.label for c in file.channels] == entry["labels"]
    for key, value in entry.get("keywords", {}).items():
        assert file._words[key] == value
    assert file.n_data_sets == entry.get("sets", 1)
    if "spill" in entry:
        _assert_spillover(entry["spill"], file)


def _assert_spillover(expected: dict[str, Any] | None, file: FcsFile) -> None:
    if expected is None:
        assert any(flag.code.startswith("spill") for flag in file.flags)
        try:
            assert file.spillover() is None
        except FcsError:
            return
    else:
        spillover = file.spillover()
        assert spillover is not None
        assert list(spillover.channels) == expected["channels"]
        np.testing.assert_array_equal(spillover.matrix, expected["matrix"])


def _assert_is_our_error(error: FcsError, name: str) -> None:
    assert error.file == name
    assert error.check
    assert error.found
    assert str(error) == f"{name}: {error.check}: {error.found}. {error.remedy}"


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["file"])
def test_file_gives_its_manifest_values_or_the_one_error(entry: dict[str, Any]) -> None:
    path = _FOLDER / "files" / entry["file"]
    started = time.perf_counter()
    outcome = _outcome(path, wants_spillover=entry["expect"] == "error" and entry["group"] == "spill")
    if isinstance(outcome, FcsError):
        _assert_is_our_error(outcome, path.name)
        assert entry["expect"] in ("error", "either"), outcome
        if entry.get("sets", 1) > 1:
            _assert_equals_manifest(entry, *_read(path, dataset=1))
    else:
        file, events = outcome
        assert entry["expect"] != "error"
        _assert_equals_manifest(entry, file, events)
        flags = [*file.flags, *event_flags(file)]
        if entry["expect"] == "ok_warn" and entry["file"] != "twin_1.fcs":
            assert flags
        if entry["group"] == "control":
            assert not flags
    assert time.perf_counter() - started < _SLOWEST


def test_a_byte_copy_has_the_same_digest(tmp_path: Path) -> None:
    """Two sample ids for one SHA-256 are the batch's to find; the reader gives it the digest."""
    original = _FOLDER / "files" / "twin_1.fcs"
    copy = Path(shutil.copy(original, tmp_path / "twin_2.fcs"))
    assert _read(original)[0].sha256() == _read(copy)[0].sha256() == hashlib.sha256(copy.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["phi_everywhere.fcs", "phi_hidden.fcs"])
def test_nothing_that_identifies_a_patient_leaves_the_file(name: str, tmp_path: Path) -> None:
    from il2cyto.io import read_fcs

    absent = next(entry["absent"] for entry in ENTRIES if entry["file"] == name)
    path = _FOLDER / "files" / name
    file, _ = _read(path)
    adata = read_fcs(path)
    adata.write_h5ad(tmp_path / "events.h5ad")
    shown = [repr(file), repr(file.channels), str(file.keywords), str(file.flags), str(adata.uns), str(adata.var)]
    broken = tmp_path / name
    # Cut inside DATA, so that the reader stops with all keywords in hand.
    broken.write_bytes(path.read_bytes()[: file._layout.begin + 5])
    with pytest.raises(FcsError) as caught:
        open_fcs(broken)
    shown.append("".join(map(str, (caught.value, caught.value.__cause__))))
    shown.append((tmp_path / "events.h5ad").read_bytes().decode("latin-1"))
    for text in absent:
        assert not [place for place in shown if text in place], text

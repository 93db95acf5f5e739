from __future__ import annotations

import pickle

import numpy as np
import pytest

from il2cyto.errors import SchemaError
from il2cyto.io import Density, read_densities, write_densities


def density(population="T", y="SSC-A", fill=1, *, histogram=True):
    counts = np.full((64, 64), fill, dtype=np.uint16)
    counts[3, 5] = 65535
    bins = np.arange(256, dtype=np.uint32) if histogram else None
    return Density(population, "CD3", y, (-0.1, 1.1), (0.0, 1.0), counts, bins)


DENSITIES = {
    "b": {"T": density(fill=7), "singlets": density("singlets", "FSC-H", histogram=False)},
    "a": {"T": density(fill=3)},
    "empty": {},
    "c": {"T": density(y="", fill=0)},
}


def test_what_is_written_is_read(tmp_path):
    path = write_densities(tmp_path / "new" / "densities.npz", DENSITIES)
    assert [p.name for p in path.parent.iterdir()] == ["densities.npz"]
    found = read_densities(path)
    assert list(found) == ["a", "b", "c", "empty"]
    for sample, expected in DENSITIES.items():
        assert found[sample].keys() == expected.keys()
        for name, original in expected.items():
            assert found[sample][name].view == original.view
            np.testing.assert_array_equal(found[sample][name].counts, original.counts)
            assert found[sample][name].counts.dtype == np.uint16
            np.testing.assert_equal(found[sample][name].histogram, original.histogram)


def test_the_same_densities_give_the_same_bytes_in_any_order(tmp_path):
    a = write_densities(tmp_path / "a.npz", DENSITIES)
    b = write_densities(tmp_path / "b.npz", dict(sorted(DENSITIES.items(), reverse=True)))
    assert a.read_bytes() == b.read_bytes()


def test_an_empty_archive_holds_nothing(tmp_path):
    assert read_densities(write_densities(tmp_path / "densities.npz", {})) == {}


def test_nothing_but_such_an_archive_is_read(tmp_path):
    path = tmp_path / "densities.npz"
    advice = "gate the study again with this version of il2cyto"
    for spoil in (
        lambda: path.write_bytes(b"text"),
        lambda: path.write_bytes(b""),
        lambda: path.write_bytes(pickle.dumps({"format": "il2cyto/densities/1"})),
        lambda: np.savez(path, format=np.array({"a": 1}, dtype=object)),
        lambda: np.savez(path, counts=np.zeros(3)),
    ):
        spoil()
        with pytest.raises(SchemaError) as e:
            read_densities(path)
        assert str(e.value) == f"densities.npz: found no format, expected il2cyto/densities/1; {advice}"
    np.savez(path, format=np.array("il2cyto/densities/2"))
    with pytest.raises(SchemaError) as e:
        read_densities(path)
    assert str(e.value) == f"densities.npz: found il2cyto/densities/2, expected il2cyto/densities/1; {advice}"

"""Events as AnnData: the keys of the schema, the scale of X, and what may stand in uns."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING

import anndata as ad
import flowio
import numpy as np
import pandas as pd
import pytest

from il2cyto.errors import FcsWarning
from il2cyto.io import Spillover, read_fcs, write_fcs

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from tests.io.conftest import MakeFcs

NAMES = ["FSC-A", "FSC-H", "BV421-A", "APC-A", "APC-H", "PE-A", "Time"]
LABELS = ["", "", "CD3", "CD25", "CD25", "J. Doe", ""]
EVENTS = np.random.default_rng(3).normal(5000, 900, size=(40, 7)).astype(np.float32)
EVENTS[:, 6] = np.arange(40)
INTEGERS = {"$DATATYPE": "I", "$P1B": "16", "$P2B": "16", "$P1R": "1024", "$P2R": "65536"}
STORED = np.array([[5, 1], [1000, 2], [512, 3]], dtype="<u2")


@pytest.fixture
def adata(tmp_path: Path) -> AnnData:
    path = tmp_path / "P01_V1.fcs"
    matrix = Spillover(("APC-A", "BV421-A"), np.array([[1, 0.1], [0.02, 1]]))
    keywords = {"$CYT": "Canto", "$SRC": "J. Doe", "IL2CYTO_SIMULATED": "yes"}
    write_fcs(path, EVENTS, names=NAMES, labels=LABELS, spillover=matrix, keywords=keywords, timestep=0.5)
    with warnings.catch_warnings():
        # Two channels carry CD25.
        warnings.simplefilter("ignore", FcsWarning)
        return read_fcs(path)


def test_var_is_indexed_by_marker_else_channel_and_unique(adata: AnnData) -> None:
    assert adata.var_names.tolist() == ["FSC-A", "FSC-H", "CD3", "CD25 (APC-A)", "CD25 (APC-H)", "PE-A", "Time"]
    columns = ["n", "channel", "marker", "PnB", "PnE", "PnG", "PnR", "signal_type", "detector_type", "fluorochrome"]
    assert adata.var.columns.tolist() == columns
    assert all(isinstance(dtype, pd.CategoricalDtype) for dtype in adata.var.dtypes)
    rows = adata.var.astype(str)
    assert rows.iloc[3].tolist() == ["4", "APC-A", "CD25", "32", "0,0", "", "262144", "area", "fluor", "APC"]
    assert rows["detector_type"].tolist() == ["scatter", "scatter", "fluor", "fluor", "fluor", "fluor", "time"]
    assert rows["marker"].tolist() == ["", "", "CD3", "CD25", "CD25", "", ""]


def test_obs_names_the_sample_and_the_file_and_no_batch(adata: AnnData) -> None:
    assert adata.obs_names[[0, 39]].tolist() == ["P01_V1-0", "P01_V1-39"]
    assert adata.obs["sample"].unique().tolist() == ["P01_V1"]
    assert adata.obs["file_name"].unique().tolist() == ["P01_V1.fcs"]
    assert adata.obs["batch"].isna().all()
    assert all(isinstance(dtype, pd.CategoricalDtype) for dtype in adata.obs.dtypes)


def test_x_is_uncompensated_float32_with_time_in_seconds(adata: AnnData) -> None:
    assert adata.X.dtype == np.float32
    np.testing.assert_array_equal(adata.X, EVENTS * np.array([1, 1, 1, 1, 1, 1, 0.5], dtype=np.float32))
    assert not [name for name in adata.layers if name is not None]  # from anndata 0.13 on, None stands for X


def test_uns_holds_allowed_keywords_and_the_matrix_by_var_index(adata: AnnData) -> None:
    spill = adata.uns["meta"].pop("spill")
    assert adata.uns["meta"] == {
        "cyt": "Canto",
        "tot": "40",
        "timestep": "0.5",
        "il2cyto_simulated": True,
        **{f"p{n}n": name for n, name in enumerate(NAMES, start=1)},
        "p3s": "CD3",
        "p4s": "CD25",
        "p5s": "CD25",
    }
    expected = pd.DataFrame([[1, 0.1], [0.02, 1]], index=["CD25 (APC-A)", "CD3"], columns=["CD25 (APC-A)", "CD3"])
    pd.testing.assert_frame_equal(spill, expected)
    own = adata.uns["il2cyto"]
    assert (own["schema_version"], own["object"], own["simulated"]) == ("1.0", "events", True)
    assert json.loads(own["provenance"])["file_flags"] == ["labels_repeated"]


def test_h5ad_keeps_everything_and_no_free_text(adata: AnnData, tmp_path: Path) -> None:
    path = tmp_path / "events.h5ad"
    adata.write_h5ad(path)
    again = ad.read_h5ad(path)
    np.testing.assert_array_equal(again.X, adata.X)
    pd.testing.assert_frame_equal(again.obs, adata.obs, check_categorical=False)
    pd.testing.assert_frame_equal(again.var, adata.var)
    pd.testing.assert_frame_equal(again.uns["meta"].pop("spill"), adata.uns["meta"].pop("spill"))
    assert again.uns["meta"] == adata.uns["meta"]
    assert again.uns["il2cyto"] == adata.uns["il2cyto"]
    assert b"Doe" not in path.read_bytes()


def test_logarithmic_amplification_is_undone(make_fcs: MakeFcs) -> None:
    adata = read_fcs(make_fcs({**INTEGERS, "$P1E": "4,1"}, data=STORED.tobytes()))
    assert adata.X.dtype == np.float64
    # Counted by hand: 5 of 1024 channels at 4 decades is 10 ** (20 / 1024).
    np.testing.assert_allclose(adata.X[:, 0], [1.0460, 8058.42, 100.0], rtol=1e-4)
    np.testing.assert_array_equal(adata.X[:, 1], [1, 2, 3])
    assert adata.var["PnE"].astype(str).tolist() == ["4,1", "0,0"]


def test_gain_divides_but_never_time(make_fcs: MakeFcs) -> None:
    words = {**INTEGERS, "$P1G": "3", "$P2G": "0.01", "$TIMESTEP": "0.01"}
    adata = read_fcs(make_fcs(words, data=STORED.tobytes()))
    np.testing.assert_array_equal(adata.X[:, 0], STORED[:, 0] / 3)
    np.testing.assert_allclose(adata.X[:, 1], [0.01, 0.02, 0.03], rtol=1e-15)
    assert adata.var["PnG"].astype(str).tolist() == ["3", "0.01"]


def test_without_preprocessing_x_is_what_the_file_stores(make_fcs: MakeFcs) -> None:
    words = {**INTEGERS, "$P1E": "4,1", "$P2G": "0.01", "$TIMESTEP": "0.01"}
    adata = read_fcs(make_fcs(words, data=STORED.tobytes()), preprocess=False)
    np.testing.assert_array_equal(adata.X, STORED)
    assert adata.X.dtype == np.float32


def test_a_bad_matrix_leaves_the_events_readable_and_no_spill(make_fcs: MakeFcs) -> None:
    with pytest.warns(FcsWarning, match=r"asking for it is an error \(\$SPILLOVER\) \[spill_unusable\]"):
        adata = read_fcs(make_fcs({"$SPILLOVER": "1,FSC-A,100"}, data=np.arange(6, dtype="<f4").tobytes()))
    assert "spill" not in adata.uns["meta"]
    assert adata.shape == (3, 2)


def test_odd_events_are_warned_of(make_fcs: MakeFcs) -> None:
    data = np.array([[1, 3], [1, 2], [1, 1]], dtype="<f4").tobytes()
    with pytest.warns(FcsWarning) as caught:
        read_fcs(make_fcs(data=data))
    assert [str(w.message) for w in caught] == [
        "made.fcs: a channel has one value in all events ($P1) [constant_channel]",
        "made.fcs: Time goes backwards ($P2: 2 times) [time_backwards]",
    ]


def test_an_empty_file_gives_no_rows_and_a_flag(make_fcs: MakeFcs) -> None:
    with pytest.warns(FcsWarning, match="no events"):
        adata = read_fcs(make_fcs({"$TOT": "0"}, data=b"", data_in_header=(0, 0)))
    assert adata.shape == (0, 2)


def test_keys_and_values_equal_those_of_flowio_on_a_real_file(shared: Path) -> None:
    path = shared / "data" / "raw_panels" / "peacoqc" / "111.fcs"
    adata, theirs = read_fcs(path), flowio.FlowData(str(path))
    np.testing.assert_array_equal(adata.X, theirs.as_array(preprocess=True).astype(np.float32))
    assert adata.var["channel"].astype(str).tolist() == theirs.pnn_labels

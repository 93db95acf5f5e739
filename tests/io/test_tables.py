from __future__ import annotations

import anndata
import numpy as np
import polars as pl
import pytest

from il2cyto.errors import SchemaError
from il2cyto.io import read_anndata, write_anndata, write_csv


def test_a_cell_that_a_spreadsheet_would_run_is_written_as_text_and_numbers_stay(tmp_path):
    frame = pl.DataFrame({"subject": ["=1+1", "+x", "-x", "@x", "\tx", "P-1"], "change": [-1.5] * 6})
    text = write_csv(frame, tmp_path / "t.csv").read_text()
    assert text == "subject,change\n'=1+1,-1.5\n'+x,-1.5\n'-x,-1.5\n'@x,-1.5\n'\tx,-1.5\nP-1,-1.5\n"


def test_a_missing_number_is_blank_and_a_count_has_no_decimals(tmp_path):
    frame = pl.DataFrame({"count": [12.0, np.nan, 0.0], "frequency": [0.25, np.nan, 0.0]})
    assert write_csv(frame, tmp_path / "t.csv", whole=["count"]).read_text() == "count,frequency\n12,0.25\n,\n0,0.0\n"


def test_a_write_that_fails_leaves_the_old_file_and_no_draft(tmp_path):
    good = anndata.AnnData(np.eye(3), uns={"il2cyto": {"schema_version": "1.0"}})
    path = write_anndata(good, tmp_path / "results.h5ad")
    before = path.read_bytes()
    bad = good.copy()
    bad.uns["thing"] = object()
    with pytest.raises(Exception, match="thing"):
        write_anndata(bad, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["results.h5ad"]


def test_what_cannot_be_an_il2cyto_object_is_refused_in_words(tmp_path):
    adata = anndata.AnnData(np.eye(3))
    with pytest.raises(SchemaError) as error:
        write_anndata(adata, tmp_path / "results.loom")
    assert str(error.value) == "results.loom: unknown ending '.loom'; allowed are .h5ad and .zarr"
    adata.uns["a/b"] = "x"
    with pytest.raises(SchemaError) as error:
        write_anndata(adata, tmp_path / "results.h5ad")
    assert str(error.value) == (
        "results.h5ad cannot be written:\n"
        "- uns['a/b']: found '/' in a key, which the formats turn into structure; allowed: no '/'; rename it"
    )
    del adata.uns["a/b"]
    with pytest.raises(SchemaError, match="this is not an il2cyto object"):
        read_anndata(write_anndata(adata, tmp_path / "plain.h5ad"))
    adata.uns["il2cyto"] = {"schema_version": "3.0"}
    with pytest.raises(SchemaError) as error:
        read_anndata(write_anndata(adata, tmp_path / "new.h5ad"))
    assert str(error.value) == "new.h5ad has schema 3.0, this il2cyto reads up to 1; update il2cyto"

from __future__ import annotations

import numpy as np
import polars as pl
import pyreadstat
import pytest

from il2cyto.errors import SchemaError
from il2cyto.io._xpt import write_xpt


def test_pyreadstat_reads_every_number_exactly_and_every_text_with_its_label(tmp_path):
    rng = np.random.default_rng(3)
    drawn = rng.normal(size=200) * 10.0 ** rng.integers(-60, 60, 200)
    numbers = [0.0, -0.1, 1.0, 1e-70, -7e70, None, float("nan"), *drawn]
    frame = pl.DataFrame({"N": numbers, "TEXT": ["a", None, "three words"] * 69, "WHOLE": range(207)})

    path = write_xpt(frame, tmp_path / "x.xpt", name="DATA", label="Some data", labels={"N": "Number"})

    table, about = pyreadstat.read_xport(path)
    np.testing.assert_array_equal(table["N"], frame["N"].to_numpy())
    assert table["TEXT"].tolist() == frame["TEXT"].fill_null("").to_list()
    assert table["WHOLE"].tolist() == list(range(207))
    assert (about.table_name, about.file_label, about.column_names_to_labels["N"]) == ("DATA", "Some data", "Number")


def test_what_the_format_cannot_hold_is_refused_at_once(tmp_path):
    frame = pl.DataFrame({"MUCHTOOLONG": ["µg", "x" * 201]})

    with pytest.raises(SchemaError) as error:
        write_xpt(frame, tmp_path / "x.xpt", name="DATA", label="", labels={"MUCHTOOLONG": "y" * 41})

    assert str(error.value) == (
        "SAS transport file: name 'MUCHTOOLONG' has 11 characters; allowed 8; label of MUCHTOOLONG has 41 characters; "
        "allowed 40; a value of MUCHTOOLONG has 201 characters; allowed 200; 1 values of MUCHTOOLONG are not ASCII; the "
        "format has no other letters. Shorten or respell them, or use the CSV."
    )
    assert list(tmp_path.iterdir()) == []

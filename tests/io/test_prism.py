from __future__ import annotations

import csv

import polars as pl
import pytest

from il2cyto.errors import SchemaError
from il2cyto.io import write_prism

ROWS = [
    ("Treg", "P1", "W0", "placebo", 0.05),
    ("Treg", "P1", "W12", "placebo", 0.06),
    ("Treg", "P2", "W0", "=IL-2", 0.07),
    ("Treg", "P2", "W0", "=IL-2", 0.09),  # a replicate
    ("Treg", "P3", "W12", "=IL-2", float("nan")),
    ("Treg", "P4", "W0", None, 0.5),
]


@pytest.fixture
def frequencies():
    return pl.DataFrame(ROWS, schema=["population", "subject", "visit", "arm", "frequency"], orient="row")


def test_blocks_are_equally_wide_rows_are_visits_and_what_is_missing_is_blank(tmp_path, frequencies):
    path, _ = write_prism(frequencies, tmp_path, visits=["W0", "W6", "W12"], arms=["placebo", "=IL-2"])

    assert path.name == "Treg.csv"
    assert list(csv.reader(path.read_text().splitlines())) == [
        ["visit", "placebo", "placebo", "'=IL-2", "'=IL-2"],
        ["W0", "5", "", "8", ""],
        ["W12", "6", "", "", ""],
    ]


def test_the_key_says_which_column_is_which_subject(tmp_path, frequencies):
    *_, key = write_prism(frequencies, tmp_path, arms=["placebo", "=IL-2"])

    assert key.read_text() == "arm,column,subject\nplacebo,1,P1\n'=IL-2,1,P2\n'=IL-2,2,P3\n"


def test_a_missing_column_is_named(tmp_path, frequencies):
    with pytest.raises(SchemaError) as raised:
        write_prism(frequencies.drop("arm"), tmp_path)
    assert str(raised.value) == "write_prism: no column arm; needed are population, subject, visit, arm, frequency"

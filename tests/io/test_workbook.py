from __future__ import annotations

import polars as pl

from il2cyto.io import write_workbook

HOSTILE = ["=1+1", "http://x.example", "012", "<b>", "🧬"]


def tables() -> dict[str, pl.DataFrame]:
    return {
        "population_contrasts": pl.DataFrame(
            {"population": HOSTILE, "estimate": [0.5, None, float("nan"), -1.0, 2.0], "n": [1, 2, 3, 4, 5]}
        ),
        "a_table_with_a_name_longer_than_excel_allows": pl.DataFrame({"sample": ["S1"], "mine": [True]}),
        "failures": pl.DataFrame({"sample": []}, schema={"sample": pl.String}),
    }


def test_a_sheet_holds_the_tables_values_and_text_stays_text(tmp_path):
    path = write_workbook(tables(), tmp_path / "results.xlsx", title="Study =1")
    back = pl.read_excel(path, sheet_name="population_contrasts")

    assert back["population"].to_list() == HOSTILE
    assert back["estimate"].to_list() == [0.5, None, None, -1.0, 2.0]
    assert back["n"].to_list() == [1, 2, 3, 4, 5]


def test_the_readme_names_every_sheet_column_and_unit(tmp_path):
    path = write_workbook(tables(), tmp_path / "results.xlsx", title="Study", notes=["SIMULATED DATA"])
    readme = pl.read_excel(path, sheet_name="readme", has_header=False, drop_empty_rows=False)
    rows = [tuple("" if v is None else str(v) for v in row) for row in readme.rows()]

    assert rows[0][0] == "Study"
    assert rows[1][0] == "SIMULATED DATA"
    assert ("", "estimate", "as model", "", "estimated effect; log odds for frequencies") in rows
    assert ("a_table_with_a_name_longer_than", "", "", "1", "") in rows
    assert ("failures", "", "", "0", "no rows") in rows


def test_the_same_tables_give_the_same_bytes(tmp_path):
    first = write_workbook(tables(), tmp_path / "a.xlsx", title="Study").read_bytes()
    assert write_workbook(tables(), tmp_path / "b.xlsx", title="Study").read_bytes() == first

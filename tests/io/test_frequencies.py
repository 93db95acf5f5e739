"""Sheets of frequencies that somebody else measured."""

from __future__ import annotations

import pytest

from il2cyto import io
from il2cyto.errors import StudyError
from tests.analysis._data import trial


def test_counts_give_frequencies_and_flags_of_low_counts(tmp_path) -> None:
    path = tmp_path / "f.csv"
    path.write_text(
        "subject,visit,population,parent,count,parent_count\nA,W0,NK,lymph,19,100\nA,W2,NK,lymph,49,100\nA,W12,NK,lymph,50,100\n"
    )

    frame = io.read_frequencies(path, trial=trial())

    assert frame["frequency"].to_list() == [0.19, 0.49, 0.5]
    assert frame["flags"].to_list() == ["BELOW_DETECTION", "DETECTABLE", ""]
    assert frame["week"].to_list() == [0.0, 2.0, 12.0]


def test_every_problem_of_a_sheet_is_named_at_once(tmp_path) -> None:
    path = tmp_path / "f.csv"
    path.write_text(
        "subject,visit,week,arm,population,count,parent_count\n"
        "A,W0,0,placebo,NK,120,100\n"
        "A,W3,2,IL2,NK,5,100\n"
        "B,W0,1,placebo,NK,x,100\n"
        "B,W0,0,placebo,NK,5,100\n"
        ",W0,0,placebo,NK,5,100\n"
    )

    with pytest.raises(StudyError) as e:
        io.read_frequencies(path, trial=trial())

    assert str(e.value).splitlines() == [
        "f.csv:2: count: found 120, more than the 100 of parent_count",
        "f.csv:3: visit: 'W3' is not in the schedule; allowed W0, W2, W12; nearest W2",
        "f.csv:3: arm: 'IL2' is not in arms of the study; allowed placebo, IL-2; nearest IL-2",
        "f.csv:3: arm: found IL2 for subject 'A', but placebo in line 2",
        "f.csv:4: count: found 'x'; allowed a whole number or blank",
        "f.csv:4: week: found 1.0 for visit 'W0', but 0.0 in line 2",
        "f.csv:5: subject, visit, population and denominator stand in line 4 already; keep one row, or number replicates in a column replicate",
        "f.csv:6: subject: blank; fill it in",
    ]


def test_a_sheet_needs_a_frequency_or_both_counts(tmp_path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("subject,visit,population,count\nA,W0,NK,5\n")

    with pytest.raises(StudyError) as e:
        io.read_frequencies(path)

    assert str(e.value) == "f.csv: no column frequency, nor count and parent_count; add the one or both of the others"

from __future__ import annotations

import pytest

from il2cyto.errors import PanelError
from il2cyto.io import open_fcs
from il2cyto.panel import Panel, parse_label


@pytest.mark.parametrize(
    ("label", "markers"),
    [
        ("CD3 BV510", ("CD3",)),
        ("89Y_CD45", ("CD45",)),
        ("CD45RA", ("CD45RA",)),
        ("CD127 (IL-7Ra)", ("CD127",)),
        ("Live/Dead Aqua", ("viability",)),
        ("Zombie NIR", ("viability",)),
        ("Lineage-", ("lineage",)),
        ("HLADR", ("HLA-DR",)),
        ("CD16+56 PE", ("CD16", "CD56")),
        ("CD14 & CD19", ("CD14", "CD19")),
        ("CD56+IgK", ("CD56", "IgK")),
        ("CD19/TCRgd", ("CD19", "TCRgd")),
        ("PTPRC", ("CD45",)),
        ("FSC-Height", ()),
        ("hCD1d-PBS-57", ()),
        ("Patient 4", ()),
        ("", ()),
    ],
)
def test_a_label_gives_the_markers_it_names_and_no_others(label, markers):
    assert parse_label(label) == markers


def test_a_labs_own_spelling_wins_over_the_vocabulary():
    assert parse_label("CD3 old clone", {"cd3 OLD clone ": "CD8"}) == ("CD8",)
    assert parse_label("CD3", {"CD3": ""}) == ()
    assert parse_label("tube 7", {"Tube 7": "my marker"}) == ("my marker",)


def test_a_marker_of_its_own_is_preferred_to_a_shared_detector_and_the_area_to_the_height():
    panel = Panel.from_labels(["A-A", "B-A", "B-H", "C-A"], ["CD4+CD20", "CD4", "CD4", "CD8+IgL"])
    assert panel.require("CD4", file="f").name == "B-A"
    assert panel.require("CD20", file="f").name == "A-A"
    assert panel.require("CD8", file="f").name == "C-A"


@pytest.mark.parametrize(("names", "key", "found"), [(["FS", "SS"], "SSC-A", "SS"), (["FS INT LIN", "FS PEAK"], "FSC-H", "FS PEAK"), (["FSC-H", "SSC-H"], "FSC-A", None), (["SSC-A", "SSC-B-A"], "SSC-A", "SSC-A")])  # fmt: skip
def test_scatter_is_found_in_the_words_of_other_makers(names, key, found):
    channel = Panel.from_labels(names, [""] * len(names)).find(key)
    assert (channel.name if channel else None) == found


def test_an_absent_and_an_ambiguous_marker_are_named_with_the_remedy():
    panel = Panel.from_labels(["FL1", "FL2", "FL3"], ["CD3", "CD3", "CD127"])
    with pytest.raises(PanelError) as error:
        panel.require("CD3", file="x.fcs")
    assert str(error.value) == (
        "x.fcs: marker 'CD3' is on 2 channels (FL1, FL2); one is allowed. Name the others differently in the aliases table."
    )
    with pytest.raises(PanelError) as error:
        panel.require("CD128", file="x.fcs")
    assert str(error.value) == (
        "x.fcs: marker 'CD128' not found; nearest: CD127 on FL3, CD3 on FL2. Add the file's label to the aliases table."
    )
    with pytest.raises(PanelError) as error:
        panel.require_all(["CD4", "CD8", "CD127"], file="x.fcs")
    assert str(error.value) == (
        "x.fcs: markers 'CD4', 'CD8' not found; the file has CD127, CD3. Add the file's labels to the aliases table."
    )


def test_real_files_of_two_panels_resolve(shared):
    folder = shared / "data" / "raw_panels" / "sdy736_lsr2"
    for path in sorted(folder.rglob("*.fcs")):
        panel = open_fcs(path).panel()
        assert panel.find("CD3") is not None, path.name
        assert panel.find("CD4") is not None, path.name
        if path.name.startswith("Ki67"):
            assert panel.require("viability", file=path.name).label == "Live"

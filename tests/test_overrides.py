from __future__ import annotations

import numpy as np
import pytest

from il2cyto import cohort, datasets
from il2cyto._keys import Layers, Obsm
from il2cyto.errors import StudyError
from il2cyto.gt import Flag
from il2cyto.io import read_study

WHO = "who: a.meyer, why: PE drift after lamp change, when: '2025-11-03T09:20:00Z'"


def study(folder, lines):
    source = datasets.sample_data_path()
    text = (source / "study.yaml").read_text().replace("fcs/", f"{source}/fcs/")
    for name in ("samples.csv", "subjects.csv", "visits.csv", "adverse_events.csv"):
        text = text.replace(f" {name}", f" {source / name}")
    (folder / "overrides.yaml").write_text(
        "schema: il2cyto/gating-overrides/1\noverrides:\n" + "".join(f"- {{{line}}}\n" for line in lines)
    )
    (folder / "samples.csv").write_text((source / "samples.csv").read_text().replace("fcs/", f"{source}/fcs/"))
    text = text.replace(f"samples: {source / 'samples.csv'}", "samples: samples.csv")
    (folder / "study.yaml").write_text(text + "overrides: overrides.yaml\n")
    return read_study(folder / "study.yaml")


def test_an_override_moves_its_own_gate_and_what_hangs_from_it_and_nothing_else(tmp_path):
    base = cohort.gate_study(read_study(datasets.sample_data_path() / "study.yaml")).adata
    sample = base.obs_names[3]
    box = "[[0.0, 0.0], [0.5, 0.0], [0.5, 0.5], [0.0, 0.5]]"
    lines = [
        f"sample: {sample}, population: CD25pos, cut: 0.62, {WHO}",
        f"sample: {base.obs_names[5]}, population: singlets, polygon: {box}, {WHO}",
    ]
    moved = cohort.gate_study(study(tmp_path, lines)).adata
    changed = base.to_df(layer=Layers.COUNTS) != moved.to_df(layer=Layers.COUNTS)
    assert changed.index[changed.any(axis=1)].tolist() == [sample, base.obs_names[5]]
    assert set(changed.columns[changed.loc[sample]]) == {"CD25pos", "Treg"}
    assert moved.obsm[Obsm.CUTS].loc[sample, "CD25pos_CD25"] == 0.62
    assert moved.obsm[Obsm.CUTS].loc[sample, "Treg_x"] == 0.62  # the corner stands on it
    assert moved.obsm[Obsm.CUTS_RAW].equals(base.obsm[Obsm.CUTS_RAW])
    flags = moved.to_df(layer=Layers.FLAG).astype(int)
    assert flags.loc[sample, "Treg"] & Flag.MANUAL
    assert flags.loc[base.obs_names[5], "singlets"] & Flag.MANUAL
    assert np.count_nonzero(flags.to_numpy() & int(Flag.MANUAL)) == 3


def test_every_mistake_in_an_overrides_file_is_named_at_once(tmp_path):
    lines = [
        f"sample: SIM-001_W00, population: T, cut: 0.5, {WHO}",
        f"sample: SIM-001_W0, population: CD25poss, cut: 0.5, {WHO}",
        f"sample: SIM-001_W0, population: CD4, cut: 0.5, {WHO}",
        f"sample: SIM-001_W0, population: T, polygon: [[0, 0], [1, 0], [1, 1]], {WHO}",
        f"sample: SIM-001_W0, population: T, cut: 0.5, {WHO}",
    ]
    with pytest.raises(StudyError) as error:
        cohort.gate_study(study(tmp_path, lines))
    assert str(error.value) == (
        "overrides.yaml:3: overrides[0].sample: sample 'SIM-001_W00' is not in the study; nearest SIM-001_W0\n"
        "overrides.yaml:4: overrides[1].population: population 'CD25poss' is not in template tnk; nearest CD25pos\n"
        "overrides.yaml:5: overrides[2].cut: CD4 has no fitted cut on one channel; override the gate that has\n"
        "overrides.yaml:6: overrides[3].polygon: T is not gated on two channels; a polygon needs two\n"
        "overrides.yaml:7: overrides[4]: T of SIM-001_W0 is overridden twice, first by number 4; keep one"
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("cut: 0.5", "a cut or a polygon needs the population whose gate it is; accept_panel concerns the whole file and has none"),
        ("population: T, accept_panel: true", "accept_panel concerns the whole file and has none"),
        ("population: T", "give a cut, a polygon or accept_panel: true, exactly one of the three"),
        ("population: T, cut: 0.5, accept_panel: true", "exactly one of the three"),
        ("accept_panel: false", "accept_panel"),
    ],
)  # fmt: skip
def test_an_override_is_of_a_gate_or_of_a_panel(tmp_path, line, problem):
    with pytest.raises(StudyError) as error:
        cohort.gate_study(study(tmp_path, [f"sample: SIM-001_W0, {line}, {WHO}"]))
    assert problem in str(error.value)


def test_who_why_and_when_are_required(tmp_path):
    with pytest.raises(StudyError) as error:
        cohort.gate_study(study(tmp_path, ["sample: SIM-001_W0, population: T, cut: 0.5, who: x, when: yesterday"]))
    assert "overrides.yaml:3: overrides[0].why: " in str(error.value)
    assert "not a date and time" in str(error.value)

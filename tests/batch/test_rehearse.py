"""What would be gated, and why, before it is."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from il2cyto import pipeline
from il2cyto.io import find_template
from tests._runs import il2cyto

OVERRIDE = """\
schema: il2cyto/gating-overrides/1
overrides:
- {sample: SIM-001_W6, population: CD25pos, cut: 0.62, who: a.meyer, why: PE drift, when: '2025-11-03T09:20:00Z'}
"""
SAMPLES = ["SIM-001_W0", "SIM-001_W12", "SIM-001_W6", "SIM-002_W0"]


@pytest.fixture
def planned(study, tmp_path):
    """The step, and why for each sample."""

    def plan(**words):
        rows = pipeline.rehearse(study, tmp_path / "out", **words)
        (step,) = set(rows["step"]) or {""}
        return step, dict(rows.select("sample", "why").iter_rows())

    return plan


def test_a_rehearsal_says_what_would_be_gated_and_why_and_writes_nothing(study, tmp_path, planned):
    assert planned() == ("propose", dict.fromkeys(SAMPLES, "new, or not finished"))
    assert not (tmp_path / "out").exists()
    pipeline.gate(study, tmp_path / "out")
    assert planned() == ("", {})
    assert planned(events=True) == ("apply", dict.fromkeys(SAMPLES, "cut moved, or result missing"))
    (study.parent / "overrides.yaml").write_text(OVERRIDE)
    study.write_text(study.read_text() + "overrides: overrides.yaml\n")
    assert planned() == ("apply", {"SIM-001_W6": "override changed"})
    text = find_template("tnk", relative_to=study.parent).read_text()
    (study.parent / "edited.yaml").write_text(text.replace("nan: 50, warn: 200", "nan: 40, warn: 200"))
    study.write_text(study.read_text().replace("template: tnk", "template: edited.yaml"))
    assert planned() == ("propose", dict.fromkeys(SAMPLES, "template changed"))
    study.write_text(study.read_text().replace("template: edited.yaml", "template: tnk"))
    shutil.copy(study.parent / "SIM-001_W0.fcs", study.parent / "SIM-002_W0.fcs")
    assert planned() == ("propose", {"SIM-002_W0": "file changed"})


def test_the_command_line_prints_the_rehearsal(study, tmp_path):
    done = subprocess.run(
        il2cyto("gate", study, "--out", tmp_path / "out", "-n"), capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[0] == "propose        SIM-001_W0  SIM-001_W0.fcs: new, or not finished"
    assert done.stderr.splitlines()[-1] == "4 files to gate"
    assert not (tmp_path / "out").exists()

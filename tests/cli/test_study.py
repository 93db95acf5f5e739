from __future__ import annotations

from tests._runs import run


def test_check_names_a_missing_file_and_says_nothing_of_a_clean_study(batch):
    (batch / sorted(batch.glob("*.fcs"))[0].name).unlink()
    done = run("check", batch / "study.yaml")
    assert done.returncode == 1
    assert "error" in done.stdout
    assert "SIM-001_W0.fcs" in done.stdout

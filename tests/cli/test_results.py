from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import typer

from il2cyto.cli._results import analyse
from tests._runs import run


def test_verify_prints_the_head_and_finds_a_changed_result(batch):
    assert run("gate", batch / "study.yaml", "--out", batch / "out").returncode == 0
    good = run("verify", batch / "out")
    last = (batch / "out" / "run.jsonl").read_bytes().splitlines()[-1]
    assert (good.returncode, good.stdout) == (0, f"head {hashlib.sha256(last).hexdigest()}\n")
    (batch / "out" / "tables" / "cuts.csv").write_text("sample\n")
    bad = run("verify", batch / "out")
    assert bad.returncode == 1
    assert "tables/cuts.csv: not as the last run wrote it." in bad.stderr.splitlines()
    assert run("verify", batch).returncode == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({}, "give one of a folder of results, or --frequencies with --out"),
        ({"frequencies": Path("f.csv")}, "--frequencies needs --out, the folder for the results"),
        (
            {"folder": Path("results"), "control": "x"},
            "--out, --control and --primary belong to --frequencies; a folder's results stay in it",
        ),
    ],
)
def test_a_command_that_contradicts_itself_is_refused(words, message) -> None:
    with pytest.raises(typer.BadParameter) as e:
        analyse(**words)

    assert str(e.value) == message

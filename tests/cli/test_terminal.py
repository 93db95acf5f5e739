from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from il2cyto.cli import main
from il2cyto.cli._terminal import list_files, print_problems


def test_a_path_that_the_system_refuses_comes_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    said = {}
    for name, path in {"a file": tmp_path / "file", "nowhere": Path("/proc/none/results")}.items():
        monkeypatch.setattr("sys.argv", ["il2cyto", "simulate", "--subjects", "2", "--out", str(path)])
        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code == 2
        said[name] = capsys.readouterr().err

    assert said["a file"].startswith("il2cyto: file: ")
    assert said["a file"].endswith("Name a folder.\n")
    assert said["nowhere"].endswith("Check the path, and that its folder is there.\n")


def test_of_many_findings_that_differ_by_a_number_the_terminal_shows_the_first_and_counts_the_rest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [("warning", "W151", f"{i} events", "Look.", f"f{i}.fcs") for i in range(9)]
    columns = ["severity", "code", "message", "remedy", "file"]
    print_problems(pl.DataFrame([*rows, ("error", "E101", "gone", "Copy it.", "g.fcs")], schema=columns, orient="row"))

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7
    assert lines[5] == "warning W151 4 more findings of this kind. See them all with --json or --out."
    assert lines[6] == "error   E101 g.fcs: gone. Copy it."


def test_a_person_gets_a_line_a_folder_and_a_program_one_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [Path("out/results.h5ad"), Path("out/tables/a.csv"), Path("out/tables/b.csv"), Path("out/report.html")]

    list_files(files)
    assert capsys.readouterr().out.splitlines() == list(map(str, files))

    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    list_files(files)
    assert capsys.readouterr().out.splitlines() == ["out/tables/  2 files", "out/results.h5ad", "out/report.html"]

"""A small study as a lab has it, and ways to look at what a run left."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from il2cyto import datasets

if TYPE_CHECKING:
    from pathlib import Path


STUDY = """\
study: batch 7
samples: samples.csv
schedule:
- {visit: W0, week: 0, baseline: true}
- {visit: W6, week: 6}
- {visit: W12, week: 12}
panels: {tnk: {template: tnk}}
"""


def make_trial(folder: Path, n: int = 4) -> Path:
    """Copy files of the simulated trial, and write a sheet for them; gives the study file."""
    source = datasets.sample_data_path() / "fcs"
    folder.mkdir()
    for file in sorted(source.glob("*.fcs"))[:n]:
        shutil.copy(file, folder)
    write_sheet(folder, sorted(file.name for file in folder.glob("*.fcs")))
    (folder / "study.yaml").write_text(STUDY)
    return folder / "study.yaml"


def il2cyto(*words: object) -> list[str]:
    """The command line as a new process runs it."""
    return [sys.executable, "-m", "il2cyto.cli", *map(str, words)]


def run(*words: object) -> subprocess.CompletedProcess[str]:
    """Run the command line in a new process, and wait for it."""
    return subprocess.run(il2cyto(*words), capture_output=True, text=True, check=False, timeout=300)


def write_sheet(folder: Path, names: list[str]) -> None:
    rows = "\n".join(f"{name},{name[:7]},{name[8:].removesuffix('.fcs')}" for name in names)
    (folder / "samples.csv").write_text(f"file,subject,visit\n{rows}\n")


def outputs(folder: Path) -> dict[str, str]:
    """Name -> SHA-256 of everything in a folder of results but the shards and the record, which tells times."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "run.jsonl" and "shards" not in path.relative_to(folder).parts
    }


def shards(folder: Path, kind: str = "*") -> dict[str, int]:
    """Name -> time of writing of the whole shards."""
    return {path.name: path.stat().st_mtime_ns for path in folder.glob(f"shards/{kind}/*.json")}

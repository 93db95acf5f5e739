"""Strings that identify a patient are planted in FCS files; after a run they are searched in every byte it left."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np

from il2cyto.io import open_fcs, write_fcs
from tests._runs import il2cyto

TEMPLATE = """\
schema: il2cyto/gating-template/1
name: planted
version: "1.0"
requires: []
optional: [CD3, CD4]
transform: {default: {method: none}}
min_parent: {nan: 1, warn: 1}
populations:
- {name: all, parent: root, gate: {method: fixed, channel: FSC-A, at: 0, keep: above}}
- {name: bright, parent: all, if_missing: pass, endpoint: {denominators: [all]}, gate: {method: valley, channel: CD3, bounds: [0, 900], one_peak: {method: fixed, at: 300}}}
"""
STUDY = "study: planted\nsamples: samples.csv\npanels: {p: {template: template.yaml}}\n"
KEYWORDS = (
    *("$SRC", "$SMNO", "$COM", "$CELLS", "$EXP", "$OP", "$INST", "$PROJ", "$FIL", "$CYTSN", "$SYS", "$LAST_MODIFIER"),
    *("$PLATENAME", "$WELLID", "$DATE", "PATIENT ID", "SAMPLE ID", "TUBE NAME", "USER", "GUID", "FILENAME", "@COMMENT"),
)


def leaks(folder, streams, absent):
    """Each planted string with where it was found: in names and bytes of files, or in what was printed."""
    places = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    texts = {name: path.read_bytes() if path.is_file() else b"" for name, path in places.items()}
    texts |= {f"name {name}": name.encode() for name in places} | {f"stream {i}": s for i, s in enumerate(streams)}
    # Digits occur by chance inside longer numbers, and two or three letters in what is compressed or in base64.
    patterns = {
        text: re.compile(rb"\b%s\b" % text.encode() if text.isdigit() else re.escape(text.encode())) for text in absent
    }
    return [
        (text, name) for name, content in texts.items() for text, found in patterns.items() if found.search(content)
    ]


def run_all(folder, files):
    """Run everything on the files and on a broken copy of each; gives the streams."""
    for file in files:
        # Cut inside DATA, so that the reader stops with all keywords in hand.
        (folder / f"broken_{file.name}").write_bytes(file.read_bytes()[: open_fcs(file)._layout.begin + 5])
    names = sorted(path.name for path in folder.glob("*.fcs"))
    rows = "\n".join(f"{name},S{i},V1" for i, name in enumerate(names))
    (folder / "samples.csv").write_text(f"file,subject,visit\n{rows}\n")
    (folder / "study.yaml").write_text(STUDY)
    (folder / "template.yaml").write_text(TEMPLATE)
    streams = []
    for words in (
        ("check", folder / "study.yaml"),
        ("run", folder / "study.yaml", "--out", folder / "out", "--events"),
    ):
        done = subprocess.run(il2cyto(*words), capture_output=True, check=False)
        assert done.returncode == 1, done.stderr.decode()
        streams += [done.stdout, done.stderr]
    # Gated, but for the broken ones.
    assert len(list((folder / "out" / "events").glob("*.h5ad"))) == len(files)
    assert len(list((folder / "out" / "shards" / "apply").glob("*.json"))) == len(files)
    (folder / "template.yaml").write_text(TEMPLATE.replace("requires: []", "requires: [CD19]"))
    done = subprocess.run(
        il2cyto("gate", folder / "study.yaml", "--out", folder / "out"), capture_output=True, check=False
    )
    assert b"CD19" in done.stderr
    return [*streams, done.stdout, done.stderr]


def test_no_keyword_and_no_free_text_of_a_label_is_in_any_output_log_or_error(tmp_path):
    planted = {key: f"XQZWJ{i:02}DOE^JOHN" for i, key in enumerate(KEYWORDS)}
    events = np.random.default_rng(5).gamma(2.0, 100.0, (400, 3))
    labels = ("", "CD3 XQZWJDOE-LABEL", "XQZWJDOE-NO-MARKER")
    write_fcs(tmp_path / "a.fcs", events, names=("FSC-A", "BV421-A", "PE-A"), labels=labels, keywords=planted)
    assert b"XQZWJ21DOE^JOHN" in (tmp_path / "a.fcs").read_bytes()
    streams = run_all(tmp_path, [tmp_path / "a.fcs"])
    out = tmp_path / "out"
    assert leaks(out, streams, ["XQZWJ", "DOE^", "DOE-", "JOHN", str(tmp_path)]) == [
        # The command line prints where it wrote, as it was asked to; nothing that is kept names a folder.
        (str(tmp_path), f"stream {i}")
        for i, stream in enumerate(streams)
        if str(tmp_path).encode() in stream
    ]


def test_nothing_of_the_files_with_planted_patients_leaves_them(shared, tmp_path):
    manifest = json.loads((shared / "badfcs" / "manifest.json").read_text())
    entries = manifest if isinstance(manifest, list) else manifest["files"]
    absent = sorted({text for entry in entries for text in entry.get("absent") or ()})
    assert len(absent) >= 14
    files = [
        Path(shutil.copy(shared / "badfcs" / "files" / name, tmp_path))
        for name in ("phi_everywhere.fcs", "phi_hidden.fcs")
    ]
    streams = run_all(tmp_path, files)
    assert leaks(tmp_path / "out", streams, absent) == []


def test_the_search_finds_what_is_there(tmp_path):
    (tmp_path / "JOHN.txt").write_text("a DOE b 100123456 c 00123456")
    found = leaks(tmp_path, [b"Roe"], ["JOHN", "DOE", "Roe", "00123456", "1001"])
    assert sorted(found) == [
        ("00123456", "JOHN.txt"),
        ("DOE", "JOHN.txt"),
        ("JOHN", "name JOHN.txt"),
        ("Roe", "stream 0"),
    ]

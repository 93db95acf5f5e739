"""What il2cyto, FlowIO and FlowKit make of the same odd and real files, as a Markdown table.

Run as ``python benchmarks/corpus_table.py SHARED``; SHARED is the folder that holds badfcs/ and data/. For each file of badfcs the
manifest says what is right. A reader's own error counts where the manifest allows one; FlowIO and FlowKit flag nothing, and are
not asked to.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import signal
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

SECONDS = 20
READERS = ("il2cyto", "FlowIO", "FlowKit")
OUTCOMES = {
    "right": "right",
    "own error": "clear error on a readable file",
    "other error": "another exception",
    "wrong": "wrong values, or values of a file that has none",
    "slow": f"more than {SECONDS} s",
}


def read_il2cyto(path: Path) -> list[np.ndarray]:
    from il2cyto.io import open_fcs

    file = open_fcs(path)
    # The corpus asks for the error of an unusable matrix at the latest when the matrix is asked for.
    if path.parent.name == "files":
        with contextlib.suppress(KeyError):
            if ENTRIES[path.name]["group"] == "spill" and ENTRIES[path.name]["expect"] == "error":
                file.spillover()
    return [file.events(preprocess=False), file.events()]


def read_flowio(path: Path) -> list[np.ndarray]:
    import flowio

    file = flowio.FlowData(str(path))
    return [file.as_array(preprocess=False), file.as_array()]


def read_flowkit(path: Path) -> list[np.ndarray]:
    import flowkit

    events = flowkit.Sample(str(path)).get_events(source="raw")
    return [events, events]


def own_errors(reader: str) -> tuple[type[BaseException], ...]:
    if reader == "il2cyto":
        from il2cyto.errors import FcsError

        return (FcsError,)
    from flowio import exceptions as flowio_errors

    found = [e for e in vars(flowio_errors).values() if isinstance(e, type) and issubclass(e, Exception)]
    if reader == "FlowKit":
        from flowkit import exceptions as flowkit_errors

        found += [e for e in vars(flowkit_errors).values() if isinstance(e, type) and issubclass(e, Exception)]
    return tuple(found)


def attempt(reader: str, path: Path) -> list[np.ndarray] | str:
    """The values as stored and as scaled, or what came instead."""
    read = {"il2cyto": read_il2cyto, "FlowIO": read_flowio, "FlowKit": read_flowkit}[reader]
    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            return read(path)
    except TimeoutError:
        return "slow"
    except own_errors(reader):
        return "own error"
    except Exception:  # noqa: BLE001 - which exceptions come is the question
        return "other error"
    finally:
        signal.alarm(0)


def judge(entry: dict[str, Any], got: list[np.ndarray] | str) -> str:
    if isinstance(got, str):
        return "right" if got == "own error" and entry["expect"] in ("error", "either") else got
    if entry["expect"] == "error":
        return "wrong"
    return "right" if any(equals(entry, values) for values in got) else "wrong"


def equals(entry: dict[str, Any], values: np.ndarray) -> bool:
    values = np.asarray(values, dtype=np.float64)
    if list(values.shape) != entry["shape"]:
        return False
    if "raw_sha256" in entry:
        return hashlib.sha256(np.ascontiguousarray(values, "<f8").tobytes()).hexdigest() == entry["raw_sha256"]
    truths = [entry[key] for key in ("raw", "scaled") if key in entry]
    return not truths or any(
        np.allclose(values, np.array(t, dtype=np.float64).reshape(values.shape), rtol=1e-6, atol=0, equal_nan=True)
        for t in truths
    )


def real(got: list[np.ndarray] | str, ours: list[np.ndarray] | str) -> str:
    """Judge a real file, of which nobody knows the truth: read, and as il2cyto reads it, or not."""
    if isinstance(got, str):
        return "right" if got == "own error" and isinstance(ours, str) else got
    if isinstance(ours, str):
        return "wrong"
    same = got[0].shape == ours[0].shape and any(np.allclose(got[0], o, rtol=1e-6, equal_nan=True) for o in ours)
    return "right" if same else "wrong"


def table(shared: Path) -> str:
    paths = [
        path
        for folder in ("parser_zoo", "raw_panels", "gatingml")
        for path in sorted((shared / "data" / folder).rglob("*"))
        if path.suffix.lower() in (".fcs", ".lmd")
    ]
    ours = {path: attempt("il2cyto", path) for path in paths}
    odd = {r: Counter(judge(e, attempt(r, shared / "badfcs/files" / n)) for n, e in ENTRIES.items()) for r in READERS}
    zoo = {r: Counter(real(attempt(r, path), ours[path]) for path in paths) for r in READERS}
    lines = []
    for title, counts, n in (("odd files of the corpus", odd, len(ENTRIES)), ("real files", zoo, len(paths))):
        lines += [f"| {n} {title} | {' | '.join(READERS)} |", "|---|---:|---:|---:|"]
        lines += [f"| {says} | {' | '.join(str(counts[r][key]) for r in READERS)} |" for key, says in OUTCOMES.items()]
        lines.append("")
    return "\n".join(lines)


def _too_long(*_: object) -> None:
    raise TimeoutError


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    signal.signal(signal.SIGALRM, _too_long)
    listed = json.loads((folder / "badfcs/manifest.json").read_text())
    ENTRIES: dict[str, dict[str, Any]] = {entry["file"]: entry for entry in listed}
    print(table(folder))

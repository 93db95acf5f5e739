"""What a run writes into its record (run.jsonl): software, study, templates, overrides, inputs, failures, outputs."""

from __future__ import annotations

import os
import platform
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from il2cyto.io._provenance import file_digest, open_run_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from il2cyto.cohort import GatedStudy, Gates
    from il2cyto.io import RunRecord
    from il2cyto.study import Study

_PACKAGES = ("il2cyto", "numpy", "numba", "scipy", "anndata", "polars")
#: Who runs it, if the site wants that recorded: a name or a pseudonym.
USER_VARIABLE = "IL2CYTO_USER"
#: Where an analysis writes, and what gating has written there.
_ANALYSED = ("tables/", "figures/", "prism/")
_GATED = tuple(
    f"tables/{name}.csv"
    for name in ("frequencies", "cuts", "failures", "cut_drift", "control_cv", "gating_sensitivity")
)


@contextmanager
def record_run(
    study: Study, gates: Gates, folder: Path, *, file: Path, command: str, settings: Mapping[str, Any]
) -> Iterator[RunRecord]:
    """Open the record of a folder for one run: what it starts from is noted, and that it has ended.

    A run that does not come to its end leaves no ``end``. Neither absolute paths nor dates of patients are recorded.

    Raises
    ------
    RunError
        If another run is writing to the folder.
    """
    with open_run_record(folder) as record:
        _remove_drafts(folder)
        user = os.environ.get(USER_VARIABLE)
        record.add("start", {"command": command, "settings": dict(settings), **({"user": user} if user else {})})
        record.note("software", _software())
        tables = {path.name: file_digest(path) for path in (file, *_tables(study))}
        record.note("study", {"study": study.study, "files": tables})
        record.note("seeds", {"rule": "SHA-256 of file, population and template"})
        record.note("templates", _templates(gates))
        record.note("overrides", {"overrides": _overrides(gates)})
        yield record
        record.add("end", {"failed": len(record.last("failures")["failures"])})


def record_gating(record: RunRecord, study: Study, gated: GatedStudy) -> None:
    """Note the inputs with their SHA-256, and the files that failed."""
    files = {sample: Path(file).name for sample, file in study.sheet.select("sample", "file").iter_rows()}
    inputs = {sample: {"file": files[sample], "sha256": digest} for sample, digest in sorted(gated.inputs.items())}
    record.note("inputs", inputs)
    record.note("failures", {"failures": [asdict(failure) for failure in gated.failures]})


def record_outputs(record: RunRecord, folder: Path, files: Iterable[Path]) -> None:
    """Note the SHA-256 of what was written, and remove what an earlier run left that no longer belongs to these results.

    If all that was written is what it was before, other outputs of earlier runs (figures, say) belong to it and stay. Else they
    are removed; not those that somebody changed since.
    """
    written = {path.relative_to(folder).as_posix(): file_digest(path) for path in files if path.is_file()}
    before: Mapping[str, str] = record.last("outputs") or {}
    others = {name: digest for name, digest in before.items() if name not in written}
    if not all(before.get(name, digest) == digest for name, digest in written.items()):
        for name, digest in others.items():
            path = folder / name
            if path.is_file() and file_digest(path) == digest:
                path.unlink()
        others = {}
    record.note("outputs", dict(sorted({**others, **written}.items())))


@contextmanager
def record_analysis(folder: Path, *, study: Path | None) -> Iterator[list[Path]]:
    """Record that results were analysed again: fill the list with what was written.

    What the last run gated stays as it is on record. Tables and figures of the last analysis that this one has not are removed, if
    nobody changed them since.
    """
    with open_run_record(folder) as record:
        tables = {} if study is None else {study.name: file_digest(study)}
        record.add("start", {"command": "analyse", "settings": {}, "files": tables})
        files: list[Path] = []
        yield files
        written = {path.relative_to(folder).as_posix(): file_digest(path) for path in files}
        before: dict[str, str] = dict(record.last("outputs") or {})
        for name in [n for n in before if n not in written and n.startswith(_ANALYSED) and n not in _GATED]:
            path = folder / name
            if path.is_file() and file_digest(path) == before[name]:
                path.unlink()
                del before[name]
        record.note("outputs", dict(sorted({**before, **written}.items())))
        record.add("end", {"failed": 0})


def why(last: Mapping[str, Any], gates: Gates, panel: str, stage: str, sample: str, *, known: bool) -> str:
    """Say why a file has to be gated, by what the record of the last run says.

    Parameters
    ----------
    last
        From :func:`il2cyto.io.read_run_record`.
    known
        Whether the file is as it was when it was last read.
    """
    if sample not in last.get("inputs", {}):
        return "new, or not finished"
    if not known:
        return "file changed"
    if last.get("templates", {}).get(panel) != _templates(gates)[panel]:
        return "template changed"
    if last.get("software") != _software():
        return "software changed"
    of_sample = [override for override in _overrides(gates) if override["sample"] == sample]
    before = [override for override in last["overrides"]["overrides"] if override["sample"] == sample]
    if of_sample != before:
        return "override changed"
    return "settings changed" if stage in ("propose", "look") else "cut moved, or result missing"


def _software() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES}


def _overrides(gates: Gates) -> list[dict[str, Any]]:
    return [override.model_dump(mode="json", exclude_none=True) for override in gates.overrides]


def _templates(gates: Gates) -> dict[str, dict[str, str]]:
    return {
        panel: {"name": template.name, "version": template.version, "sha256": template.digest}
        for panel, template in gates.templates.items()
    }


def _tables(study: Study) -> list[Path]:
    """The tables that the study names."""
    clinical = (study.clinical.visits, study.clinical.adverse_events) if study.clinical is not None else ()
    named = (study.samples, study.subjects, study.aliases, study.overrides, *clinical)
    return [study.path(name) for name in named if name is not None]


def _remove_drafts(folder: Path) -> None:
    """Remove what a killed run had begun to write."""
    for draft in folder.rglob(".*.tmp-*"):
        if draft.is_file():
            draft.unlink(missing_ok=True)

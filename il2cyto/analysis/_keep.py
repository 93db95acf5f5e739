"""What an analysis needs beside the cohort objects, kept in the folder of results so that it can be done again from there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from il2cyto.errors import StudyError
from il2cyto.io import ClinicalData, write_parquet
from il2cyto.io._atomic import replacing
from il2cyto.study import Trial, TrialFile

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER: Final = "inputs"
_TABLES: Final = ("subjects", "visits", "adverse_events", "queries")


def keep_inputs(folder: Path, trial: TrialFile, clinical: ClinicalData | None) -> Iterator[Path]:
    """Write ``inputs/``: the study file's trial as ``trial.json``, and the clinical tables as they were read.

    Parameters
    ----------
    folder
        The folder of results.
    trial
        The study. Of the paths in it only the names of the files are kept.
    clinical
        Its clinical tables.

    Yields
    ------
    The files.
    """
    inputs = folder / FOLDER
    stated = TrialFile.model_construct(**{name: getattr(trial, name) for name in TrialFile.model_fields})
    tables = {} if clinical is None else {name: getattr(clinical, name) for name in _TABLES}
    for path in inputs.glob("*.parquet"):
        path.unlink()
    with replacing(inputs / "trial.json") as draft:
        draft.write_text(_nameless(stated).model_dump_json(indent=1, exclude_defaults=True) + "\n", "utf-8")
    yield inputs / "trial.json"
    for name, table in tables.items():
        if table is not None:
            yield write_parquet(table, inputs / f"{name}.parquet")


def kept_inputs(folder: Path) -> tuple[Trial | None, ClinicalData | None]:
    """Read ``inputs/`` back: the trial and the clinical tables, None where there are none.

    Raises
    ------
    StudyError
        ``trial.json`` is not what :func:`keep_inputs` writes.
    """
    inputs = folder / FOLDER
    if not (inputs / "trial.json").is_file():
        return None, None
    try:
        stated = TrialFile.model_validate_json((inputs / "trial.json").read_text("utf-8"))
    except ValueError:
        msg = f"{FOLDER}/trial.json: damaged; give the study file itself: il2cyto analyse {folder.name} --study study.yaml"
        raise StudyError(msg) from None
    tables = {name: pl.read_parquet(path) for name in _TABLES if (path := inputs / f"{name}.parquet").is_file()}
    trial = Trial(
        **{name: getattr(stated, name) for name in TrialFile.model_fields},
        folder=inputs,
        subject_sheet=tables.get("subjects"),
    )
    if not tables:
        return trial, None
    return trial, ClinicalData(
        subjects=tables.get("subjects"),
        visits=tables.get("visits"),
        adverse_events=tables.get("adverse_events"),
        notices=(),
        queries=tables["queries"],
    )


def _nameless(trial: TrialFile) -> TrialFile:
    """Keep names of files, not their folders: results are passed on."""
    clinical = trial.clinical
    if clinical is not None:
        names = {
            key: Path(path.name) for key in ("visits", "adverse_events") if (path := getattr(clinical, key)) is not None
        }
        clinical = clinical.model_copy(update=names)
    subjects = Path(trial.subjects.name) if trial.subjects is not None else None
    return trial.model_copy(update={"clinical": clinical, "subjects": subjects})

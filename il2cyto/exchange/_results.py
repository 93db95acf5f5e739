"""The cohort objects of a folder of results: all that an export may read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from il2cyto.errors import StudyError
from il2cyto.io import read_anndata

if TYPE_CHECKING:
    from anndata import AnnData


def read_cohorts(source: str | Path) -> dict[str, AnnData]:
    """Read ``results.h5ad`` or each ``results-<panel>.h5ad`` of a folder, or one such file.

    Returns
    -------
    Panel -> cohort object; with one panel the key is the file's stem.

    Raises
    ------
    StudyError
        If the folder holds no results.
    """
    source = Path(source)
    paths = sorted(source.glob("results*.h5ad")) if source.is_dir() else [source]
    if not paths:
        msg = f"{source.name}: no results.h5ad; name the folder that `il2cyto gate` wrote, or a study.yaml"
        raise StudyError(msg)
    return {path.stem.partition("-")[2] or path.stem: read_anndata(path) for path in paths}

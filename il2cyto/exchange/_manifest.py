"""What a folder of results holds: each file with its size and SHA-256, for whoever receives it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from il2cyto import __version__
from il2cyto._keys import Uns
from il2cyto.exchange._cdisc_cp import study_id
from il2cyto.io._atomic import replacing
from il2cyto.io._provenance import file_digest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from anndata import AnnData

_LIST: Final = "manifest-sha256.txt"
_ABOUT: Final = "manifest.json"
_CONTENT: Final = {
    ".h5ad": "AnnData object, docs/schema.md",
    ".csv": "table",
    ".parquet": "table",
    ".xlsx": "workbook",
    ".npz": "binned densities for review",
    ".svg": "figure",
    ".pdf": "figure",
    ".png": "figure",
    ".html": "report",
    ".xml": "gates, Gating-ML 2.0",
    ".xpt": "SAS transport file",
    ".json": "description",
    ".jsonl": "record of runs",
}


def export_manifest(results: Path, cohorts: Mapping[str, AnnData], out: Path) -> tuple[Path, ...]:
    """Write ``manifest-sha256.txt``, which ``sha256sum -c`` checks from within the folder, and ``manifest.json``.

    Hidden files and earlier manifests are left out.
    """
    paths = sorted(p for p in results.rglob("*") if p.is_file() and not _is_left_out(p.relative_to(results)))
    rows = [{"path": p.relative_to(results).as_posix(), "bytes": p.stat().st_size, "sha256": file_digest(p),
             "content": _CONTENT.get(p.suffix, "other")} for p in paths]  # fmt: skip
    first = next(iter(cohorts.values()))
    about = {
        "study": study_id(first),
        "simulated": bool(first.uns[Uns.IL2CYTO][Uns.SIMULATED]),
        "il2cyto": __version__,
        "schema": str(first.uns[Uns.IL2CYTO][Uns.VERSION]),
        "panels": {panel: dict(sorted(_template(adata).items())) for panel, adata in cohorts.items()},
        "files": rows,
    }
    with replacing(out / _LIST) as draft:
        draft.write_text("".join(f"{row['sha256']}  {row['path']}\n" for row in rows), encoding="utf-8")
    with replacing(out / _ABOUT) as draft:
        draft.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return out / _LIST, out / _ABOUT


def _is_left_out(path: Path) -> bool:
    return path.name in (_LIST, _ABOUT) or any(part.startswith(".") for part in path.parts)


def _template(adata: AnnData) -> dict[str, str]:
    template = adata.uns[Uns.IL2CYTO].get(Uns.TEMPLATE, {})
    return {key: str(template[key]) for key in ("name", "version", "sha256") if key in template}

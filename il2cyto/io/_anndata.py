"""AnnData files that are either whole or not there.

anndata's own writer truncates the old file first, so that a run killed while writing loses both. Here the new file is made in
memory, as HDF5 can crash Python where the disk is full, written beside the old one, flushed to the disk, and put in its place
in one step.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from il2cyto._keys import Obs, Obsm, Uns
from il2cyto.errors import SchemaError
from il2cyto.io._atomic import replacing
from il2cyto.io._writable import in_order, refuse_unwritable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    import numpy.typing as npt
    from anndata import AnnData

    from il2cyto.template import GatingTemplate


def write_anndata(adata: AnnData, path: str | Path) -> Path:
    """Write an object as ``.h5ad`` or ``.zarr``, replacing what was there in one step.

    Parameters
    ----------
    adata
        Any AnnData.
    path
        Where to; the ending decides the format. Missing folders are made.

    Returns
    -------
    The path.

    Raises
    ------
    SchemaError
        If the ending is neither, or something in the object cannot be written: all of it, with what to do.
    """
    path = Path(path)
    if path.suffix not in (".h5ad", ".zarr"):
        msg = f"{path.name}: unknown ending {path.suffix!r}; allowed are .h5ad and .zarr"
        raise SchemaError(msg)
    refuse_unwritable(adata, name=path.name)
    if path.suffix == ".h5ad":
        image = _hdf5_image(in_order(adata))
        with replacing(path) as draft:
            draft.write_bytes(image)
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.stem}.tmp-{os.getpid()}{path.suffix}")
    try:
        _write_zarr(in_order(adata), draft)
        shutil.rmtree(path, ignore_errors=True)  # a folder cannot be replaced in one step
        draft.rename(path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return path


def read_anndata(path: str | Path) -> AnnData:
    """Read an ``.h5ad`` or ``.zarr`` that il2cyto wrote.

    Raises
    ------
    SchemaError
        If there is no such file, or it is no AnnData; if the object does not say which schema it follows, follows a newer major version than this il2cyto knows, or
        breaks the schema (see :func:`validate`); or if the file points at other files.
    """
    import anndata

    from il2cyto.io._validate import validate

    path = Path(path)
    if not path.exists():
        msg = f"{path.name}: no such file; name the results.h5ad of a run"
        raise SchemaError(msg)
    if path.suffix != ".zarr":
        _refuse_links(path)
    adata = anndata.read_zarr(path) if path.suffix == ".zarr" else anndata.read_h5ad(path)
    _check_version(adata, path.name)
    validate(adata, name=path.name)
    return adata


def write_events(
    fcs: str | Path,
    path: str | Path,
    *,
    sample: str,
    batch: str | None,
    template: GatingTemplate,
    masks: Mapping[str, npt.NDArray[np.bool_]],
    shard: str,
) -> Path:
    """Write one file's events with their gates: ``obsm["gating"]``, one column per reported population, events in file order.

    Parameters
    ----------
    fcs
        The FCS file.
    path
        The ``.h5ad`` to write.
    sample, batch
        For obs.
    template
        The template that was applied.
    masks
        Population -> membership, one boolean per event of the file.
    shard
        Name of the shard with the counts, which says what the gates depend on; kept in the provenance.

    Returns
    -------
    The path.
    """
    import numpy as np
    import pandas as pd
    from scipy.sparse import csr_matrix

    from il2cyto.io._fcs import read_fcs

    adata = read_fcs(fcs)
    names = list(masks)
    adata.obs_names = pd.Index([f"{sample}-{i}" for i in range(adata.n_obs)])
    adata.obs[Obs.SAMPLE] = pd.Categorical([sample] * adata.n_obs)
    if batch is not None:
        adata.obs[Obs.BATCH] = pd.Categorical([batch] * adata.n_obs)
    gating = np.column_stack([masks[name] for name in names]) if names else np.zeros((adata.n_obs, 0), dtype=np.bool_)
    adata.obsm[Obsm.GATING] = csr_matrix(gating)
    adata.uns[Uns.GATING_COLS] = np.array(names, dtype=str)
    il2cyto: dict[str, Any] = adata.uns[Uns.IL2CYTO]
    il2cyto[Uns.TEMPLATE] = {"name": template.name, "version": template.version, "sha256": template.digest}
    paths = [template.path(name) for name in names]
    il2cyto[Uns.POPULATIONS] = pd.DataFrame({"name": names, "path": paths}, dtype="str")
    il2cyto[Uns.PROVENANCE] = json.dumps({"batch": batch, "shard": shard, "template": template.digest}, sort_keys=True)
    return write_anndata(adata, path)


def read_events_provenance(path: str | Path) -> dict[str, Any]:
    """What an events file says it was made from, without reading the events; empty if it is absent or not one."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            text = file[f"uns/{Uns.IL2CYTO}/{Uns.PROVENANCE}"][()]
    except (OSError, KeyError):
        return {}
    provenance: dict[str, Any] = json.loads(text)
    return provenance


def _hdf5_image(adata: AnnData) -> bytes:
    """Make the bytes of an ``.h5ad``."""
    import anndata
    import h5py

    adata.strings_to_categoricals()  # as anndata's own writer does
    # HDF5 knows open files by their names, in memory too: threads need different ones.
    with h5py.File(secrets.token_hex(16), "w", driver="core", backing_store=False) as file:
        anndata.io.write_elem(file, "/", adata)
        file.flush()
        image: bytes = file.id.get_file_image()
    return image


def _write_zarr(adata: AnnData, path: Path) -> None:
    import warnings

    with warnings.catch_warnings():
        # anndata 0.12 announces the coming default of zarr 3; both are read.
        warnings.simplefilter("ignore", UserWarning)
        adata.write_zarr(path)


def _check_version(adata: AnnData, name: str) -> None:
    version = str(adata.uns.get(Uns.IL2CYTO, {}).get(Uns.VERSION, ""))
    if not version:
        msg = f"{name}: no uns['{Uns.IL2CYTO}']['{Uns.VERSION}']; this is not an il2cyto object"
        raise SchemaError(msg)
    if int(version.split(".")[0]) > 1:
        msg = f"{name} has schema {version}, this il2cyto reads up to 1; update il2cyto"
        raise SchemaError(msg)


def _refuse_links(path: Path) -> None:
    """Refuse an HDF5 file of which a part lies in another file, or which points at a part of itself twice."""
    import h5py

    def links(group: h5py.Group, place: str) -> Iterator[str]:
        for key in group:
            link = group.get(key, getlink=True)
            if not isinstance(link, h5py.HardLink):
                yield f"{place}/{key}"
            elif isinstance(group[key], h5py.Group):
                yield from links(group[key], f"{place}/{key}")

    if not h5py.is_hdf5(path):
        msg = f"{path.name}: not an .h5ad; name the results.h5ad of a run, or a .zarr"
        raise SchemaError(msg)
    with h5py.File(path) as file:
        found = list(links(file, ""))
    if found:
        msg = f"{path.name}: found links at {', '.join(found)}; allowed: data in the file itself; write it with il2cyto"
        raise SchemaError(msg)

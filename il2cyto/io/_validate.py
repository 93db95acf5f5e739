"""Whether an AnnData object follows the schema (docs/schema.md): every problem at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from il2cyto._keys import SCHEMA_VERSION, Layers, Obs, Obsm, Uns, Var
from il2cyto.errors import SchemaError
from il2cyto.io._laws import SchemaProblem as SchemaProblem, broken_laws

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData

_FLOATS: Final = "float64"
_CATEGORY: Final = "category"

#: Type of each key of the cohort where it is there; keys that are not listed are the user's own.
LAYERS: Final = {
    Layers.COUNTS: _FLOATS,
    Layers.PARENT_COUNTS: _FLOATS,
    Layers.CUT_LOW: _FLOATS,
    Layers.CUT_HIGH: _FLOATS,
    Layers.FREQ_OF_TOTAL: _FLOATS,
    Layers.CELLS_PER_UL: _FLOATS,
    Layers.FLAG: "int32",
}
OBS: Final = {
    Obs.SUBJECT: _CATEGORY,
    Obs.VISIT: "ordered category",
    Obs.WEEK: _FLOATS,
    Obs.STUDY_DAY: "Int64",
    Obs.BASELINE: "bool",
    Obs.N_EVENTS: "int64",
    Obs.N_LIVE: "Int64",
    **dict.fromkeys((Obs.VIABILITY, Obs.MARGIN, Obs.DOUBLETS, Obs.ANOMALOUS), _FLOATS),
    Obs.QC_PASS: "bool",
    Obs.CONTROL: "bool",
    **dict.fromkeys((Obs.ITT, Obs.MITT, Obs.SAFETY, Obs.RESPONDER, Obs.SRI4, Obs.LLDAS, Obs.DORIS), "boolean"),
    **dict.fromkeys((Obs.ARM, Obs.PERIOD, Obs.BATCH, Obs.SITE, Obs.CYTOMETER, Obs.PANEL), _CATEGORY),
    **dict.fromkeys((Obs.COMPENSATION, Obs.QC_REASONS, Obs.FILE, Obs.FILE_SHA256, Obs.RESPONSE), _CATEGORY),
}
VAR: Final = {
    Var.DEPTH: "int64",
    Var.LEAF: "bool",
    Var.REPORT_ORDER: "int64",
    **dict.fromkeys((Var.PARENT, Var.PATH, Var.LABEL, Var.PHENOTYPE, Var.MARKERS, Var.DENOMINATORS), _CATEGORY),
    **dict.fromkeys((Var.GATE_TYPE, Var.ROLE, Var.PANEL, Var.CELL_ONTOLOGY_ID, Var.FEATURE_TYPE), _CATEGORY),
}
#: What every function of `get`, `tl` and `pl` may count on.
REQUIRED: Final = {
    "layers": (Layers.COUNTS, Layers.PARENT_COUNTS, Layers.FLAG),
    "obs": (Obs.SUBJECT, Obs.VISIT, Obs.PANEL),
    "var": (Var.PARENT, Var.PATH),
}
REQUIRED_UNS: Final = (Uns.VERSION, Uns.OBJECT, Uns.X, Uns.UNIT, Uns.TOTAL, Uns.SIMULATED, Uns.FLAGS)
_CUT_FRAMES: Final = {Obsm.CUTS: _FLOATS, Obsm.CUTS_RAW: _FLOATS, Obsm.CUTS_SPREAD: _FLOATS, Obsm.CUT_FLAG: "int32"}


def validate(adata: AnnData, *, name: str = "object") -> None:
    """Check an object against the schema: its keys, their types, and the laws that tie counts, fractions and flags.

    Parameters
    ----------
    adata
        A cohort or an events object. Keys that the schema does not know are left alone.
    name
        What the message calls it, such as a file's name.

    Raises
    ------
    SchemaError
        With every problem: slot and key, what was found, what is allowed, what to do.

    Examples
    --------
    >>> from il2cyto import datasets, io
    >>> adata = datasets.toy_trial(subjects=2)
    >>> io.validate(adata)
    >>> adata.layers["counts"][0, 0] += 1
    >>> len(io.schema_problems(adata))
    2
    """
    problems = schema_problems(adata)
    if problems:
        lines = "".join(f"\n- {problem}" for problem in problems)
        msg = f"{name} does not follow il2cyto's schema {SCHEMA_VERSION}:{lines}"
        raise SchemaError(msg)


def schema_problems(adata: AnnData) -> tuple[SchemaProblem, ...]:
    """List what :func:`validate` would raise; empty for a valid object."""
    facts = getattr(adata, "uns", {}).get(Uns.IL2CYTO)
    if not isinstance(facts, Mapping):
        found_instead = "nothing" if hasattr(adata, "uns") else f"a {type(adata).__name__}, which is no AnnData"
        remedy = "make the object with il2cyto.cohort or read_fcs"
        return (SchemaProblem("uns", Uns.IL2CYTO, found_instead, "a dict", remedy),)
    found = list(_version_problems(facts))
    if found:
        return tuple(found)
    if facts.get(Uns.OBJECT) == "events":
        return tuple(_events_problems(adata))
    found = [*_missing_keys(adata), *_wrong_types(adata), *_names(adata), *_cut_frames(adata)]
    # The laws compare whole layers: they say nothing sensible of an object that lacks some.
    return tuple(found) if found else tuple(broken_laws(adata))


def _version_problems(facts: Mapping[str, Any]) -> Iterator[SchemaProblem]:
    place, version = f"uns['{Uns.IL2CYTO}']", str(facts.get(Uns.VERSION, ""))
    major = version.partition(".")[0]
    ours = SCHEMA_VERSION.partition(".")[0]
    if not version:
        yield SchemaProblem(place, Uns.VERSION, "nothing", "major.minor", "this is not an il2cyto object")
    elif not major.isdecimal() or int(major) > int(ours):
        yield SchemaProblem(place, Uns.VERSION, version, f"up to {ours}", "update il2cyto")
    elif facts.get(Uns.OBJECT) not in ("cohort", "events"):
        yield SchemaProblem(place, Uns.OBJECT, repr(facts.get(Uns.OBJECT)), "cohort, events", "name what it is")


def _missing_keys(adata: AnnData) -> Iterator[SchemaProblem]:
    there: dict[str, Any] = {"layers": adata.layers, "obs": adata.obs, "var": adata.var}
    for slot, keys in REQUIRED.items():
        for key in keys:
            if key not in there[slot]:
                yield SchemaProblem(slot, key, "nothing", "required", "gate the study again")
    for key in REQUIRED_UNS:
        if key not in adata.uns[Uns.IL2CYTO]:
            yield SchemaProblem(f"uns['{Uns.IL2CYTO}']", key, "nothing", "required", "gate the study again")


def _wrong_types(adata: AnnData) -> Iterator[SchemaProblem]:
    if adata.X is None or adata.X.dtype != np.float64:
        found = "nothing" if adata.X is None else str(adata.X.dtype)
        yield SchemaProblem("X", "", found, _FLOATS, "convert it; a fraction needs all its digits")
    for slot, content, types in (
        ("layers", adata.layers, LAYERS),
        ("obs", adata.obs, OBS),
        ("var", adata.var, VAR),
    ):
        for key, allowed in types.items():
            found = _kind(content[key]) if key in content else allowed
            if found != allowed and not (found == "ordered category" and allowed == _CATEGORY):
                ordered = "make it a pandas.Categorical with its categories in order and ordered=True"
                remedy = (
                    ordered
                    if allowed == "ordered category"
                    else "convert the column"
                    if slot != "layers"
                    else "convert it"
                )
                yield SchemaProblem(slot, key, found, allowed, remedy)


def _kind(values: Any) -> str:
    if isinstance(values.dtype, pd.CategoricalDtype):
        return "ordered category" if values.dtype.ordered else _CATEGORY
    return str(values.dtype)


def _names(adata: AnnData) -> Iterator[SchemaProblem]:
    for slot, index in (("obs", adata.obs_names), ("var", adata.var_names)):
        twice = index[index.duplicated()].unique()
        if len(twice):
            remedy = "name each once; a subject's replicates are samples of their own"
            yield SchemaProblem(slot, "", f"{len(twice)} names twice, first {twice[0]}", "different names", remedy)


def _cut_frames(adata: AnnData) -> Iterator[SchemaProblem]:
    there = {key: adata.obsm[key] for key in _CUT_FRAMES if key in adata.obsm}
    legend = adata.uns[Uns.IL2CYTO].get(Uns.CUTS)
    for key, frame in there.items():
        if not isinstance(frame, pd.DataFrame):
            yield SchemaProblem("obsm", key, type(frame).__name__, "a frame with a column per cut", "name the columns")
            continue
        other = sorted({str(kind) for kind in frame.dtypes} - {_CUT_FRAMES[key]})
        if other:
            yield SchemaProblem("obsm", key, ", ".join(other), _CUT_FRAMES[key], "convert its columns")
        unknown = [name for name in frame.columns if legend is None or name not in legend.index]
        if unknown:
            allowed = f"columns that uns['{Uns.IL2CYTO}']['{Uns.CUTS}'] describes"
            yield SchemaProblem("obsm", key, ", ".join(unknown), allowed, "add their rows")
    missing = [key for key in _CUT_FRAMES if key not in there]
    if there and missing:
        yield SchemaProblem("obsm", ", ".join(missing), "nothing", "all four frames of the cuts, or none", "add them")


def _events_problems(adata: AnnData) -> Iterator[SchemaProblem]:
    for key in (Var.N, Var.CHANNEL, Var.MARKER):
        if key not in adata.var:
            yield SchemaProblem("var", key, "nothing", "required", "read the file again with il2cyto.io.read_fcs")
    if Obsm.GATING in adata.obsm:
        columns, names = adata.obsm[Obsm.GATING].shape[1], len(adata.uns.get(Uns.GATING_COLS, ()))
        if columns != names:
            found = f"{columns} columns, {names} names"
            yield SchemaProblem(
                "obsm", Obsm.GATING, found, "a name in uns['gating_cols'] for each", "gate the file again"
            )

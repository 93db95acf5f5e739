"""A folder of results in the form that somebody else wants."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from il2cyto.errors import StudyError
from il2cyto.exchange._cdisc import export_cdisc
from il2cyto.exchange._gates import export_gates
from il2cyto.exchange._manifest import export_manifest
from il2cyto.exchange._miflowcyt import export_miflowcyt
from il2cyto.exchange._results import read_cohorts
from il2cyto.exchange._tables import export_flowjo, export_immport, export_prism
from il2cyto.io import read_study

Target: TypeAlias = Literal["cdisc", "flowjo", "gatingml", "immport", "manifest", "miflowcyt", "prism"]
TARGETS: tuple[Target, ...] = get_args(Target)


@dataclass(frozen=True)
class Export:
    """What an export wrote, and what its reader should know of it: broken rules, items to add, gates left out."""

    files: tuple[Path, ...]
    notices: tuple[str, ...] = ()


def export(
    results: str | Path,
    target: Target,
    out: str | Path | None = None,
    *,
    study: str | Path | None = None,
    terms: str | Path | None = None,
) -> Export:
    """Write a folder of results in another form. No FCS file is read, and no date is written.

    Parameters
    ----------
    results
        The folder that `il2cyto gate` or `il2cyto run` wrote.
    target
        ``cdisc``: SDTM CP and SUPPCP, and an analysis data set ADCP, as CSV, parquet and XPT, with ``define.json`` and
        ``violations.csv``. ``prism``: grouped tables. ``flowjo``: a table like FlowJo's. ``immport``: the template
        FCM_Derived_data. ``gatingml``: the gates of each sample. ``miflowcyt``: the experiment in the standard's four
        parts. ``manifest``: checksums of the folder.
    out
        Where to; ``<results>/export/<target>`` if None, for the manifest the results themselves.
    study
        ``study.yaml``: adds study days, analysis sets, arms as treated (cdisc) and labels (miflowcyt).
    terms
        For cdisc: CSV with names of further populations.

    Returns
    -------
    The files, and notices for a person.

    Raises
    ------
    StudyError
        There are no results in the folder, or no such target.

    Examples
    --------
    >>> import tempfile
    >>> from il2cyto import datasets, exchange, io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     results = io.write_anndata(datasets.toy_trial(subjects=2), f"{folder}/results.h5ad")
    ...     [path.name for path in exchange.export(folder, "immport").files]
    ['FCM_Derived_data.txt']
    """
    results = Path(results)
    if target not in TARGETS:
        msg = f"export: no target {target!r}; allowed are {', '.join(TARGETS)}"
        raise StudyError(msg)
    default = results if target == "manifest" else (results if results.is_dir() else results.parent) / "export" / target
    out = default if out is None else Path(out)
    if target == "gatingml":
        exported = export_gates(results, out)
        return Export(
            exported.files, tuple(f"{sample}: without {', '.join(names)}" for sample, names in exported.omitted.items())
        )
    cohorts = read_cohorts(results)
    known = None if study is None else read_study(study)
    match target:
        case "cdisc":
            return Export(*export_cdisc(cohorts, out, study=known, terms=terms))
        case "miflowcyt":
            return Export(*export_miflowcyt(cohorts, out, study=known))
        case "manifest":
            return Export(export_manifest(results, cohorts, out))
        case "prism":
            return Export(export_prism(cohorts, out))
        case "flowjo":
            return Export(export_flowjo(cohorts, out))
        case "immport":
            return Export(export_immport(cohorts, out))

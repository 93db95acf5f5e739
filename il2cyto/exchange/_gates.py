"""The gates of a run as Gating-ML 2.0, the final cuts of each sample in them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from il2cyto import get
from il2cyto._keys import Obs, Obsm, Uns
from il2cyto.errors import SchemaError
from il2cyto.exchange._results import read_cohorts
from il2cyto.io import SampleChannel, read_study, write_gatingml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData


@dataclass(frozen=True)
class Exported:
    """Documents of a run, and by sample the populations that could not be written."""

    files: tuple[Path, ...]
    omitted: Mapping[str, tuple[str, ...]]


def export_gates(source: str | Path, out: str | Path) -> Exported:
    """Write the gates of a run as Gating-ML 2.0, the final cuts of each sample in them.

    Parameters
    ----------
    source
        A folder of results (``results.h5ad`` or ``results-<panel>.h5ad``), one such file, or a ``study.yaml``, which is
        gated first.
    out
        Folder: ``<sample>.xml``, with several panels ``<panel>/<sample>.xml``.

    Returns
    -------
    The files, and what Gating-ML cannot say of each.

    Raises
    ------
    StudyError
        If the folder holds no results.
    SchemaError
        If an older il2cyto wrote them, without what an export needs.
    """
    cohorts = _cohorts(Path(source))
    files: list[Path] = []
    omitted: dict[str, tuple[str, ...]] = {}
    for panel, adata in cohorts.items():
        folder = Path(out) if len(cohorts) == 1 else Path(out) / panel
        for sample in [str(name) for name in adata.obs_names]:
            files.append(folder / f"{sample}.xml")
            left_out = _export(adata, sample, files[-1])
            if left_out:
                omitted[sample] = left_out
    return Exported(tuple(files), omitted)


def _cohorts(source: Path) -> dict[str, AnnData]:
    if source.suffix in (".yaml", ".yml"):
        from il2cyto.cohort import gate_study

        return dict(gate_study(read_study(source)).cohorts)
    cohorts = read_cohorts(source)
    for panel, adata in cohorts.items():
        missing = [key for key in (Uns.CHANNELS, Uns.POLYGONS) if key not in adata.uns[Uns.IL2CYTO]]
        if missing:
            msg = f"{source.name}, {panel}: no {' and '.join(missing)} in uns; an older il2cyto wrote it; gate the study again"
            raise SchemaError(msg)
    return cohorts


def _export(adata: AnnData, sample: str, path: Path) -> tuple[str, ...]:
    facts = adata.uns[Uns.IL2CYTO]
    final, about = adata.obsm[Obsm.CUTS].loc[sample], facts[Uns.CUTS]
    cuts: dict[str, dict[str, float]] = {}
    for name, population, coordinate in zip(about.index, about["population"], about["coordinate"], strict=True):
        cuts.setdefault(population, {})[coordinate] = float(final[name])
    channels = {}
    for row in facts[Uns.CHANNELS].itertuples():
        if not row.samples or sample in row.samples.split(";"):
            channels[row.marker] = SampleChannel(row.channel, float(row.range), row.detector)
    return write_gatingml(
        path,
        get.template(adata),
        channels=channels,
        compensated=adata.obs.loc[sample, Obs.COMPENSATION] == "acquisition",
        cuts=cuts,
        polygons=json.loads(facts[Uns.POLYGONS]).get(sample, {}),
    )

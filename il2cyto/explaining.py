"""Explain the cuts of a study: from a folder of results, or from the study itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from il2cyto import get
from il2cyto._keys import Uns
from il2cyto._populations import require_populations
from il2cyto.cohort import gate_study
from il2cyto.errors import PopulationError, StudyError
from il2cyto.gt import Flag, explain_cut
from il2cyto.gt._reconcile import CUT_SCHEMA
from il2cyto.io import read_anndata, read_densities, read_study

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from il2cyto.gt import CutExplanation, Density
    from il2cyto.template import GatingTemplate


@dataclass(frozen=True)
class Explained:
    """The cuts of one population.

    Attributes
    ----------
    cuts
        One for each number of the gate and sample, sorted by sample.
    simulated
        Whether no patient gave these data.
    """

    cuts: tuple[CutExplanation, ...]
    simulated: bool

    @property
    def most_moved(self) -> CutExplanation:
        """The cut that lies farthest from what its file proposed; of files without a cut of their own, the first."""
        return max(self.cuts, key=lambda cut: cut.moved)


@dataclass(frozen=True)
class _Gated:
    """One panel of a study: its template, cuts and densities."""

    template: GatingTemplate
    cuts: pl.DataFrame
    densities: Mapping[str, Mapping[str, Density]]
    simulated: bool


def explain(source: str | Path, *, population: str, sample: str | None = None) -> Explained:
    """Say why the cuts of a population lie where they do.

    Parameters
    ----------
    source
        A folder of results, or a ``study.yaml``, which is gated first.
    population
        One with a fitted gate; not a combination of others.
    sample
        One sample; all of them if None.

    Returns
    -------
    For every sample and number of the gate: own cut, spread, group, the calculation and its flags; `text` has it in words, and
    :func:`il2cyto.pl.explain_cut` draws it.

    Raises
    ------
    StudyError
        The folder holds no results, or there is no such sample.
    PopulationError
        No cut of the population is fitted; the message names those of which one is.

    Examples
    --------
    >>> from il2cyto import datasets, explaining
    >>> study = datasets.sample_data_path() / "study.yaml"
    >>> found = explaining.explain(study, population="CD25pos", sample="SIM-001_W0")
    >>> print(found.cuts[0].text.splitlines()[0])
    CD25pos in SIM-001_W0: reference_offset on CD25, cut, on the template's scale
    """
    panels = list(_gated(Path(source)))
    fitted = dict.fromkeys(name for panel in panels for name in panel.cuts["population"].unique(maintain_order=True))
    _require_fitted(panels, fitted, population)
    found = [
        explain_cut(row, panel.template, panel.densities.get(row["sample"], {}).get(population))
        for panel in panels
        for row in panel.cuts.filter(population=population).sort("sample", maintain_order=True).iter_rows(named=True)
        if sample is None or row["sample"] == sample
    ]
    if not found:
        known = sorted({name for panel in panels for name in panel.cuts["sample"]})
        msg = f"explain: no sample {sample!r}; there are {len(known)}, such as {', '.join(known[:3])}"
        raise StudyError(msg)
    return Explained(tuple(found), any(panel.simulated for panel in panels))


def _require_fitted(panels: Iterable[_Gated], fitted: Iterable[str], population: str) -> None:
    for panel in panels:
        about = panel.template.by_name.get(population)
        if about is not None and population not in fitted:
            rule = (
                f"it is {about.where!r}"
                if about.where
                else f"its gate ({about.gate.method if about.gate else ''}) is fixed"
            )
            msg = f"explain: no cut of {population!r} is fitted: {rule}; choose one of {', '.join(fitted)}"
            raise PopulationError(msg)
    require_populations(fitted, [population], caller="explain")


def _gated(source: Path) -> Iterator[_Gated]:
    if source.suffix in (".yaml", ".yml"):
        study = gate_study(read_study(source), densities=True)
        for panel, adata in study.cohorts.items():
            simulated = bool(adata.uns[Uns.IL2CYTO][Uns.SIMULATED])
            yield _Gated(get.template(adata), study.cuts[panel], study.densities[panel], simulated)
        return
    paths, table = sorted(source.glob("results*.h5ad")), source / "tables" / "cuts.csv"
    if not paths or not table.is_file():
        msg = f"{source.name}: no results.h5ad with tables/cuts.csv; name the folder that `il2cyto run` wrote, or a study.yaml"
        raise StudyError(msg)
    cuts = _read_cuts(table)
    for path in paths:
        adata = read_anndata(path)
        densities = path.with_name(path.name.replace("results", "densities")).with_suffix(".npz")
        own = cuts.filter(pl.col("sample").is_in([str(name) for name in adata.obs_names]))
        yield _Gated(
            get.template(adata),
            own,
            read_densities(densities) if densities.is_file() else {},
            bool(adata.uns[Uns.IL2CYTO][Uns.SIMULATED]),
        )


def _read_cuts(path: Path) -> pl.DataFrame:
    """The table of cuts as reconcile gives it: blanks are NaN or empty text, flags are bits."""
    table = pl.read_csv(path, schema_overrides={**CUT_SCHEMA, "flags": pl.String}).select(*CUT_SCHEMA)
    bits = {names: sum(Flag[name] for name in (names or "").split(";") if name) for names in table["flags"].unique()}
    return table.with_columns(
        pl.selectors.float().fill_null(float("nan")),
        pl.col("group", "reason").fill_null(""),
        flags=pl.col("flags").replace_strict(bits, return_dtype=pl.Int64),
    )

"""Does a result hang on how cuts adapt? The study gated again at other levels, and its contrasts beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from il2cyto import get
from il2cyto._keys import Var
from il2cyto.cohort import gate_study
from il2cyto.errors import ModelError, StudyError
from il2cyto.tl import population_mmrm

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from anndata import AnnData

    from il2cyto.batch import Cache, Progress
    from il2cyto.cohort import GatedStudy, Gates
    from il2cyto.study import Study
    from il2cyto.template._template import GroupLevel

#: What the cuts of a run are called that adapt as the template says.
TEMPLATE: Final = "template"
#: Name -> the level of every fitted gate.
LEVELS: Final[Mapping[str, GroupLevel]] = {"sample": "sample", "batch": "batch", "fixed": "study"}
_KEYS: Final = ["population", "denominator", "visit", "contrast"]
_NUMBERS: Final = ("estimate", "se", "df", "ci_low", "ci_high", "p")
_SCHEMA: Final[Any] = {
    **dict.fromkeys(("population", "denominator", "visit"), pl.String), "week": pl.Float64,
    **dict.fromkeys(("contrast", "cuts"), pl.String), **dict.fromkeys(("n_treatment", "n_control"), pl.Int64),
    **dict.fromkeys(_NUMBERS, pl.Float64), "flags": pl.String,
}  # fmt: skip


def require_arms(study: Study) -> None:
    """Raise a StudyError where there is nothing to contrast."""
    lacking = [
        name
        for name, there in (
            ("arms", study.arms),
            ("schedule with a baseline", study.baseline_visit),
            ("subjects", study.subjects),
        )
        if not there
    ]
    if lacking:
        msg = f"study.yaml: no {', no '.join(lacking)}; a sensitivity analysis contrasts arms after baseline: add them, or run without it"
        raise StudyError(msg)


def gate_at_levels(
    study: Study,
    gates: Gates,
    *,
    cache: Cache | None = None,
    workers: int | None = None,
    dask: str | None = None,
    progress: Progress | None = None,
) -> dict[str, GatedStudy]:
    """Gate a study at each level of :data:`LEVELS`; what its files propose, and what does not change, is taken from the cache.

    Parameters
    ----------
    study, gates
        The study and its templates, from :func:`il2cyto.cohort.read_gates`.
    cache, workers, dask, progress
        As for :func:`il2cyto.cohort.gate_study`.

    Returns
    -------
    Name of the level -> the study gated with all of its cuts at it.
    """

    def telling(name: str) -> Progress | None:
        return None if progress is None else lambda stage, done, total: progress(f"{stage}, {name}", done, total)

    return {
        name: gate_study(
            study, gates=gates, cache=cache, workers=workers, dask=dask, progress=telling(name), level=level
        )
        for name, level in LEVELS.items()
    }


def gating_sensitivity(
    gated: Mapping[str, GatedStudy], *, baseline: str, control: str | None = None, level: float = 0.95
) -> pl.DataFrame:
    """Contrast the arms under each way of placing cuts.

    Parameters
    ----------
    gated
        Name -> gated study; the first is the one that the others are compared with.
    baseline
        The visit before treatment.
    control
        The control arm; the first if None.
    level
        Coverage of the intervals; a contrast is significant if p < 1 - level.

    Returns
    -------
    One row per endpoint population, visit, contrast and name: `population denominator visit week contrast cuts n_treatment n_control
    estimate se df ci_low ci_high p flags conclusion changes`. Estimates are those of :func:`il2cyto.tl.population_mmrm`, on the logit
    scale. `conclusion` is ``higher``, ``lower`` or ``no difference`` of the treated at that level, null where nothing was estimated;
    `changes` says whether it is another than that of the first name, null where one of the two is missing. A population without
    a model has a row of NaN with the flag `not_fitted`.
    """
    rows = pl.concat(
        [
            _contrasts(adata, baseline, control, level).with_columns(cuts=pl.lit(name)).select(*_SCHEMA).cast(_SCHEMA)
            for name, study in gated.items()
            for adata in study.cohorts.values()
            if adata.n_obs and _endpoints(adata)
        ]
        or [pl.DataFrame(schema=_SCHEMA)]
    )
    significant, estimate = pl.col("p").fill_nan(None) < 1 - level, pl.col("estimate")
    conclusion = (
        pl.when(significant & (estimate > 0))
        .then(pl.lit("higher"))
        .when(significant)
        .then(pl.lit("lower"))
        .when(significant.is_not_null())
        .then(pl.lit("no difference"))
        .alias("conclusion")
    )
    rows = rows.with_columns(conclusion)
    first = rows.filter(cuts=next(iter(gated))).select(*_KEYS, said="conclusion")
    order = {name: i for i, name in enumerate(gated)}
    return (
        rows.join(first, on=_KEYS, how="left", nulls_equal=True, maintain_order="left")
        .with_columns(changes=pl.col("conclusion") != pl.col("said"))
        .drop("said")
        .with_row_index("place")
        .sort(pl.col("place").min().over(_KEYS), pl.col("cuts").replace_strict(order, return_dtype=pl.Int64))
        .drop("place")
    )


def _endpoints(adata: AnnData) -> list[str]:
    return [str(name) for name in adata.var_names[adata.var[Var.ROLE].astype(str) == "endpoint"]]


def _contrasts(adata: AnnData, baseline: str, control: str | None, level: float) -> pl.DataFrame:
    names = _endpoints(adata)
    frequencies = get.frequencies(adata, populations=names).drop_nulls(["subject", "visit", "arm"])
    try:
        models = population_mmrm(frequencies, baseline=baseline, control=control, level=level)
    except ModelError:
        return _unfitted(names)
    return models.contrasts


def _unfitted(names: Iterable[str]) -> pl.DataFrame:
    """Rows of NaN for populations of which none could be fitted."""
    nan = dict.fromkeys(_NUMBERS, float("nan"))
    rows = [{"population": name, **nan, "flags": "not_fitted"} for name in names]
    return pl.DataFrame(rows, schema={name: kind for name, kind in _SCHEMA.items() if name != "cuts"})

"""From frequencies to what people read: tables, workbook, figures, methods and report of a trial in one folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from il2cyto import analysis, clinical, tl
from il2cyto._keys import Var
from il2cyto.errors import StudyError
from il2cyto.io import read_clinical, read_frequencies, read_trial, write_anndata, write_csv
from il2cyto.provenance import record_analysis
from il2cyto.report import draw_figures, write_report
from il2cyto.report._results import read_results

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from anndata import AnnData

    from il2cyto.analysis import Analysis
    from il2cyto.io import ClinicalData
    from il2cyto.study import Trial, TrialFile

_RESPONSES: Final = ("sri4", "nephritis_remission")
#: Rows of the table of adverse events that a reader looks for first.
_SAFETY: Final = ("infection", "serious_infection", "injection_site", "fever", "flu_like")


def conclude(
    folder: Path,
    cohorts: Mapping[str, AnnData],
    trial: TrialFile,
    data: ClinicalData | None,
    *,
    workers: int | None = None,
) -> Iterator[Path]:
    """Analyse a gated trial and write all that follows from it into its folder.

    Parameters
    ----------
    folder
        The folder of results.
    cohorts
        Cohort object by panel. Those of a trial with clinical tables are written again, with clinical columns in `obs`.
    trial, data
        The study and its clinical tables.
    workers
        Threads; as many as there are cores if None.

    Yields
    ------
    The files, in the order of writing: ``results*.h5ad``, ``inputs/``, ``tables/``, ``results.xlsx``, ``prism/``, ``methods.md``,
    ``figures/`` and ``report.html``. Without an endpoint population only the report.
    """
    suffix = {panel: "" if len(cohorts) == 1 else f"-{panel}" for panel in cohorts}
    seen = {panel: a for panel, a in cohorts.items() if a.n_obs and (a.var[Var.ROLE].astype(str) == "endpoint").any()}
    yield from analysis.keep_inputs(folder, trial, data)
    if seen:
        done = analysis.analyse(seen, trial=trial, clinical=data, workers=workers)
        joined = {panel: _joined(adata, done, data) for panel, adata in seen.items()}
        for panel, adata in joined.items():
            if done.endpoints is not None:
                yield write_anndata(adata, folder / f"results{suffix[panel]}.h5ad")
            yield write_csv(tl.summarise_dynamics(adata), folder / "tables" / f"dynamics{suffix[panel]}.csv")
        yield from analysis.write_tables(done, folder)
        yield from draw_figures(done, folder, cohorts={suffix[panel]: adata for panel, adata in joined.items()})
    if cohorts:
        yield write_report(folder)


def analyse_folder(folder: str | Path, *, study: str | Path | None = None, workers: int | None = None) -> list[Path]:
    """Do the analysis of a folder of results again, or for the first time after `gate`.

    Parameters
    ----------
    folder
        What `il2cyto run` or `gate` has written. `run` keeps the clinical tables and the settings there.
    study
        The study file, if its settings or clinical tables are new, or the folder has none.
    workers
        Threads; as many as there are cores if None.

    Returns
    -------
    The files that were written into the folder.

    Raises
    ------
    SchemaError, StudyError
        There is no cohort object in the folder; the study is not right.
    """
    folder = Path(folder)
    cohorts = read_results(folder).cohorts
    trial, data = _study(study) if study is not None else analysis.kept_inputs(folder)
    known = trial or analysis.trial_of_cohort(next(iter(cohorts.values())))
    file = None if study is None else Path(study) / "study.yaml" if Path(study).is_dir() else Path(study)
    with record_analysis(folder, study=file) as files:
        files.extend(conclude(folder, cohorts, known, data, workers=workers))
    return files


def analyse_frequencies(
    file: str | Path,
    out: str | Path,
    *,
    study: str | Path | None = None,
    control: str | None = None,
    primary: str | None = None,
    workers: int | None = None,
) -> list[Path]:
    """Analyse frequencies that somebody else has measured.

    Parameters
    ----------
    file
        A tidy sheet, see :func:`il2cyto.io.read_frequencies`.
    out
        Folder for the results.
    study
        A study file with arms, schedule and clinical tables; it needs neither samples nor panels.
    control, primary
        Without a study file: the control arm and the visit of the primary analysis. The visit of week 0 is the baseline.
    workers
        Threads; as many as there are cores if None.

    Returns
    -------
    The files: tables, workbook, Prism tables, methods and figures. The report and the course of single subjects need a cohort object.

    Raises
    ------
    StudyError
        With every problem of the sheet or of the study.
    """
    if study is not None and (control or primary):
        msg = "analyse: --control and --primary are for a sheet without a study file; with one, its arms and primary count"
        raise StudyError(msg)
    trial, data = _study(study) if study is not None else (None, None)
    frame = read_frequencies(file, trial=trial)
    known = trial or analysis.trial_of_frequencies(frame, name=Path(file).stem, control=control, primary=primary)
    done = analysis.analyse(frame, trial=known, clinical=data, workers=workers)
    folder = Path(out)
    return [*analysis.write_tables(done, folder), *draw_figures(done, folder)]


def headlines(folder: str | Path) -> list[str]:
    """Say in a few lines what a trial of lupus is asked first: response, remission of nephritis, adverse events.

    Parameters
    ----------
    folder
        A folder of results.

    Returns
    -------
    Lines, treatment before control; none for tables that are not there.
    """
    tables = Path(folder) / "tables"
    trial, _ = analysis.kept_inputs(Path(folder))
    visits = [] if trial is None or trial.primary is None else [trial.primary.visit, trial.visits[-1]]
    lines: list[str] = []
    if (tables / "binary_contrasts.parquet").is_file():
        lines += _responses(pl.read_parquet(tables / "binary_contrasts.parquet"), visits)
    if (tables / "safety.parquet").is_file():
        lines += _events(pl.read_parquet(tables / "safety.parquet"))
    return lines


def _responses(contrasts: pl.DataFrame, visits: list[str]) -> Iterator[str]:
    """Responses at the primary and the last visit."""
    chosen = contrasts.filter(
        pl.col("endpoint").is_in(_RESPONSES), pl.col("visit").is_in(visits), set="mitt", rule="nri"
    )
    for row in chosen.filter(pl.col("n_treatment") + pl.col("n_control") > 0).iter_rows(named=True):
        one, two = (f"{row[f'x_{arm}']}/{row[f'n_{arm}']}" for arm in ("treatment", "control"))
        numbers = f"risk difference {_percent(row['risk_difference'])} ({_percent(row['ci_low'])} to {_percent(row['ci_high'])})"
        p = "" if row["p"] is None else f", p = {row['p']:.3f} ({row['p_method']})"
        yield f"{row['endpoint']} at {row['visit']}, {row['contrast'].replace(' - ', ' v ')}: {one} v {two}, {numbers}{p}"


def _events(safety: pl.DataFrame) -> Iterator[str]:
    for name in _SAFETY:
        rows = safety.filter(row=name).reverse()
        if rows.height:
            yield f"{name}: " + " v ".join(
                f"{arm} {x}/{n}" for arm, x, n in rows.select("arm", "subjects", "n").iter_rows()
            )


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _study(study: str | Path) -> tuple[Trial, ClinicalData]:
    trial = read_trial(study)
    return trial, read_clinical(trial)


def _joined(adata: AnnData, done: Analysis, data: ClinicalData | None) -> AnnData:
    if done.endpoints is None or data is None:
        return adata
    binary, response = done.endpoints.binary, done.inputs.settings.response
    at = done.inputs.trial.primary.visit if done.inputs.trial.primary else None
    there = binary.filter(pl.col("visit").cast(pl.String) == at, pl.col("endpoint") == response).height
    sets = done.sets if done.sets is not None and done.sets["mitt"].null_count() < done.sets.height else None
    primary = at if there else None
    return clinical.join(adata, done.endpoints, sets=sets, visits=data.visits, primary_visit=primary, endpoint=response)

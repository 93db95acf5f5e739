"""The parts of the page in their order; a part whose table the run does not have is left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from il2cyto import pl as pictures
from il2cyto._keys import Obs, Var
from il2cyto._tidy import plain
from il2cyto.pl._labels import interval_text
from il2cyto.pl._trial import PANELS
from il2cyto.report._figures import Picture, picture, response_correlation
from il2cyto.report._tables import Table, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData
    from matplotlib.figure import Figure

    from il2cyto.report._results import Results


@dataclass(frozen=True)
class Part:
    """A figure and the tables with its numbers."""

    title: str = ""
    figures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True)
class Section:
    """A part of the page that the navigation leads to."""

    id: str
    title: str
    note: str = ""
    parts: tuple[Part, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    links: tuple[str, ...] = ()


_FRACTIONS: Final = frozenset(("mean", "ci_low", "ci_high", "median", "q25", "q75", "sd", "sem", "frequency", "change"))
_RATES: Final = frozenset(("proportion", "ci_low", "ci_high"))
#: Table -> caption; those of a trial's clinical side, in the order of the page.
_CLINICAL: Final = {
    "binary_endpoints": "Responders by visit and arm, with Wilson intervals",
    "binary_contrasts": "Differences between arms in the share of responders",
    "binary_tipping": "Tipping point: the planned response under every outcome of those who were not seen",
    "continuous_endpoints": "Measurements by visit and arm",
    "continuous_contrasts": "Differences between arms in measurements",
}
#: Table, title, caption.
_TRUST: Final = (
    (
        "gating_sensitivity",
        "Do the contrasts hang on the cuts?",
        "Contrasts between arms, log odds, with cuts at the template's own levels, each sample's, each batch's and one for the study (fixed)",
    ),
    (
        "control_cv",
        "Bridging controls",
        "Variation between runs: coefficient of variation, a fraction, with 95 % interval",
    ),
)


def study_section(results: Results) -> Section:
    """Flow of subjects, baseline, samples."""
    parts = []
    if (flow := results.table("consort")) is not None:
        figure = pictures.consort(flow, arms=results.arms or None, simulated=results.simulated)
        alt = (
            "Flow of subjects from assessment to analysis, with counts and reasons; the numbers are in the table below."
        )
        parts.append(
            Part(
                "Flow of subjects",
                (picture(figure, alt=alt),),
                (table("consort", flow, caption="Subjects by stage, arm and reason"),),
            )
        )
    if (baseline := results.table("baseline")) is not None:
        parts.append(
            Part("At baseline", tables=(table("baseline", baseline, caption="Characteristics at baseline by arm"),))
        )
    return Section("study", "Study", parts=tuple(parts), facts=tuple(_facts(results)))


def endpoint_section(results: Results) -> Section | None:
    """Clinical endpoints."""
    if all(results.table(name) is None for name in ("binary_endpoints", "continuous_endpoints")):
        return None
    alt = "A panel for each clinical endpoint by visit and arm, with intervals; the numbers are in the tables below."
    drawn = tuple(picture(figure, alt=alt) for figure in _endpoint_figures(results))
    tables = [
        table(name, frame, caption=caption, percent=_RATES if name == "binary_endpoints" else frozenset())
        for name, caption in _CLINICAL.items()
        if (frame := results.table(name)) is not None
    ]
    parts = [Part(figures=drawn, tables=tuple(tables))]
    if (safety := results.table("safety")) is not None:
        percent = frozenset(("proportion", "risk_difference", "ci_low", "ci_high"))
        parts.append(
            Part(
                "Safety",
                tables=(table("safety", safety, caption="Subjects with adverse events by arm", percent=percent),),
            )
        )
    return Section("endpoints", "Clinical endpoints", parts=tuple(parts))


def _endpoint_figures(results: Results) -> Iterator[Figure]:
    """The trial's figure, and one of all other endpoints."""
    tables = {name: found for name in _CLINICAL if (found := results.table(name)) is not None}
    there = [
        name
        for of in ("binary_endpoints", "continuous_endpoints")
        if of in tables
        for name in tables[of]["endpoint"].unique(maintain_order=True)
    ]
    for names in ([name for name in PANELS if name in there], [name for name in there if name not in PANELS]):
        if names:
            yield pictures.trial_endpoints(
                tables,
                endpoints=names,
                level=results.level,
                treatment_weeks=results.treatment_weeks,
                arms=results.arms or None,
                simulated=results.simulated,
            )


def dynamics_section(results: Results) -> Section:
    """Immune populations over the visits, effects, response."""
    parts = [_dynamics(results, panel, adata) for panel, adata in results.cohorts.items() if _has_endpoints(adata)]
    parts += _effects(results)
    parts += _response(results)
    for name, title, caption in (
        ("population_within", "Change within arms", "Change from baseline within each arm"),
        ("variance", "Sources of variation", "Standard deviation and share of each source, on the log odds"),
        ("missing", "Missing values", "Expected and observed values by arm and visit"),
        (
            "population_delta",
            "If the missing are not like the others",
            "Contrasts with imputed values of the treated shifted by delta, log odds",
        ),
    ):
        if (frame := results.table(name)) is not None:
            parts.append(Part(title, tables=(table(name, frame, caption=caption),)))
    note = "Fractions of the parent population; a population that could not be evaluated in a sample is missing there, never zero."
    return Section("dynamics", "Immune dynamics", note, tuple(parts))


def population_section(results: Results) -> Section:
    """One part for each endpoint population: its course, its numbers, its flags."""
    flags = results.flags()
    parts = [
        _population(results, panel, adata, name, flags)
        for panel, adata in results.cohorts.items()
        if _has_endpoints(adata)
        for name in adata.var_names[adata.var[Var.ROLE] == "endpoint"]
    ]
    return Section("populations", "Populations", parts=(*parts, *_trust(results)))


def _trust(results: Results) -> Iterator[Part]:
    """What speaks for the numbers: contrasts under other cuts, and controls measured again and again."""
    for name, title, caption in _TRUST:
        if (rows := results.table(name)) is not None:
            yield Part(title, tables=(table(name, rows, caption=caption),))


def sample_section(results: Results) -> Section:
    """Every sample with what is known of its file."""
    columns = [
        *(Obs.SUBJECT, Obs.VISIT, Obs.ARM, Obs.BATCH, Obs.SITE, Obs.CYTOMETER, Obs.PANEL, Obs.N_EVENTS, Obs.N_LIVE),
        *(
            Obs.VIABILITY,
            Obs.MARGIN,
            Obs.DOUBLETS,
            Obs.ANOMALOUS,
            Obs.COMPENSATION,
            Obs.QC_PASS,
            Obs.QC_REASONS,
            Obs.FILE,
        ),
    ]
    frames = [plain(a.obs[[c for c in columns if c in a.obs]], index=Obs.SAMPLE) for a in results.cohorts.values()]
    frame = pl.concat(frames, how="diagonal_relaxed")
    made = table(
        "samples",
        frame,
        caption=f"{frame.height} samples",
        percent=frozenset((Obs.VIABILITY, Obs.MARGIN, Obs.DOUBLETS, Obs.ANOMALOUS)),
    )
    return Section("samples", "Samples", parts=(Part(tables=(made,)),))


def _has_endpoints(adata: AnnData) -> bool:
    return bool(adata.n_obs and (adata.var[Var.ROLE] == "endpoint").any())


def _dynamics(results: Results, panel: str, adata: AnnData) -> Part:
    contrasts = results.table("population_contrasts")
    primary = None if contrasts is None else _of_parent(contrasts, adata)
    figure = pictures.dynamics(adata, contrasts=primary)
    alt = "Mean frequency of each population over the visits by arm, with intervals and single subjects; numbers in the table below."
    tables = [
        table(name, frame, caption=caption, percent=_FRACTIONS)
        for name, caption in (
            ("population_means", "Means by arm and visit"),
            ("dynamics", "Observed means by arm and visit"),
        )
        if (frame := results.table(name)) is not None
    ]
    return Part(panel, (picture(figure, alt=alt),), tuple(tables))


def _of_parent(contrasts: pl.DataFrame, adata: AnnData) -> pl.DataFrame:
    """The model of each population as a fraction of its parent: one row a visit."""
    parents = {name: str(adata.var.at[name, Var.PARENT]) for name in adata.var_names}
    rows = contrasts.filter(pl.col("population").is_in(list(parents)))
    if "denominator" in rows.columns:
        rows = rows.filter(pl.col("denominator") == pl.col("population").replace_strict(parents, default=None))
    if "role" in rows.columns:
        rows = rows.filter(pl.col("role").is_in(["primary", "secondary"]))
    return rows.unique(["population", "visit"], keep="first", maintain_order=True)


def _effects(results: Results) -> Iterator[Part]:
    contrasts = results.table("population_contrasts")
    if contrasts is None:
        return
    adata = next(iter(results.cohorts.values()))
    chosen = _of_parent(contrasts, adata)
    if not chosen.height:
        return
    visits = chosen.filter(pl.col("role") == "primary") if "role" in chosen.columns else chosen
    at = (visits if visits.height else chosen)["visit"].to_list()[-1]
    rows = chosen.filter(pl.col("visit") == at)
    forest = pictures.forest(rows).figure.get_figure(root=True)
    grid = pictures.effect_map(chosen, simulated=results.simulated)
    simulated = " (simulated data)" if results.simulated else ""
    names = rows["contrast"].unique(maintain_order=True).to_list() if "contrast" in rows.columns else ["arms compared"]
    compared = " and ".join(name.replace(" - ", " v ") for name in names)
    yield Part(
        "Effects",
        (
            picture(
                forest,
                alt=f"Odds ratio between arms of each population at visit {at}.",
                caption=f"Odds ratio with its {interval_text('ci', results.level)} at {at}, {compared}; above 1: more in the former{simulated}.",
            ),
            picture(grid, alt="Log odds ratio between arms by population and visit."),
        ),
        (table("population_contrasts", contrasts, caption="Differences between arms by population and visit"),),
    )


def _response(results: Results) -> Iterator[Part]:
    """Courses by response, and changes of populations against that of disease activity."""
    figures = []
    for adata in results.cohorts.values():
        if _has_endpoints(adata) and Obs.RESPONSE in adata.obs and adata.obs[Obs.RESPONSE].nunique() > 1:
            alt = "Mean frequency of each population over the visits by response, with intervals and single subjects."
            figures.append(picture(pictures.dynamics(adata, group=Obs.RESPONSE), alt=alt))
    if (pairs := results.table("response_pairs")) is not None:
        figure = response_correlation(pairs, arms=results.arms or None, simulated=results.simulated)
        alt = "Change of each population on treatment against the later change of SLEDAI, a point a subject, by arm."
        figures.append(picture(figure, alt=alt))
    tables = [
        table(name, rows, caption=caption)
        for name, caption in (
            ("response", "Populations of responders and non-responders"),
            ("response_pairs", "Change of populations and later change of SLEDAI by subject"),
        )
        if (rows := results.table(name)) is not None
    ]
    if figures or tables:
        yield Part("Response (exploratory)", tuple(figures), tuple(tables))


def _population(results: Results, panel: str, adata: AnnData, name: str, flags: pl.DataFrame) -> Part:
    figure = pictures.dynamics(adata, populations=[name])
    title = str(adata.var.at[name, Var.LABEL] or name) if Var.LABEL in adata.var else name
    mine = flags.filter(population=name, panel=panel)
    counted = mine.group_by("severity", "flag", "meaning", maintain_order=True).agg(samples=pl.col("sample").n_unique())
    tables = [table(f"flags-{name}", counted, caption=f"Flags of {name}")] if counted.height else []
    if (means := results.table("population_means")) is not None and (rows := means.filter(population=name)).height:
        tables.append(
            table(f"means-{name}", rows.drop("population"), caption=f"{name} by arm and visit", percent=_FRACTIONS)
        )
    alt = f"{name} over the visits by arm, with intervals and single subjects."
    return Part(title, (picture(figure, alt=alt),), tuple(tables))


def _facts(results: Results) -> Iterator[tuple[str, str]]:
    for panel, adata in results.cohorts.items():
        at = f" ({panel})" if panel else ""
        yield f"Samples{at}", str(adata.n_obs)
        if Obs.SUBJECT in adata.obs:
            yield f"Subjects{at}", str(adata.obs[Obs.SUBJECT].nunique())
        if Obs.BATCH in adata.obs:
            yield f"Batches{at}", str(adata.obs[Obs.BATCH].nunique())
        template = adata.uns["il2cyto"].get("template", {})
        yield f"Template{at}", f"{template.get('name', '')} {template.get('version', '')}"
    if results.arms:
        yield "Arms", ", ".join(results.arms)
    if results.treatment_weeks:
        yield "On treatment, weeks", ", ".join(f"{start:g}–{end:g}" for start, end in results.treatment_weeks)

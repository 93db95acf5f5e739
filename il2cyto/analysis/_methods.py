"""The methods of this analysis in words, from its settings and from what happened, for an author to take into a paper."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import polars as pl

from il2cyto.analysis._references import references
from il2cyto.analysis._unseen import IMPUTATIONS
from il2cyto.cohort._absolute import BEADS, DUAL_PLATFORM, VOLUMETRIC
from il2cyto.study import ClinicalSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from il2cyto.analysis._clinical import Clinical
    from il2cyto.analysis._inputs import Inputs
    from il2cyto.analysis._populations import Fits

_PACKAGES: Final = ("il2cyto", "numpy", "scipy", "polars", "anndata")
_STRUCTURES: Final = {
    "us": "unstructured",
    "toep": "Toeplitz",
    "toeph": "heterogeneous Toeplitz",
    "ad": "ante-dependent",
    "adh": "heterogeneous ante-dependent",
    "ar1": "first-order autoregressive",
    "cs": "compound-symmetric",
}
_DDF: Final = {
    "kenward-roger": "Kenward and Roger's degrees of freedom and adjusted standard errors",
    "satterthwaite": "Satterthwaite's degrees of freedom",
    "residual": "residual degrees of freedom",
}
_INTERVALS: Final = {"miettinen_nurminen": "Miettinen and Nurminen", "newcombe": "Newcombe"}
_TESTS: Final = {
    "fisher": "Fisher's exact test",
    "boschloo": "Boschloo's exact test",
    "barnard": "Barnard's exact test",
    "pearson": "Pearson's chi-square test",
}
#: By the method of counting, see docs/absolute-counts.md.
_CELLS: Final = {
    BEADS: "counted against beads in the tube",
    VOLUMETRIC: "the cells in the acquired volume, times the dilution",
    DUAL_PLATFORM: "the fraction of lymphocytes times the lymphocyte count of the visit",
}


def methods_text(
    inputs: Inputs, fits: Fits, found: Clinical, tables: Mapping[str, pl.DataFrame], notices: Sequence[str]
) -> str:
    """Write the methods as Markdown, a section a subject; what was not done is not described."""
    parts = [f"# Methods: {_plain(inputs.trial.study)}"]
    if inputs.trial.simulated:
        parts.append("**Simulated data: no patient is in them.**")
    sections = {
        "Samples and populations": _samples(inputs, tables),
        "Comparison of populations": _models(inputs, fits, tables),
        "Clinical endpoints": _endpoints(inputs, found, tables),
        "Safety": _safety(inputs, tables),
        "Response": _response(inputs, tables),
        "Multiplicity": _multiplicity(inputs, tables),
        "Software": _software(inputs, fits, tables),
    }
    parts += [f"## {title}\n\n{text}" for title, lines in sections.items() if (text := " ".join(map(str.strip, lines)))]
    if notices:
        listed = "\n".join(f"- {_plain(notice)}" for notice in notices)
        parts.append(f"## What was left out, replaced or has to be asked about\n\n{listed}")
    return "\n\n".join(parts) + "\n"


def _samples(inputs: Inputs, tables: Mapping[str, pl.DataFrame]) -> Iterator[str]:
    rows = inputs.of_parent.filter(~pl.col("control"))
    samples, subjects = rows["sample"].n_unique(), rows["subject"].n_unique()
    lost = rows.filter(pl.col("frequency").is_null() | pl.col("frequency").is_nan()).height
    yield f"Frequencies of {len(inputs.parents)} populations come from {samples} samples of {subjects} subjects at "
    yield f"{len(inputs.visits)} visits ({_plain(', '.join(inputs.visits))})."
    if inputs.templates:
        yield f"Samples were gated with the template {'; '.join(inputs.templates)}; cuts were reconciled between files without "
        yield "knowledge of arm, visit or response."
    shares = ", ".join(f"{population} of {parent}" for population, parent in inputs.parents.items())
    yield f"The primary analysis takes each population as a fraction of its parent: {_plain(shares)}."
    others = inputs.frequencies.filter(pl.col("parent") != pl.col("population").replace_strict(dict(inputs.parents)))
    if others.height:
        yield f"Other denominators ({_plain(', '.join(others['parent'].unique().sort()))}) are exploratory."
    yield f"Of {rows.height} frequencies {lost} were missing or not evaluable; none was imputed, and none was set to 0."
    if "absolute_endpoints" in tables and inputs.count_method is not None:
        yield f"Cells per µL are {_CELLS[inputs.count_method]} (exploratory)."
    if inputs.frequencies["sample"].n_unique() and rows.select("subject", "visit", "population").is_duplicated().any():
        yield "Replicates of a subject at a visit were averaged."


def _models(inputs: Inputs, fits: Fits, tables: Mapping[str, pl.DataFrame]) -> Iterator[str]:
    s = inputs.settings
    percent = f"{100 * s.level:g} %"
    if inputs.baseline is None or not inputs.after:
        groups = "arm and visit" if len(inputs.arms) > 1 else "visit"
        yield f"Frequencies are described by {groups}: mean with {percent} t interval."
        yield _variance(tables)
        return
    if fits.full:
        yield from _mixed_model(inputs, fits)
    if inputs.contrasts:
        at = f" The primary contrast is that at {_plain(inputs.primary)}." if inputs.primary else ""
        yield f"Arms were compared with {_plain(str(inputs.control))} at each visit.{at}"
        if inputs.on_drug:
            yield f"The effect on drug is the mean of the contrasts at {_plain(', '.join(inputs.on_drug))}."
        yield "Sensitivity analyses: analysis of covariance of the logit at each visit (HC3 standard errors); Hodges-Lehmann difference and "
        yield "Wilcoxon test of the change of the logit; "
        yield "the mixed model without samples of low count." if fits.without_low else "no sample had a low count."
    if "population_delta" in tables:
        yield from _delta(inputs, tables["population_delta"])
    yield "Changes within arms: Wilcoxon's signed rank test with the Hodges-Lehmann median, and the mixed model's marginal mean minus the "
    yield f"mean baseline. Intervals cover {percent}; p values are two-sided."
    yield _variance(tables)


def _mixed_model(inputs: Inputs, fits: Fits) -> Iterator[str]:
    s = inputs.settings
    fitted = [result for found in fits.full.values() for result in found.models.values()]
    used = [result.diagnostics.covariance for result in fitted]
    counts = ", ".join(f"{_STRUCTURES.get(name, name)} in {used.count(name)}" for name in dict.fromkeys(used))
    ddf = "; ".join(_DDF.get(name, name) for name in dict.fromkeys(result.diagnostics.ddf for result in fitted))
    adjusted = ", ".join(["the logit at baseline", *map(_plain, s.covariates)])
    yield "The unit of analysis is the subject; cells are not replicates. Of c events among n in the denominator the empirical logit "
    yield "ln((c + 1/2)/(n - c + 1/2)) was analysed by a mixed model for repeated measures (REML) of the visits after baseline, with "
    terms = "arm, visit, arm × visit" if len(inputs.arms) > 1 else "visit"
    yield f"{terms} and {adjusted}{' (its effect free at each visit)' if s.baseline_by_visit else ''}; subjects "
    yield "without a baseline value are not in it, and missing values are taken as missing at random. "
    yield f"The covariance within subjects was {counts} of {len(used)} models (asked for: {_STRUCTURES[s.covariance]}), with {ddf}."
    effects = "; effects are odds ratios" if inputs.contrasts else ""
    yield f"Adjusted medians are the inverse logit of marginal means{effects}."


def _delta(inputs: Inputs, table: pl.DataFrame) -> Iterator[str]:
    missing = (
        table.select("population", "missing_treatment", "missing_control").drop_nulls().unique(maintain_order=True)
    )
    shifts = _plain(", ".join(f"{delta:+g}" if delta else "0" for delta in inputs.settings.deltas))
    yield f"Where values were missing at {_plain(str(inputs.primary))} (in {missing['population'].n_unique()} populations), they were imputed "
    yield f"{IMPUTATIONS} times as if missing at random, given arm, baseline and all visits; those of treated subjects were then shifted by "
    yield f"{shifts} log odds, and analyses of covariance pooled by Rubin's rules (Barnard and Rubin's degrees of freedom): a tipping-point "
    tips = table.filter("tips")
    told = (
        "no verdict changed."
        if not tips.height
        else f"the verdict changed in {_plain(', '.join(tips['population'].unique(maintain_order=True)))}."
    )
    yield f"analysis of data that are not missing at random; {told}"


def _variance(tables: Mapping[str, pl.DataFrame]) -> str:
    if "variance" not in tables:
        return ""
    return (
        "Components of variance were estimated by REML on the logit; the part of counting was computed from the counts."
    )


def _endpoints(inputs: Inputs, found: Clinical, tables: Mapping[str, pl.DataFrame]) -> Iterator[str]:
    s, c = inputs.settings, inputs.trial.clinical or ClinicalSettings()
    if found.endpoints is None or "binary_endpoints" not in tables:
        return
    names = ", ".join(tables["binary_endpoints"]["endpoint"].unique(maintain_order=True))
    yield f"Binary endpoints ({names}): a subject whose status is missing is a non-responder (observed cases are shown beside it). Response "
    yield f"index: SLEDAI {c.sledai_version or '(version not stated)'} lower by at least {c.sri.k}, no new BILAG A and at most one new B, PGA "
    yield f"not higher by {c.sri.pga_worsening:g} or more on 0-3, no failure before. Nephritis remission (an assumption of this "
    yield f"analysis): proteinuria below {c.renal.upe_g_24h:g} g/24 h with renal function normal or within {100 * c.renal.function_change:g} % of "
    yield f"baseline. Steroid reduction: at least {100 * c.steroid_reduction:g} % of a baseline dose above 0."
    if "binary_contrasts" in tables and tables["binary_contrasts"].height:
        yield f"Arms differ by the risk difference with the interval of {_INTERVALS[s.interval]} and {_TESTS[s.test]}; proportions have "
        yield "Wilson's interval. Sensitivity: Newcombe's interval with Boschloo's test; last observation carried forward, best and worst case."
        if (other := tables.get("binary_sensitivities")) is not None and other.height:
            if other["method"].str.starts_with("mantel_haenszel").any():
                yield " Strata: Cochran-Mantel-Haenszel, common risk difference with the intervals of Sato and of Miettinen and Nurminen."
            if other["method"].str.starts_with("g-computation").any():
                yield f" Adjusted for {_plain(', '.join(s.covariates))}: logistic g-computation with the robust variance of Ye et al. (2023)."
    if (tipping := tables.get("binary_tipping")) is not None:
        tips = tipping.filter("tips").height
        yield f"Tipping point of {tipping['endpoint'][0]} at {_plain(tipping['visit'][0])}: of {tipping.height} outcomes that missing subjects of "
        yield f"mITT could have had, {tips} change the verdict of the test."
    if found.sets is not None:
        counts = {name: int(found.sets[name].sum() or 0) for name in ("itt", "mitt", "safety")}
        yield f"Analysis sets: {counts['itt']} randomised (ITT), {counts['mitt']} with a dose and an assessment after baseline (mITT), "
        yield f"{counts['safety']} with a dose (safety)."
    if (contrasts := tables.get("continuous_contrasts")) is not None:
        models = (
            contrasts.select("endpoint", "model")
            .unique(maintain_order=True)
            .group_by("model", maintain_order=True)
            .agg("endpoint")
        )
        said = "; ".join(f"{model}: {', '.join(names)}" for model, names in models.iter_rows())
        yield f"Continuous endpoints, adjusted for baseline, in mITT ({said}); proteinuria as its logarithm, 0 as half the smallest positive "
        yield "value. Sensitivity: analysis of covariance at each visit (HC3), Hodges-Lehmann difference of changes."
    if "baseline" in tables:
        yield "The table of baseline characteristics gives standardised differences and no tests."


def _safety(inputs: Inputs, tables: Mapping[str, pl.DataFrame]) -> Iterator[str]:
    if "safety" in tables:
        days = (inputs.trial.clinical or ClinicalSettings()).teae_days
        yield f"Adverse events count from the first dose to {days} days after the last, each subject once per row, as treated. Risk differences "
        yield "have Miettinen and Nurminen's interval, rates per 100 patient-years an exact Poisson interval; no tests were made."


def _response(inputs: Inputs, tables: Mapping[str, pl.DataFrame]) -> Iterator[str]:
    if "response" in tables:
        yield f"Exploratory: populations at baseline and their change before {_plain(str(inputs.primary))} against {inputs.settings.response} at "
        yield f"{_plain(str(inputs.primary))}: area under the ROC curve (DeLong) within arms and adjusted for the arm, and Spearman's correlation with "
        yield "the change of SLEDAI. These numbers validate no predictor."


def _multiplicity(inputs: Inputs, tables: Mapping[str, pl.DataFrame]) -> Iterator[str]:
    contrasts = tables.get("population_contrasts")
    if contrasts is None:
        return
    family = contrasts.filter(role="primary").height
    if family:
        gate = ", after the omnibus test of arm × visit" if inputs.settings.gate_on_omnibus else ""
        yield f"Holm's method over the {family} primary contrasts{gate}; "
    yield "Benjamini and Hochberg's over populations and visits elsewhere, within each role and model, as exploratory. Raw and adjusted p stand "
    yield "side by side. p values of clinical endpoints are not adjusted."


def _software(inputs: Inputs, fits: Fits, tables: Mapping[str, pl.DataFrame]) -> Iterator[str]:
    found = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    yield f"{found}; Python {platform.python_version()}."
    cited = "; ".join(references(inputs, fits, tables))
    if cited:
        yield f"References: {cited}."


def _plain(text: str) -> str:
    """Keep a name from being read as Markdown, or from breaking a line."""
    escaped = "".join(f"\\{letter}" if letter in "\\`*_[]<>#|" else letter for letter in text)
    return " ".join(escaped.split())

"""Tables of the populations: means, changes, and differences between arms by every model of the plan."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from il2cyto import tl
from il2cyto.analysis._inputs import LOW_COUNTS
from il2cyto.errors import ModelError, StudyError
from il2cyto.tl._mmrm._fallback import offered_ddf

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from il2cyto.analysis._inputs import Inputs
    from il2cyto.tl import PopulationModels

Key = tuple[str, str]
ON_DRUG: Final = "on drug"
WITHOUT_LOW: Final = "MMRM without low counts"
_TEXT = ("population", "denominator", "visit", "contrast", "role", "model", "covariance", "ddf", "flags")
_NUMBERS = ("estimate", "se", "df", "ci_low", "ci_high", "p")
CONTRASTS: Final = (
    *("population", "denominator", "visit", "week", "contrast", "role", "model", "covariance", "ddf"),
    *("n_treatment", "n_control", *_NUMBERS, "p_adjusted", "adjustment", "odds_ratio", "or_low", "or_high", "flags"),
)


@dataclass(frozen=True)
class Fits:
    """Mixed models by population and denominator, with all rows and without those of low counts, and why some are missing."""

    full: Mapping[Key, PopulationModels]
    without_low: Mapping[Key, PopulationModels]
    problems: Mapping[Key, str]


def fit_models(inputs: Inputs, *, workers: int) -> Fits:
    """Fit the mixed model of every population and denominator."""
    keys = _denominators(inputs) if inputs.after else []
    rows = with_covariates(inputs)
    low = pl.col("flags").str.split(";").list.set_intersection(list(LOW_COUNTS)).list.len() > 0
    jobs: list[tuple[str, Key, pl.DataFrame]] = []
    for key in keys:
        own = rows.filter(pl.col("population") == key[0], pl.col("parent") == key[1])
        jobs.append(("full", key, own))
        if own.filter(low).height:
            jobs.append(("without_low", key, own.filter(~low)))
    with ThreadPoolExecutor(workers) as pool:
        fitted = list(pool.map(lambda job: _fit(job[2], inputs), jobs))
    done: dict[str, dict[Key, PopulationModels]] = {"full": {}, "without_low": {}}
    problems: dict[Key, str] = {}
    for (kind, key, _), found in zip(jobs, fitted, strict=True):
        if isinstance(found, str):
            problems |= {key: found} if kind == "full" else {}
        else:
            done[kind][key] = found
    return Fits(done["full"], done["without_low"], problems)


def contrasts(inputs: Inputs, fits: Fits) -> pl.DataFrame:
    """Differences between arms: the mixed model, its mean on drug, and the sensitivity analyses; p adjusted."""
    parts = [_empty()]
    for population, denominator in _denominators(inputs):
        key, primary = (population, denominator), inputs.parents[population] == denominator
        found = fits.full.get(key)
        parts.append(_not_fitted(inputs, key) if found is None else _with_absent(inputs, found.contrasts, key))
        parts[-1] = parts[-1].with_columns(role=_role(inputs, primary=primary))
        if found is not None and inputs.on_drug:
            parts.append(
                _on_drug(inputs, found, key).with_columns(role=pl.lit("secondary" if primary else "exploratory"))
            )
        if (dropped := fits.without_low.get(key)) is not None:
            parts.append(dropped.contrasts.with_columns(role=pl.lit("sensitivity"), model=pl.lit(WITHOUT_LOW)))
        parts.append(_simple_models(inputs, key))
    table = pl.concat([part.select(set(part.columns) & set(CONTRASTS)) for part in parts], how="diagonal_relaxed")
    table = _with_low_counts(inputs, table)
    omnibus = _omnibus_p(inputs, fits) if inputs.settings.gate_on_omnibus else None
    return tl.adjust_contrasts(table, omnibus=omnibus).select(CONTRASTS)


def model_means(fits: Fits) -> list[pl.DataFrame]:
    """Adjusted medians of each model."""
    return [found.means.with_columns(pl.col("visit", "arm").cast(pl.String)) for found in fits.full.values()]


def model_changes(inputs: Inputs, fits: Fits) -> pl.DataFrame:
    """Change of each arm from baseline by the mixed model, on the logit scale."""
    schema = {
        "population": pl.String,
        "denominator": pl.String,
        "arm": pl.String,
        "visit": pl.String,
        "week": pl.Float64,
    }
    numbers = dict.fromkeys((*_NUMBERS, "odds_ratio"), pl.Float64)
    parts = [pl.DataFrame(schema={**schema, "n": pl.Int64, **numbers, "model": pl.String})]
    for key, result in _results(fits):
        change = result.change_from_baseline("baseline").with_columns(pl.col("arm", "visit").cast(pl.String))
        weeks = pl.col("visit").replace_strict(dict(inputs.visits), default=None, return_dtype=pl.Float64)
        name = "MMRM" if result.diagnostics.converged else "ANCOVA"
        named = {"population": pl.lit(key[0]), "denominator": pl.lit(key[1]), "model": pl.lit(name)}
        change = change.with_columns(week=weeks, odds_ratio=pl.col("estimate").exp(), **named)
        parts.append(change.with_columns(pl.col("n").cast(pl.Int64)).select(parts[0].columns))
    return pl.concat(parts)


def omnibus(fits: Fits) -> pl.DataFrame:
    """Test of arm × visit of each model."""
    schema = {"population": pl.String, "denominator": pl.String, "f": pl.Float64, "ndf": pl.Float64, "ddf": pl.Float64, "p": pl.Float64}  # fmt: skip
    rows = [(*key, *result.omnibus.select("f", "ndf", "ddf", "p").row(0)) for key, result in _results(fits)]
    return pl.DataFrame(rows, schema=schema, orient="row")


def flagged(inputs: Inputs) -> pl.DataFrame:
    """How many samples of each population carry which flag, by arm and visit."""
    split = (
        inputs.of_parent.filter(~pl.col("control")).with_columns(flag=pl.col("flags").str.split(";")).explode("flag")
    )
    keys = ["population", "arm", "visit", "flag"]
    counted = (
        split.filter(pl.col("flag") != "").group_by(keys, maintain_order=True).agg(samples=pl.len().cast(pl.Int64))
    )
    return counted.with_columns(pl.col("arm", "visit").cast(pl.String))


def notes(inputs: Inputs, fits: Fits) -> Iterator[str]:
    """What was not fitted, or not as asked."""
    for (population, denominator), reason in fits.problems.items():
        yield f"{population} of {denominator}: no mixed model: {reason}"
    for (population, denominator), result in _results(fits):
        absent = set(inputs.contrasts) - set(result.contrasts["contrast"])
        if absent:
            yield f"{population} of {denominator}: no contrast {', '.join(sorted(absent))}: nobody in an arm has a value at baseline and after it"
        d = result.diagnostics
        for structure, reason in d.fallback:
            yield f"{population} of {denominator}: {structure} was not used ({reason}); {d.covariance} was, with {d.ddf} df"
        yield from (f"{population} of {denominator}: {note}" for note in d.notes)


def _results(fits: Fits) -> Iterator[tuple[Key, tl.MMRMResult]]:
    for key, found in fits.full.items():
        yield from ((key, result) for result in found.models.values())


def _denominators(inputs: Inputs) -> list[Key]:
    rows = inputs.frequencies.select("population", "parent").unique(maintain_order=True).iter_rows()
    return [(str(population), str(denominator)) for population, denominator in rows]


def with_covariates(inputs: Inputs) -> pl.DataFrame:
    """Rows of the trial's subjects with an arm, with the covariates that the plan adjusts for."""
    rows = inputs.frequencies.filter(~pl.col("control") & pl.col("arm").is_not_null())
    wanted = list(inputs.settings.covariates)
    if not wanted:
        return rows
    sheet: pl.DataFrame | None = getattr(inputs.trial, "subject_sheet", None)
    there = [] if sheet is None else sheet.columns
    missing = [name for name in wanted if name not in there]
    if sheet is None or missing:
        msg = (
            f"analysis: covariates: no column {', '.join(missing)} in the table of subjects; it has {', '.join(there)}"
        )
        raise StudyError(msg)
    return rows.join(sheet.select("subject", *wanted), on="subject", how="left", maintain_order="left")


def _fit(rows: pl.DataFrame, inputs: Inputs) -> PopulationModels | str:
    s = inputs.settings
    try:
        return tl.population_mmrm(
            rows,
            baseline=inputs.baseline,
            covariates=s.covariates,
            by_visit=("baseline",) if s.baseline_by_visit else (),
            covariance=s.covariance,
            # Where Kenward-Roger is not defined; the tables say which method was used.
            ddf=offered_ddf(s.covariance, s.ddf),
            control=inputs.control,
            level=s.level,
        )
    except ModelError as error:
        return str(error)


def _empty() -> pl.DataFrame:
    numbers = dict.fromkeys((*_NUMBERS, "week", "odds_ratio", "or_low", "or_high"), pl.Float64)
    counts = dict.fromkeys(("n_treatment", "n_control"), pl.Int64)
    return pl.DataFrame(schema={**dict.fromkeys(_TEXT, pl.String), **numbers, **counts})


def _role(inputs: Inputs, *, primary: bool) -> pl.Expr:
    if not primary or inputs.primary is None:
        return pl.lit("exploratory")
    at = pl.col("visit").cast(pl.String) == inputs.primary
    return pl.when(at).then(pl.lit("primary")).otherwise(pl.lit("secondary"))


def _not_fitted(inputs: Inputs, key: Key) -> pl.DataFrame:
    named = {"population": key[0], "denominator": key[1], "model": "MMRM", "flags": "not_fitted"}
    rows = [
        named | {"visit": visit, "week": inputs.visits[visit], "contrast": contrast} | dict.fromkeys(_NUMBERS, np.nan)
        for contrast in inputs.contrasts
        for visit in inputs.after
    ]
    return pl.DataFrame(rows, schema=_empty().schema)


def _with_absent(inputs: Inputs, table: pl.DataFrame, key: Key) -> pl.DataFrame:
    """Add rows of NaN for the planned contrasts that are not in the model, as those of an arm without a baseline are not."""
    table = table.with_columns(pl.col("visit").cast(pl.String))
    planned = _not_fitted(inputs, key).with_columns(flags=pl.lit("not_estimable"))
    absent = planned.join(table, on=["visit", "contrast"], how="anti", maintain_order="left")
    return pl.concat([table, absent], how="diagonal_relaxed") if absent.height else table


def _on_drug(inputs: Inputs, found: PopulationModels, key: Key) -> pl.DataFrame:
    parts = [_empty()]
    for result in found.models.values():
        d, seen = result.diagnostics, [v for v in inputs.on_drug if v in set(result.contrasts["visit"].cast(pl.String))]
        if not d.converged or not seen or not inputs.contrasts:
            continue
        mean = result.arm_difference(seen).with_columns(
            population=pl.lit(key[0]), denominator=pl.lit(key[1]), visit=pl.lit(ON_DRUG), model=pl.lit("MMRM"),
            covariance=pl.lit(d.covariance), ddf=pl.lit(d.ddf), odds_ratio=pl.col("estimate").exp(),
            or_low=pl.col("ci_low").exp(), or_high=pl.col("ci_high").exp(), flags=pl.lit("covariance_fallback" if d.fallback else None, pl.String),
        )  # fmt: skip
        parts.append(mean)
    return pl.concat(parts, how="diagonal_relaxed")


def _simple_models(inputs: Inputs, key: Key) -> pl.DataFrame:
    """Analysis of covariance and rank test of the logit at each visit on its own."""
    if not inputs.contrasts or not inputs.after:
        return _empty()
    rows = inputs.frequencies.filter(
        pl.col("population") == key[0], pl.col("parent") == key[1], pl.col("arm").is_not_null(), ~pl.col("control")
    ).filter(pl.col("frequency").is_finite())
    logit = pl.Series("value", tl.empirical_logit(rows["count"].to_numpy(), rows["parent_count"].to_numpy()))
    values = (
        rows.with_columns(logit)
        .group_by("subject", "visit", "arm", "week", maintain_order=True)
        .agg(pl.col("value").mean())
    )
    if not (values["visit"] == inputs.baseline).any():
        return _empty()
    long = values.with_columns(endpoint=pl.lit(key[0]), unit=pl.lit(key[1]))
    table = tl.continuous_contrasts(
        long,
        long.select("subject", "arm").unique(maintain_order=True),
        control=str(inputs.control),
        baseline=str(inputs.baseline),
        level=inputs.settings.level,
    )
    names = {"ancova_hc3": "ANCOVA HC3", "hodges_lehmann": "Wilcoxon, Hodges-Lehmann of change"}
    return table.rename({"endpoint": "population", "unit": "denominator"}).with_columns(
        pl.col("model").replace(names), role=pl.lit("sensitivity"), odds_ratio=pl.col("estimate").exp(),
        or_low=pl.col("ci_low").exp(), or_high=pl.col("ci_high").exp(),
        flags=pl.when(pl.col("estimate").is_nan()).then(pl.lit("not_estimable")).when(pl.col("p").is_nan()).then(pl.lit("no_variance")),
    )  # fmt: skip


def _with_low_counts(inputs: Inputs, table: pl.DataFrame) -> pl.DataFrame:
    """Flag contrasts in which a sample of low count takes part, at the visit or at baseline."""
    low = pl.col("flags").str.split(";").list.set_intersection(list(LOW_COUNTS)).list.len() > 0
    rows = inputs.frequencies.filter(~pl.col("control"), low).select("population", denominator="parent", visit=pl.col("visit").cast(pl.String)).unique()  # fmt: skip
    at_baseline = rows.filter(pl.col("visit") == inputs.baseline).select(
        "population", "denominator", base=pl.lit(value=True)
    )
    text = table.with_columns(pl.col("visit").cast(pl.String))
    joined = text.join(rows.with_columns(here=pl.lit(value=True)), on=["population", "denominator", "visit"], how="left", maintain_order="left")  # fmt: skip
    joined = joined.join(at_baseline, on=["population", "denominator"], how="left", maintain_order="left")
    is_low = pl.any_horizontal(pl.col("here", "base").fill_null(value=False)) & (pl.col("model") != WITHOUT_LOW)
    flag = pl.when(is_low).then(pl.lit("low_counts"))
    # concat_str gives "" where there is nothing to join.
    flags = pl.concat_str(pl.when(pl.col("flags") != "").then("flags"), flag, separator=";", ignore_nulls=True)
    return joined.with_columns(flags=flags).drop("here", "base")


def _omnibus_p(inputs: Inputs, fits: Fits) -> dict[str, float]:
    rows = omnibus(fits).filter(pl.col("denominator") == pl.col("population").replace_strict(dict(inputs.parents)))
    return {name: np.nan if p is None else p for name, p in rows.select("population", "p").iter_rows()}

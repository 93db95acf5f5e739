"""What if those who were not seen are not like those who were: tipping points of the primary visit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from il2cyto import clinical, tl
from il2cyto.analysis._populations import with_covariates
from il2cyto.errors import ModelError

if TYPE_CHECKING:
    from il2cyto.analysis._inputs import Inputs
    from il2cyto.analysis._plan import Plan

#: Imputations of each population; more change the third digit of p.
IMPUTATIONS: Final = 200
_COUNTS: Final = ("n_treatment", "missing_treatment", "n_control", "missing_control")
_NUMBERS: Final = ("estimate", "se", "df", "ci_low", "ci_high", "p", "odds_ratio", "fmi")
_TEXT: Final = ("population", "denominator", "visit", "contrast")
_DELTA: Final = {
    **dict.fromkeys(_TEXT, pl.String),
    **dict.fromkeys(("delta_treatment", "delta_control"), pl.Float64),
    **dict.fromkeys(_COUNTS, pl.Int64),
    **dict.fromkeys(_NUMBERS, pl.Float64),
    "tips": pl.Boolean,
    "flags": pl.String,
}


def population_delta(inputs: Inputs) -> tuple[pl.DataFrame, list[str]]:
    """Shift what is imputed for treated subjects without a value at the primary visit; also why some populations are left out.

    A population that lacks no value there has no rows; one that cannot be imputed has rows of NaN.
    """
    parts = [pl.DataFrame(schema=_DELTA)]
    notices: list[str] = []
    if inputs.primary not in inputs.after or not inputs.contrasts or not inputs.settings.deltas:
        return parts[0], notices
    every = with_covariates(inputs).filter(pl.col("frequency").is_finite())
    logit = pl.Series("logit", tl.empirical_logit(every["count"].to_numpy(), every["parent_count"].to_numpy()))
    covariates = list(inputs.settings.covariates)
    keys = ["population", "parent", "subject", "visit", "arm"]
    logits = (
        every.with_columns(logit)
        .group_by(keys, maintain_order=True)
        .agg(pl.col("logit").mean(), pl.col(covariates).first())
    )
    deltas = [(delta, 0.0) for delta in inputs.settings.deltas]
    for population, parent in inputs.parents.items():
        own = logits.filter(pl.col("population") == population, pl.col("parent") == parent)
        grid = _expected(own, inputs, covariates)
        at = grid.filter(pl.col("visit").cast(pl.String) == inputs.primary)
        if not at["logit"].null_count() or len(set(at["arm"])) < 2:
            continue
        named = {"population": pl.lit(population), "denominator": pl.lit(parent), "visit": pl.lit(inputs.primary)}
        try:
            table = tl.delta_adjusted(
                grid, response="logit", subject="subject", visit="visit", arm="arm", at=inputs.primary, deltas=deltas,
                covariates=["baseline", *covariates], control=inputs.control, imputations=IMPUTATIONS,
                level=inputs.settings.level,
            ).with_columns(**named, odds_ratio=pl.col("estimate").exp(), flags=pl.lit(""))  # fmt: skip
        except ModelError as error:
            notices.append(f"population_delta: {population} of {parent}: not imputed: {error}")
            table = _not_fitted(population, parent, inputs)
        parts.append(table.select(*_DELTA))
    return pl.concat(parts), notices


def _expected(own: pl.DataFrame, inputs: Inputs, covariates: list[str]) -> pl.DataFrame:
    """Cross the subjects with a value at baseline with every visit after it; the logit is null where there is none."""
    visit = pl.col("visit").cast(pl.String)
    people = own.filter(visit == inputs.baseline).select("subject", "arm", *covariates, baseline="logit")
    after = pl.DataFrame({"visit": inputs.after}, schema={"visit": pl.Enum(inputs.after)})
    seen = own.filter(visit.is_in(inputs.after)).select("subject", visit.cast(pl.Enum(inputs.after)), "logit")
    return people.join(after, how="cross").join(seen, on=["subject", "visit"], how="left", maintain_order="left")


def _not_fitted(population: str, parent: str, inputs: Inputs) -> pl.DataFrame:
    rows = [
        {
            "population": population,
            "denominator": parent,
            "visit": inputs.primary,
            "contrast": contrast,
            "flags": "not_fitted",
        }
        | {"delta_treatment": delta, "delta_control": 0.0}
        | dict.fromkeys(_NUMBERS, np.nan)
        for contrast in inputs.contrasts
        for delta in inputs.settings.deltas
    ]
    return pl.DataFrame(rows, schema=_DELTA)


def binary_tipping(plan: Plan, binary: pl.DataFrame) -> pl.DataFrame:
    """Test every outcome that the missing subjects of mITT could have had in the planned response at the primary visit."""
    inputs = plan.inputs
    visit = inputs.trial.primary.visit if inputs.trial.primary else None
    endpoint = inputs.settings.response
    if visit is None or endpoint not in set(binary["endpoint"].cast(pl.String)):
        return pl.DataFrame()
    mitt = plan.sets.filter("mitt").select("subject", pl.col("arm").cast(pl.String))
    parts = []
    for arm in mitt["arm"].unique().sort().to_list():
        pair = mitt.filter(pl.col("arm").is_in([arm, plan.control]))
        if arm == plan.control or pair["arm"].n_unique() < 2:
            continue
        counts = clinical.tipping_point(binary, pair, endpoint=endpoint, visit=visit, control=plan.control)
        if counts.height == 1:
            continue
        s = inputs.settings
        named = {"endpoint": endpoint, "set": "mitt", "visit": visit, "contrast": f"{arm} - {plan.control}"}
        table = tl.tipping_contrasts(counts, interval=s.interval, test=s.test, level=plan.level)
        parts.append(table.select(*(pl.lit(text).alias(name) for name, text in named.items()), pl.all()))
    return pl.concat(parts) if parts else pl.DataFrame()

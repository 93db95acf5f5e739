"""The planned clinical tables: endpoints and their contrasts, sensitivity analyses, differences in safety, Table 1."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
from scipy.special import gammaincinv

from il2cyto import clinical, tl
from il2cyto.analysis._unseen import binary_tipping
from il2cyto.errors import ModelError
from il2cyto.tl._mmrm._fallback import offered_ddf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from il2cyto.analysis._collect import Collected
    from il2cyto.analysis._inputs import Inputs
    from il2cyto.clinical import Endpoints
    from il2cyto.study import ClinicalSettings

#: Endpoints that are analysed as logarithms.
LOGGED: Final = ("upe_g_24h",)
_SETS: Final = ("mitt", "itt")
_STRATIFIED: Final = ("sato", "miettinen_nurminen")
_CHARACTERISTICS: Final = (
    "sex",
    "age",
    "weight_kg",
    "height_cm",
    "disease_months",
    "lupus_nephritis",
    "stratum",
    "site",
)
_CONTRASTS: Final = ("endpoint", "unit", "visit", "week", "contrast", "model", "n_treatment", "n_control")
_NUMBERS: Final = ("estimate", "se", "df", "ci_low", "ci_high", "p")
#: Rates of adverse events are per so many years of patients.
_PER: Final = 100


@dataclass(frozen=True)
class Plan:
    """What the clinical tables share: settings, subjects, analysis sets, control arm."""

    inputs: Inputs
    settings: ClinicalSettings
    subjects: pl.DataFrame
    sets: pl.DataFrame
    control: str

    @property
    def level(self) -> float:
        """Confidence level of every interval, as the study file sets it."""
        return self.inputs.settings.level

    @property
    def start(self) -> str | None:
        """The baseline visit of the schedule."""
        return next((planned.visit for planned in self.inputs.trial.schedule if planned.baseline), None)

    def add_endpoints(self, made: Collected, found: Endpoints, visits: pl.DataFrame) -> None:
        """Binary and continuous endpoints, their contrasts and sensitivity analyses."""
        binary = found.binary
        made.add("binary_endpoints", lambda: self.rates(binary))
        made.add("binary_contrasts", lambda: self.binary(binary))
        made.add("binary_sensitivities", lambda: self.binary_sensitivities(binary))
        made.add("binary_tipping", lambda: binary_tipping(self, binary))
        made.add("binary_within", lambda: self.binary_within(binary))
        made.add("sri_components", lambda: self.sri_components(visits))
        continuous, mitt = found.continuous, self.sets.filter("mitt")
        made.add(
            "continuous_endpoints",
            lambda: tl.continuous_endpoints(continuous, mitt, control=self.control, level=self.level),
        )
        if self.start is None:
            return
        start = self.start
        continuous = self._with_logarithms(continuous, made)

        @cache
        def simple() -> pl.DataFrame:
            return tl.continuous_contrasts(
                continuous, mitt, control=self.control, baseline=start, log=LOGGED, level=self.level
            )

        made.add("continuous_contrasts", lambda: self.continuous(continuous, mitt, simple()))
        made.add("continuous_sensitivities", simple)

    @staticmethod
    def _with_logarithms(continuous: pl.DataFrame, made: Collected) -> pl.DataFrame:
        """Leave out values of logged endpoints that have no logarithm: 0 where no value is positive to take half of."""
        given = pl.col("log_value") if "log_value" in continuous.columns else pl.lit(None, pl.Float64)
        wrong = pl.col("endpoint").is_in(LOGGED) & given.is_null() & (pl.col("value") <= 0)
        for name, count in continuous.filter(wrong).group_by("endpoint", maintain_order=True).len().iter_rows():
            made.notices.append(
                f"{name}: {count} values have no logarithm, and none is positive to take half of; not compared"
            )
        return continuous.filter(~wrong.fill_null(value=False))

    def rates(self, binary: pl.DataFrame) -> pl.DataFrame:
        """Share of responders; an endpoint that is not asked for at baseline has no row there."""
        table = tl.binary_endpoints(binary, self.sets, control=self.control, analysis_sets=_SETS, level=self.level)
        return table.filter((pl.col("visit") != (self.start or "")) | (pl.col("n") > 0))

    def binary(self, binary: pl.DataFrame) -> pl.DataFrame:
        """Differences between arms, by the interval and test of the plan."""
        s = self.inputs.settings
        table = tl.binary_contrasts(
            binary,
            self.sets,
            control=self.control,
            analysis_sets=_SETS,
            interval=s.interval,
            test=s.test,
            level=self.level,
        )
        return table.filter((pl.col("visit") != (self.start or "")) | (pl.col("n_treatment") + pl.col("n_control") > 0))

    def binary_sensitivities(self, binary: pl.DataFrame) -> pl.DataFrame:
        """Newcombe and Boschloo, strata, covariates, and other rules for missing statuses, at the primary visit."""
        visit = self.inputs.trial.primary.visit if self.inputs.trial.primary else None
        at = binary.filter(pl.col("visit").cast(pl.String) == visit)
        if not at.height:
            return pl.DataFrame()
        compare = partial(tl.binary_contrasts, control=self.control, analysis_sets=_SETS, level=self.level)
        parts = [compare(at, self.sets, interval="newcombe", test="boschloo")]
        if "stratum" in self.subjects.columns and self.subjects["stratum"].n_unique() > 1:
            strata = self.sets.join(
                self.subjects.select("subject", "stratum"), on="subject", maintain_order="left", how="left"
            )
            parts += [compare(at, strata, stratum="stratum", stratified_interval=i) for i in _STRATIFIED]
        if covariates := [name for name in self.inputs.settings.covariates if name in self.subjects.columns]:
            known = self.subjects.select("subject", *(name for name in covariates if name not in self.sets.columns))
            adjusted = self.sets.join(known, on="subject", maintain_order="left", how="left")
            parts.append(
                tl.standardised_contrasts(
                    at, adjusted, control=self.control, covariates=covariates, analysis_sets=_SETS, level=self.level
                )
            )
        rules: tuple[clinical.MissingRule, ...] = ("locf", "best", "worst")
        for rule in rules:
            imputed = clinical.impute(binary, self.subjects, rule=rule, control=self.control).filter(
                pl.col("visit").cast(pl.String) == visit
            )
            parts.append(compare(imputed, self.sets).filter(rule="nri").with_columns(rule=pl.lit(rule)))
        return pl.concat(parts).with_columns(role=pl.lit("sensitivity"))

    def binary_within(self, binary: pl.DataFrame) -> pl.DataFrame:
        """Exact McNemar of a status against baseline, of endpoints that have one there."""
        mitt = self.sets.filter("mitt").select("subject", pl.col("arm").cast(pl.String))
        rows = (
            binary.filter("evaluable")
            .with_columns(pl.col("visit").cast(pl.String))
            .join(mitt, on="subject", maintain_order="left")
        )
        first = rows.filter(visit=self.start).select("subject", "endpoint", before="observed")
        pairs = rows.filter(pl.col("visit") != self.start).join(
            first, on=["subject", "endpoint"], maintain_order="left"
        )
        schema = dict.fromkeys(("endpoint", "visit", "arm"), pl.String) | dict.fromkeys(
            ("n", "gained", "lost"), pl.Int64
        )
        made = []
        for keys, own in pairs.group_by("endpoint", "visit", "arm", maintain_order=True):
            test = tl.mcnemar(own["before"].to_list(), own["observed"].to_list())
            made.append((*keys, test.n, test.gained, test.lost, test.p, "McNemar, exact"))
        return pl.DataFrame(made, schema=schema | {"p": pl.Float64, "method": pl.String}, orient="row")

    def sri_components(self, visits: pl.DataFrame) -> pl.DataFrame:
        """Who meets which part of the response index."""
        s = self.settings
        status = clinical.sri4(
            visits, self.subjects, k=s.sri.k, pga_scale=s.pga_scale, pga_worsening=s.sri.pga_worsening, bilag=s.bilag
        )
        counted = clinical.sri4_components(status, self.sets.filter("mitt"))
        return self.compared(counted, keys=("visit", "week", "component"))

    def compared(self, counts: pl.DataFrame, *, keys: Sequence[str] = ()) -> pl.DataFrame:
        """Add the risk difference of each arm from control, on the row of that arm, with its interval; rates where time is known."""
        names = ("subjects", "n") if "subjects" in counts.columns else ("x", "n")
        keys = keys or [name for name in ("row", "soc", "pt") if name in counts.columns]
        base = counts.with_columns(pl.col("arm").cast(pl.String))
        reference = base.filter(arm=self.control).select(*keys, _x=names[0], _n=names[1])
        joined = base.join(reference, on=list(keys), how="left", nulls_equal=True, maintain_order="left")
        rows: list[tuple[float | None, ...]] = []
        for arm, x1, n1, x2, n2 in joined.select("arm", *names, "_x", "_n").iter_rows():
            if arm == self.control or x2 is None:
                rows.append((None, None, None))
                continue
            c = tl.compare_proportions(x1, n1, x2, n2, level=self.level)
            rows.append((c.risk_difference, c.ci_low, c.ci_high))
        schema = dict.fromkeys(("risk_difference", "ci_low", "ci_high"), pl.Float64)
        table = joined.drop("_x", "_n").hstack(pl.DataFrame(rows, schema=schema, orient="row"))
        return self._with_rates(table) if "patient_years" in table.columns else table

    def _with_rates(self, table: pl.DataFrame) -> pl.DataFrame:
        """Add events per 100 patient-years with their exact Poisson interval (Garwood, Biometrika 1936;28:437)."""
        events = table["events"].to_numpy().astype(float)
        years = np.where(table["patient_years"] > 0, table["patient_years"].to_numpy() / _PER, np.nan)
        tail = (1 - self.level) / 2
        low = np.where(events > 0, gammaincinv(np.maximum(events, 1), tail), 0.0)
        high = gammaincinv(events + 1, 1 - tail)
        return table.with_columns(rate=pl.Series(events / years), rate_low=pl.Series(low / years), rate_high=pl.Series(high / years))  # fmt: skip

    def continuous(self, continuous: pl.DataFrame, mitt: pl.DataFrame, simple: pl.DataFrame) -> pl.DataFrame:
        """Give one model per endpoint: the mixed model, or analysis of covariance where that cannot be fitted."""
        parts = [simple.clear()]
        for endpoint in simple["endpoint"].unique(maintain_order=True):
            own = simple.filter(endpoint=endpoint, model="ancova_hc3")
            try:
                parts.append(self._mixed(continuous.filter(endpoint=endpoint), mitt, own))
            except ModelError:
                parts.append(own)
        return pl.concat(parts)

    def _mixed(self, rows: pl.DataFrame, mitt: pl.DataFrame, like: pl.DataFrame) -> pl.DataFrame:
        if "evaluable" in rows.columns:
            rows = rows.filter("evaluable")
        value = "log_value" if rows["endpoint"][0] in LOGGED else "value"
        rows = rows.with_columns(y=pl.col(value)).join(
            mitt.select("subject", pl.col("arm").cast(pl.String)), on="subject"
        )
        first = rows.filter(pl.col("visit").cast(pl.String) == self.start).select("subject", base="y")
        after = rows.filter(pl.col("visit").cast(pl.String) != self.start).join(
            first, on="subject", maintain_order="left"
        )
        seen = after.filter(pl.col("y").is_not_null()).select("visit").unique()
        after = after.join(seen, on="visit", how="semi")
        s = self.inputs.settings
        result = tl.mmrm(
            after, response="y", subject="subject", visit="visit", arm="arm", covariates=["base"], control=self.control,
            covariance=s.covariance, ddf=offered_ddf(s.covariance, s.ddf), level=s.level,
        )  # fmt: skip
        d = result.diagnostics
        name = f"MMRM {d.covariance}, {d.ddf}" if d.converged else "ANCOVA"
        numbers = result.contrasts.with_columns(pl.col("visit").cast(pl.String)).select("visit", "contrast", *_NUMBERS)
        joined = like.select(*_CONTRASTS).join(numbers, on=["visit", "contrast"], how="left", maintain_order="left")
        return joined.with_columns(pl.col(_NUMBERS).fill_null(np.nan), model=pl.lit(name)).select(like.columns)

    def baseline(self, found: Endpoints | None) -> pl.DataFrame:
        """Table 1 of all randomised subjects."""
        people = self.sets.filter("itt").select("subject", "arm")
        names = [c for c in self.subjects.columns if c in _CHARACTERISTICS or c.startswith("med_")]
        known = [name for name in names if self.subjects[name].count()]
        table = people.join(self.subjects.select("subject", *known), on="subject", how="left", maintain_order="left")
        if found is not None and self.start is not None:
            first = found.continuous.filter(pl.col("visit").cast(pl.String) == self.start, pl.col("evaluable"))
            if first.height:
                wide = first.pivot("endpoint", index="subject", values="value")
                table = table.join(wide, on="subject", how="left", maintain_order="left")
        return tl.baseline_table(table, control=self.control)

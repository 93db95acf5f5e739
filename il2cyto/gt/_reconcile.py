"""Reconcile: a pure function of the table of proposed cuts. It decides which cut each sample is gated with, and says why.

It is blind to arm, visit, date and response by construction: the only columns it takes beside the proposals are batch,
subject and whether a tube is a bridging control. The rule: robust consensus of the group, empirical-Bayes shrinkage at level `sample`, the consensus itself at the
locked levels, and a climb subject -> batch -> study -> the template's number where a group is too small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from il2cyto.errors import GatingError
from il2cyto.gt._bootstrap import mad
from il2cyto.gt._flags import Flag
from il2cyto.template import FmoGate
from il2cyto.template._gate import Coordinate

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import numpy.typing as npt

    from il2cyto.template import Adapt, GatingTemplate, Population

    FloatArray = npt.NDArray[np.float64]

GROUP_COLUMNS = ("sample", "batch", "subject", "control")
_CLIMB = {
    "own": ("batch", "study"),
    "sample": ("batch", "study"),
    "subject": ("subject", "batch", "study"),
    "batch": ("batch", "study"),
    "study": ("study",),
}
_UNSTABLE_WIDTH = 0.055  # a quarter of a decade on a logicle scale
#: Robust standard deviations (MAD) within which 99.5 % of the members of a normal group of 3, 4, ... 14 lie: the MAD of a few is itself
#: so uncertain that four of them are soon exceeded. By simulation, 500,000 groups each; from 15 on it is about 4 or less.
_FEW = (74.1, 11.2, 12.8, 7.1, 7.5, 5.6, 5.7, 4.9, 4.9, 4.4, 4.5, 4.1)

CUT_SCHEMA: dict[str, Any] = {
    "sample": pl.String,
    "population": pl.String,
    "coordinate": pl.String,
    "method": pl.String,
    "own": pl.Float64,
    "spread": pl.Float64,
    "final": pl.Float64,
    "final_spread": pl.Float64,
    "centre": pl.Float64,
    "tau": pl.Float64,
    "delta": pl.Float64,
    "level": pl.String,
    "group": pl.String,
    "group_size": pl.Int64,
    "n": pl.Int64,
    "flags": pl.Int64,
    "reason": pl.String,
}


@dataclass(frozen=True, slots=True)
class _Consensus:
    """What the usable cuts of a group agree on."""

    centre: float
    tau: float
    spread: float
    size: int
    outlier: npt.NDArray[np.bool_]  # over all samples


@dataclass(frozen=True, slots=True)
class _Column:
    """One coordinate of one gate over all samples, in the order of the groups table."""

    value: FloatArray
    spread: FloatArray
    width: FloatArray  # q95 - q05
    missing: FloatArray
    n: npt.NDArray[np.int64]
    flags: npt.NDArray[np.int64]
    inside: npt.NDArray[np.bool_]  # finite and within bounds
    usable: npt.NDArray[np.bool_]
    speaks: npt.NDArray[np.bool_]  # usable, and one of those on which the group's cut is fitted
    delta: float
    span: float


def reconcile(
    proposals: pl.DataFrame, groups: pl.DataFrame, template: GatingTemplate, *, accepted: Collection[str] = ()
) -> pl.DataFrame:
    """Final cuts for every sample and fitted gate.

    Parameters
    ----------
    proposals
        All files' rows from :func:`il2cyto.gt.propose`.
    groups
        One row per sample: ``sample``, ``batch``, ``subject``, and no other column but ``control``: true for a bridging control,
        one material run in every batch. A null batch or subject is a group of its own.
    template
        The template that the cuts belong to.
    accepted
        Samples whose panel a person has accepted although the template's `expect` is broken.

    Returns
    -------
    Frame with the columns of ``CUT_SCHEMA``, sorted by population and sample: own cut and spread, final cut and spread (both
    on the template's scale; NaN where no level has a cut), the group's centre and between-sample standard deviation tau,
    level and group used, flags and reason. A file whose panel is not plausible is in no group and has no cut: its rows carry
    PANEL_IMPLAUSIBLE and what is wrong.

    Raises
    ------
    GatingError
        If `groups` holds any other column: cuts must not learn of arm, visit or response.

    Notes
    -----
    For a sample's cut t with spread s in a group with centre m and tau^2 = max(0, MAD^2 - median s^2), the final cut at level
    `sample` is m + w (t - m) with w = tau^2 / (tau^2 + s^2). Where no group is large enough, a usable own cut stands at level
    `sample`; at the locked levels it stands, with SMALL_GROUP, where the template has no number either; at level `own` a cut within
    its bounds always stands. The height of a line, the apex of a corner and the centre of an ellipse follow this rule coordinate by
    coordinate, and an axis that is another population's cut takes that one's final cut. The other numbers of a shape are the file's
    own or the group's median: at level `own` they are the file's; at level `sample` so are those of a singlet band and the slope of a
    line, while the slope of a corner and size and tilt of an ellipse are the group's; at the locked levels all are the group's.
    Whatever a file lacks is the group's. A cut is an outlier if it lies further from its group's median than
    sqrt((k MAD)^2 + (outlier_k max(s, delta_min))^2), with k = `outlier_k` or, in groups of less than 15, the larger number of MADs
    that one cut in 200 exceeds by chance. With `fit_on: controls` a group's cut is that of its bridging controls alone, however
    few; the other files have no say in it.
    """
    extra = sorted(set(groups.columns) - set(GROUP_COLUMNS))
    if extra:
        msg = f"reconcile: groups has the columns {', '.join(extra)}; allowed are {', '.join(GROUP_COLUMNS)} alone"
        raise GatingError(msg)
    groups = groups.sort("sample")
    refused = {s: why for s, why in proposals.select("sample", "panel").iter_rows() if why and s not in accepted}
    proposals = proposals.filter(~pl.col("sample").is_in(list(refused)))
    keys = _group_keys(groups)
    done: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    for name in template.order:
        population = template.by_name[name]
        if population.gate is None or not population.gate.fitted:
            continue
        for coordinate, table in _coordinates(proposals, population):
            of = population.gate.coordinate(coordinate).of
            if of is not None and (of, "cut") in done:
                done[name, coordinate] = [(row[0], name, coordinate, *row[3:]) for row in done[of, "cut"]]
                continue
            column = _column(table, groups, population, coordinate, template)
            adapt = _adapt(population, template)
            done[name, coordinate] = _decide(column, keys, groups, table, population, coordinate, adapt)
    cuts = pl.DataFrame([row for rows in done.values() for row in rows], schema=CUT_SCHEMA, orient="row")
    return _refuse(cuts, refused)


def _refuse(cuts: pl.DataFrame, refused: Mapping[str, str]) -> pl.DataFrame:
    """Take the cuts from files whose panel is not plausible."""
    here = pl.col("sample").is_in(list(refused))
    reasons = pl.col("sample").replace_strict(refused, default=None, return_dtype=pl.String)
    return cuts.with_columns(
        *(pl.when(here).then(float("nan")).otherwise(pl.col(name)).alias(name) for name in ("final", "final_spread")),
        pl.when(here).then(int(Flag.PANEL_IMPLAUSIBLE)).otherwise(pl.col("flags")).alias("flags"),
        pl.when(here).then(reasons).otherwise(pl.col("reason")).alias("reason"),
    )


def _adapt(population: Population, template: GatingTemplate) -> Adapt:
    adapt = template.adapt_of(population.name)
    # A control speaks for its batch, however few there are.
    alone = isinstance(population.gate, FmoGate) or adapt.fit_on == "controls"
    return adapt.model_copy(update={"min_group": 1}) if alone else adapt


def _group_keys(groups: pl.DataFrame) -> dict[str, list[str]]:
    batch = groups["batch"].cast(pl.String).fill_null("").to_list()
    subject = groups["subject"].cast(pl.String).fill_null("").to_list()
    # A patient shares a cut only among the visits that were run together.
    together = [f"{s} in {b}" if b else s for s, b in zip(subject, batch, strict=True)]
    return {"subject": together, "batch": batch, "study": [""] * groups.height}


def _coordinate(population: Population, name: str) -> Coordinate:
    return Coordinate() if population.gate is None else population.gate.coordinate(name)


def _coordinates(proposals: pl.DataFrame, population: Population) -> list[tuple[str, pl.DataFrame]]:
    own = proposals.filter(pl.col("population") == population.name)
    names = sorted(own["coordinate"].unique().to_list()) or ["cut"]
    return [(name, own.filter(pl.col("coordinate") == name)) for name in names]


def _column(
    table: pl.DataFrame, groups: pl.DataFrame, population: Population, coordinate: str, template: GatingTemplate
) -> _Column:
    full = groups.select("sample").join(table, on="sample", how="left", maintain_order="left")
    numbers = {
        name: full[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        for name in ("value", "spread", "q05", "q95", "missing", "span")
    }
    n = full["n"].fill_null(0).to_numpy()
    spans = numbers["span"][np.isfinite(numbers["span"])]
    span = float(np.median(spans)) if spans.size else 1.0
    low, high = _coordinate(population, coordinate).bounds
    value = numbers["value"]
    inside = np.isfinite(value) & (value >= low) & (value <= high)
    adapt = template.adapt_of(population.name)
    # An FMO control has its own floor, which it has passed.
    floor = 0 if isinstance(population.gate, FmoGate) else template.min_parent_of(population.name).warn
    usable = inside & (n >= floor)
    controls = groups["control"].to_numpy() if "control" in groups.columns else np.zeros(len(value), np.bool_)
    return _Column(
        value=value,
        spread=np.nan_to_num(numbers["spread"], nan=0.0),
        width=numbers["q95"] - numbers["q05"],
        missing=np.nan_to_num(numbers["missing"]),
        n=n,
        flags=full["flags"].fill_null(0).to_numpy(),
        inside=inside,
        usable=usable,
        speaks=usable & controls if adapt.fit_on == "controls" else usable,
        delta=adapt.delta_min * span,
        span=span,
    )


def _decide(
    column: _Column,
    keys: dict[str, list[str]],
    groups: pl.DataFrame,
    table: pl.DataFrame,
    population: Population,
    coordinate: str,
    adapt: Adapt,
) -> list[tuple[Any, ...]]:
    reasons = dict(zip(table["sample"], table["reason"], strict=True))
    method = population.gate.method if population.gate else ""
    cache: dict[tuple[str, str], _Consensus | None] = {}
    rule, (low, high), _ = _coordinate(population, coordinate)
    rows = []
    for i, sample in enumerate(groups["sample"]):
        level, group, consensus = _find_group(i, column, keys, adapt, cache)
        final, spread, flags = (
            _final(i, column, consensus, adapt, level)
            if rule == "cut"
            else _shape(i, column, consensus, adapt, of_group=rule == "median")
        )
        flags |= int(column.flags[i]) | _instability(i, column)
        if np.isfinite(final) and not low <= final <= high:
            final, flags = float(np.clip(final, low, high)), flags | Flag.CLAMPED
        reason = reasons.get(sample, "an ancestor has no cut in this file")
        size = consensus.size if consensus else 0
        centre, tau = (consensus.centre, consensus.tau) if consensus else (float("nan"), float("nan"))
        rows.append(
            (
                *(sample, population.name, coordinate, method, float(column.value[i]), float(column.spread[i])),
                *(final, spread, centre, tau, column.delta, level, group, size, int(column.n[i]), int(flags), reason),
            )
        )
    return rows


def _find_group(
    i: int, column: _Column, keys: dict[str, list[str]], adapt: Adapt, cache: dict[tuple[str, str], _Consensus | None]
) -> tuple[str, str, _Consensus | None]:
    """The nearest group of sample i that is large enough, climbing from the gate's level."""
    for level in _CLIMB.get(adapt.level, ()):
        group = keys[level][i]
        if (level, group) not in cache:
            members = np.fromiter((key == group for key in keys[level]), np.bool_, len(column.value))
            cache[level, group] = _consensus(column, members, adapt, subject=level == "subject")
        consensus = cache[level, group]
        if consensus is not None:
            return level, group, consensus
    return "fixed" if adapt.fixed is not None else "sample", "", None


def _consensus(column: _Column, members: npt.NDArray[np.bool_], adapt: Adapt, *, subject: bool) -> _Consensus | None:
    usable = members & column.speaks
    size = int(usable.sum())
    if size < (2 if subject else adapt.min_group):
        return None
    t = column.value[usable]
    if subject and size == 2 and np.ptp(t) > adapt.outlier_k * column.delta:
        return None
    middle = float(np.median(t))
    k = max([adapt.outlier_k, *_FEW[max(size - 3, 0) :][:1]])
    # A cut that is itself uncertain is shrunk for it; it has to lie beyond its own spread as well to be called wrong.
    reach = np.hypot(k * mad(t), adapt.outlier_k * np.maximum(column.spread, column.delta))
    outlier = usable & (np.abs(column.value - middle) > reach)
    kept = usable & ~outlier
    t, s = column.value[kept], column.spread[kept]
    tau2 = max(0.0, mad(t) ** 2 - float(np.median(s**2)))
    return _Consensus(float(np.median(t)), float(np.sqrt(tau2)), float(np.median(s)), size, outlier)


def _final(
    i: int, column: _Column, consensus: _Consensus | None, adapt: Adapt, level: str
) -> tuple[float, float, Flag]:
    own, usable = float(column.value[i]), bool(column.usable[i])
    if adapt.level == "own" and column.inside[i]:
        return own, float(column.spread[i]), Flag.NONE
    if consensus is None:
        if adapt.level == "sample" and usable:
            return own, float(column.spread[i]), Flag.NONE
        if adapt.fixed is not None:
            return adapt.fixed, 0.0, Flag.FIXED if adapt.level != "fixed" else Flag.NONE
        if usable:  # a locked gate without peers to be locked to: the own cut, and a warning
            return own, float(column.spread[i]), Flag.SMALL_GROUP
        return float("nan"), float("nan"), Flag.NONE
    flags = Flag.SMALL_GROUP if level != _CLIMB[adapt.level][0] else Flag.NONE
    if bool(consensus.outlier[i]):
        # Without a valley and without a spread it is the template's number that stood in, not a cut of this file.
        stands_in = column.flags[i] & Flag.NO_VALLEY and not column.spread[i]
        flags |= Flag.CONSENSUS if stands_in else Flag.OUTLIER_CUT
    elif not usable:
        flags |= Flag.CONSENSUS
    if adapt.level not in ("own", "sample"):
        return consensus.centre, max(consensus.tau, consensus.spread), flags | Flag.LOCKED
    if flags & (Flag.OUTLIER_CUT | Flag.CONSENSUS):
        return consensus.centre, max(consensus.tau, consensus.spread), flags
    s, tau2 = float(column.spread[i]), consensus.tau**2
    weight = tau2 / (tau2 + s * s) if tau2 + s * s > 0 else 0.0
    final = consensus.centre + weight * (own - consensus.centre)
    if abs(final - own) > column.delta:
        flags |= Flag.SHRUNK
    return final, float(np.sqrt(weight)) * s, flags


def _shape(
    i: int, column: _Column, consensus: _Consensus | None, adapt: Adapt, *, of_group: bool
) -> tuple[float, float, Flag]:
    """A number of a shape that is no position: the file's own fit or the group's median, as the level says; `of_group` at `sample`."""
    own, locked = bool(column.inside[i]), adapt.level not in ("own", "sample")
    if own and (consensus is None or not (locked or (of_group and adapt.level == "sample"))):
        return float(column.value[i]), 0.0, Flag.NONE
    if consensus is None:
        return float("nan"), float("nan"), Flag.NONE
    return consensus.centre, 0.0, (Flag.NONE if own else Flag.CONSENSUS) | (Flag.LOCKED if locked else Flag.NONE)


def _instability(i: int, column: _Column) -> Flag:
    wide = np.isfinite(column.width[i]) and column.width[i] > _UNSTABLE_WIDTH * column.span
    return Flag.UNSTABLE if wide or column.missing[i] > 0.1 else Flag.NONE

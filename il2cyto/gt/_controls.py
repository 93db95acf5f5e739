"""FMO controls: the cuts that they give to the samples of their batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from il2cyto.gt._flags import Flag
from il2cyto.gt._propose import PROPOSAL_SCHEMA, panel_of
from il2cyto.template import FmoGate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from il2cyto.template import GatingTemplate


def left_out_markers(template: GatingTemplate) -> frozenset[str]:
    """The markers, in lower case, for which the template needs an FMO control."""
    return frozenset(p.gate.channel.casefold() for p in template.populations if isinstance(p.gate, FmoGate))


def control_cuts(
    proposals: Mapping[str, pl.DataFrame],
    tubes: Mapping[str, tuple[str | None, str]],
    template: GatingTemplate,
) -> dict[str | None, pl.DataFrame]:
    """The rows of the fmo gates that each batch's controls propose.

    Parameters
    ----------
    proposals
        Control -> its table, from :func:`il2cyto.gt.propose`.
    tubes
        Control -> its batch, and the marker that was left out of it.

    Returns
    -------
    Batch -> at most one row for each fmo gate: that of the control with the most events in the gate's parent. A control
    with too few, or whose panel is not plausible, gives a row without a cut, which says so.
    """
    by_batch: dict[str | None, list[pl.DataFrame]] = {}
    for control in sorted(proposals):
        batch, marker = tubes[control]
        names = [
            p.name
            for p in template.populations
            if isinstance(p.gate, FmoGate) and p.gate.channel.casefold() == marker.casefold()
        ]
        rows = proposals[control].filter(pl.col("population").is_in(names))
        by_batch.setdefault(batch, []).append(_without_cuts(rows) if panel_of(rows) else rows)
    return {
        batch: pl.concat(tables)
        .sort(pl.col("value").is_finite(), "n", descending=True, maintain_order=True)
        .unique("population", keep="first", maintain_order=True)
        for batch, tables in by_batch.items()
    }


def _without_cuts(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of a control whose markers do not behave as their labels say."""
    return rows.with_columns(
        value=pl.lit(float("nan")),
        flags=pl.lit(int(Flag.FMO_MISSING), pl.Int64),
        reason=pl.lit("FMO control: ") + pl.col("panel"),
    )


def settled_by(rows: pl.DataFrame | None) -> dict[str, dict[str, float]]:
    """The cuts of a batch's controls as :func:`il2cyto.gt.propose` takes them: they are not for the sample to choose."""
    if rows is None:
        return {}
    found = rows.filter(pl.col("value").is_finite())
    return {
        population: {coordinate: value}
        for population, coordinate, value in found.select("population", "coordinate", "value").iter_rows()
    }


def with_controls(proposals: pl.DataFrame, rows: pl.DataFrame | None, *, sample: str) -> pl.DataFrame:
    """The proposals of a sample with those of its batch's controls in the place of its own."""
    if rows is None:
        return proposals
    own = proposals.filter(~pl.col("population").is_in(rows["population"].implode()))
    here = {"sample": pl.lit(sample), "panel": pl.lit(panel_of(proposals))}
    return pl.concat([own, rows.with_columns(**here).select(*PROPOSAL_SCHEMA)])

"""Gates of one sample on its events, read from the FCS file and gated with the cohort's final cuts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from il2cyto import get
from il2cyto._keys import Obs
from il2cyto.errors import FcsError
from il2cyto.gt._apply import FinalCuts
from il2cyto.gt._plan import Events, make_plan
from il2cyto.gt._tree import Tree
from il2cyto.gt._views import with_scatter
from il2cyto.io import open_fcs
from il2cyto.pl._gates import density
from il2cyto.pl._outlines import owned_gate
from il2cyto.pl._scales import spec_of

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    from matplotlib.axes import Axes

    from il2cyto.gt._plan import Plan
    from il2cyto.io import FcsFile
    from il2cyto.pl._gated import GatedCohort

    FloatArray = npt.NDArray[np.float64]

#: Second axis of a gate on one channel: the first of these that the file has and that is not the gate's own.
SECOND = ("SSC-A", "FSC-A")


@dataclass(frozen=True)
class SampleEvents:
    """A file's events and populations, gated with the final cuts of a sample."""

    cohort: GatedCohort
    sample: str
    tree: Tree

    @classmethod
    def of(cls, cohort: GatedCohort, file: FcsFile, *, sample: str, plan: Plan | None = None) -> SampleEvents:
        """Gate a file; with a plan, its channels are where that plan has them."""
        if plan is None:
            aliases = {str(k): str(v) for k, v in cohort.adata.uns["il2cyto"]["aliases"].items()}
            plan = with_scatter(make_plan(cohort.template, file.panel(aliases), file=file.name))
        final = FinalCuts(_final_cuts(cohort, sample), sample)
        polygons = cohort.polygons.get(sample, {})
        tree = Tree(Events(file, plan), lambda population, gate, tree: final.decide(population), polygons=polygons)
        return cls(cohort, sample, tree)

    def linear(self, key: str, population: str) -> FloatArray:
        """Compensated values of a marker in a population; empty where it is not evaluable."""
        node = self.tree.nodes[population]
        return self.tree.events.linear(key)[node.mask] if node.evaluable else np.empty(0)

    def draw(self, ax: Axes, population: str) -> bool:
        """Draw a population's gate on its parent's events; False where that has no picture on two channels."""
        cohort = self.cohort
        expression = cohort.template.by_name[population].expression
        gates = [population] if expression is None else list(expression.names())
        keys = self._axes(gates)
        parent = cohort.template.by_name[population].parent
        # What lies in another parent would be counted among other cells than those in the picture.
        elsewhere = any(cohort.template.by_name[gate].parent != parent for gate in gates)
        if keys is None or elsewhere or not self.tree.nodes[parent].evaluable:
            return False
        x, y = keys
        spec_x, spec_y = (spec_of(cohort.adata, cohort.template, key) for key in keys)
        density(ax, self.linear(x, parent), self.linear(y, parent), spec_x=spec_x, spec_y=spec_y, label_x=x, label_y=y)
        # An axis without a top is laid out for the events; that of the stored bins may be another.
        if population in cohort.gated and y == cohort.view(population).y and hasattr(spec_y, "t"):
            cohort.scales(population)[1].draw(ax.yaxis)
        for gate in gates:
            cohort.draw_gate(ax, self.sample, gate, keys)
        cohort.write_names(ax, self.sample, population)
        return True

    def _axes(self, gates: list[str]) -> tuple[str, str] | None:
        """The two channels on which gates are seen: their own, with scatter as the second one for a single gate."""
        found = [owned_gate(self.cohort.template, name).gate for name in gates]
        own = list(dict.fromkeys(key for gate in found if gate is not None for key in gate.keys))
        there = self.tree.plan.channels
        keys = [*own, *(key for key in SECOND if len(gates) == 1 and key in there and key not in own)]
        if None in found or len(keys) < 2 or len(own) > 2 or any(key not in there for key in keys[:2]):
            return None
        return keys[0], keys[1]


def open_sample(cohort: GatedCohort, path: str | Path, *, sample: str) -> FcsFile:
    """Open a sample's FCS file.

    Raises
    ------
    FcsError
        It cannot be read, or is not the file that was gated.
    """
    file = open_fcs(path)
    known = cohort.adata.obs.get(Obs.FILE_SHA256)
    if known is not None and file.sha256() != str(known[sample]):
        raise FcsError(file.name, "content", f"not the file that sample {sample!r} was gated from", "Give that file.")
    return file


def _final_cuts(cohort: GatedCohort, sample: str) -> pl.DataFrame:
    rows = get.cuts(cohort.adata).filter(pl.col("sample") == sample)
    # What the cuts are flagged with is in the cohort object; here they only gate.
    columns = {"final": pl.col("value"), "final_spread": pl.col("spread"), "flags": pl.lit(0)}
    return rows.select("sample", "population", "coordinate", **columns)

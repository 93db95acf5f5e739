"""The laws that tie a cohort's X, layers and flags together (docs/schema.md), and where an object breaks them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from il2cyto._keys import Layers, Uns, Var

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    from anndata import AnnData

    BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class SchemaProblem:
    """One way in which an object does not follow the schema.

    Attributes
    ----------
    slot, key
        Where: ``layers`` and ``counts``; `key` may be empty.
    found, allowed, remedy
        What stands there, what may, and what to do.
    """

    slot: str
    key: str
    found: str
    allowed: str
    remedy: str

    def __str__(self) -> str:
        place = f"{self.slot}[{self.key!r}]" if self.key else self.slot
        return f"{place}: found {self.found}; allowed: {self.allowed}; {self.remedy}"


def broken_laws(adata: AnnData) -> Iterator[SchemaProblem]:
    """Check laws 1 to 4 and 6; law 5, blindness to arm and visit, is one of the gating and not seen in an object."""
    x = np.asarray(adata.X, np.float64)
    counts, parents = (np.asarray(adata.layers[key], np.float64) for key in (Layers.COUNTS, Layers.PARENT_COUNTS))
    masks = np.asarray(adata.layers[Layers.FLAG]).astype(np.int64)
    failed = (masks & _failing_bits(adata)) != 0
    with np.errstate(invalid="ignore", divide="ignore"):
        share = counts / parents
    yield from _where(
        adata,
        np.isfinite(x) & (x != share),
        "X",
        "",
        "a fraction that is not counts / parent_counts",
        "law 1: the quotient",
    )
    # A template may ask nothing of a parent; of an empty one there is no fraction, but the count of 0 stands.
    empty = parents == 0
    for slot, key, values, excused in (("X", "", x, empty), ("layers", Layers.COUNTS, counts, np.zeros_like(empty))):
        yield from _where(
            adata,
            np.isnan(values) & ~failed & ~excused,
            slot,
            key,
            "NaN without a failing flag",
            "law 2: NaN only with one",
        )
        yield from _where(
            adata, ~np.isnan(values) & failed, slot, key, "a number under a failing flag", "law 2: NaN under one"
        )
    yield from _where(
        adata, _other_parent(adata, counts, parents), "layers", Layers.PARENT_COUNTS, "another number than the parent's counts",
        "law 3: that of the parent's own column",
    )  # fmt: skip
    yield from _where(
        adata, counts > parents, "layers", Layers.COUNTS, "more events than in the parent", "law 4: at most as many"
    )
    for key, values in ((Layers.COUNTS, counts), (Layers.PARENT_COUNTS, parents)):
        odd = np.isfinite(values) & ((values < 0) | (values != np.floor(values)))
        yield from _where(adata, odd | np.isinf(values), "layers", key, "no count", "whole numbers from 0, or NaN")
    if {Layers.CUT_LOW, Layers.CUT_HIGH} <= set(adata.layers):
        low, high = (np.asarray(adata.layers[key], np.float64) for key in (Layers.CUT_LOW, Layers.CUT_HIGH))
        yield from _where(adata, low > high, "layers", Layers.CUT_LOW, "more than cut_high", "law 4: at most cut_high")
    yield from _unknown_bits(adata, masks)


def _failing_bits(adata: AnnData) -> int:
    legend = adata.uns[Uns.IL2CYTO][Uns.FLAGS]
    failing = legend["bit"][legend["severity"].astype(str) == "fail"]
    return sum(1 << int(bit) for bit in failing)


def _other_parent(adata: AnnData, counts: npt.NDArray[np.float64], parents: npt.NDArray[np.float64]) -> BoolArray:
    other = np.zeros(counts.shape, dtype=np.bool_)
    position = {name: j for j, name in enumerate(adata.var_names)}
    for j, parent in enumerate(adata.var[Var.PARENT].astype(str)):
        if parent in position:
            own = counts[:, position[parent]]
            other[:, j] = np.isfinite(own) & (parents[:, j] != own)
    return other


def _unknown_bits(adata: AnnData, masks: npt.NDArray[np.int64]) -> Iterator[SchemaProblem]:
    known = {int(bit) for bit in adata.uns[Uns.IL2CYTO][Uns.FLAGS]["bit"]}
    used = int(np.bitwise_or.reduce(masks, axis=None)) if masks.size else 0
    unknown = [bit for bit in range(used.bit_length()) if used >> bit & 1 and bit not in known]
    if unknown:
        yield SchemaProblem(
            "layers",
            Layers.FLAG,
            f"bits {', '.join(map(str, unknown))}",
            f"law 6: bits of the legend, {', '.join(map(str, sorted(known)))}",
            "restore the legend of the program that wrote the object",
        )


def _where(adata: AnnData, wrong: Any, slot: str, key: str, what: str, allowed: str) -> Iterator[SchemaProblem]:
    cells = np.argwhere(wrong)
    if len(cells):
        i, j = cells[0]
        found = f"{what} in {len(cells)} of {wrong.size} cells, first {adata.obs_names[i]}, {adata.var_names[j]}"
        yield SchemaProblem(slot, key, found, allowed, "gate the study again, or undo the edit")

"""The part of a program that some of its answers need."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from il2cyto.gt._kernels import _ops as k

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from il2cyto.gt._program import Program

#: Of those that write a row of membership: the fields with rows that they read, and with columns.
_ROWS_READ = {k.NOT: (3,), k.AND: (3, 4), k.OR: (3, 4)}
_COLUMNS_READ = {k.WITHIN: (3,), k.CUT: (3,), k.POLYGON: (3, 4), k.ELLIPSE: (3, 4), k.SINGLET: (3, 4)}
_TESTS = {k.WITHIN, k.ALL, k.NOT, k.AND, k.OR, k.CUT, k.POLYGON, k.ELLIPSE, k.SINGLET, k.ASK}


def only_histograms(program: Program, wanted: npt.ArrayLike, *, kind: int = k.HISTOGRAM) -> Program:
    """The program that does nothing but fill some of the histograms; with another `kind` it does that with their values."""
    chosen = np.isin(program.ops[:, 3], wanted) & (program.ops[:, 0] == k.HISTOGRAM)
    lists, rows, columns, kept = {0}, set[int](), set[int](), []
    for o in reversed(range(len(program.ops))):
        op = program.ops[o].tolist()
        if not chosen[o] and not _writes(op, lists, rows, columns):
            continue
        kept.append(o)
        lists.add(op[1])
        if chosen[o]:
            columns.add(op[2])
        elif op[0] == k.RATIO:
            columns.update(op[3:5])
        elif op[0] == k.COLLECT:
            rows.add(op[2])
        elif op[0] == k.ASK:
            columns.update(program.asked[op[5]].columns)
        rows.update(op[field] for field in _ROWS_READ.get(op[0], ()))
        columns.update(op[field] for field in _COLUMNS_READ.get(op[0], ()))
    ops = program.ops[kept[::-1]].copy()
    ops[ops[:, 0] == k.HISTOGRAM, 0] = kind
    return replace(program, ops=ops, views=(), n_bins=0)


def _writes(op: Sequence[int], lists: set[int], rows: set[int], columns: set[int]) -> bool:
    """Whether an operation writes a list, a row or a column that is needed."""
    if op[0] == k.COLUMNS:
        return not columns.isdisjoint(op[4 : 4 + op[3]])
    if op[0] == k.RATIO:
        return op[2] in columns
    if op[0] == k.COLLECT:
        return op[3] in lists
    return op[0] in _TESTS and (op[2] in rows or (op[0] == k.CUT and op[4] in lists))

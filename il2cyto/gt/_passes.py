"""Rewrites of a table of operations that leave its answers alone and save time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from il2cyto.gt._kernels._ops import COLLECT, COLUMNS, COUNT, CUT, LANES, SET, WITHIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    Op = tuple[int, ...]

#: A column alone is computed faster by itself.
_FEWEST = 2


def merge_columns(
    ops: Sequence[Op], parent_list: Sequence[int], matrix: Sequence[tuple[int, ...]]
) -> tuple[list[Op], list[tuple[int, ...]]]:
    """Let one pass over an event's stored numbers give the next columns that the populations below need too.

    Parameters
    ----------
    ops
        COLUMNS come as (kind, list, column).
    parent_list
        The list above each list, -1 above the first.
    matrix
        For each column the stored columns that its matrix mixes; empty for one that is computed by itself.

    Returns
    -------
    The operations, and the columns of each group.
    """
    merged: list[Op] = []
    groups: list[tuple[int, ...]] = []
    ready: set[tuple[int, int]] = set()
    for i, op in enumerate(ops):
        if op[0] != COLUMNS:
            merged.append(op)
            continue
        _, source, column, *_ = op
        if _at_or_above(source, column, ready, parent_list):
            continue
        group = [column]
        for kind, low, other, *_ in ops[i + 1 :] if matrix[column] else ():
            below = kind == COLUMNS and matrix[other] == matrix[column] and _is_below(low, source, parent_list)
            if below and other not in group and not _at_or_above(low, other, ready, parent_list):
                group.append(other)
        group = group[:LANES] if len(group) >= _FEWEST else [column]
        ready.update((source, member) for member in group)
        # Lanes without a column write into one that nobody reads.
        lanes = [*group, *[len(matrix)] * (LANES - len(group))]
        merged.append((COLUMNS, source, len(groups), len(group), *lanes))
        groups.append(tuple(group))
    return merged, groups


def _is_below(low: int, high: int, parent_list: Sequence[int]) -> bool:
    while low > high:
        low = parent_list[low]
    return low == high


def _at_or_above(source: int, column: int, ready: set[tuple[int, int]], parent_list: Sequence[int]) -> bool:
    while source >= 0:
        if (source, column) in ready:
            return True
        source = parent_list[source]
    return False


def fuse_cuts(ops: Sequence[Op]) -> list[Op]:
    """Make one operation of a test against a cut, the list of those inside, and the count at the top of the range."""
    fused: list[Op] = []
    for op in ops:
        test = fused[-1] if fused else None
        if op[0] != COLLECT or test is None or test[0] != WITHIN or test[4] != SET or test[1:3] != op[1:3]:
            fused.append(op)
            continue
        fused.pop()
        _, source, row, column, _, at, *_ = test
        top_counter, top_at = -1, at
        if fused and fused[-1][:3] == (COUNT, source, column):
            _, _, _, top_counter, _, top_at, *_ = fused.pop()
        fused.append((CUT, source, row, column, op[3], op[4], at, top_counter, top_at))
    return fused

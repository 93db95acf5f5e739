"""What the populations of a cohort object are to each other, and checks of their names."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from il2cyto._keys import ENDPOINT_POPULATIONS, ROOT, Var
from il2cyto._tidy import panels
from il2cyto.errors import PopulationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anndata import AnnData


def require_populations(known: Iterable[str], names: Iterable[str], *, caller: str) -> None:
    """Raise one PopulationError that lists every unknown name with its near misses."""
    known, names = list(known), list(names)
    unknown = [name for name in names if name not in known]
    if not unknown:
        return
    if len(names) > 1 and all(len(name) == 1 for name in names):
        msg = f"{caller}: populations is the text {''.join(names)!r}; give a list: [{''.join(names)!r}]."
        raise PopulationError(msg)
    hints = (f"{name!r}{_nearest(name, known)}" for name in unknown)
    msg = f"{caller}: no population {', '.join(hints)}. The object has: {', '.join(known)}."
    raise PopulationError(msg)


def ancestors(adata: AnnData, population: str) -> list[str]:
    """List the populations above one, nearest first, reported or not, without `root`."""
    if Var.PATH in adata.var:
        return [name for name in str(adata.var.at[population, Var.PATH]).split("/") if name not in {"", ROOT}][-2::-1]
    parents = dict(zip(adata.var_names, adata.var[Var.PARENT].astype(str), strict=True))
    found: list[str] = []
    while (population := parents.get(population, ROOT)) != ROOT and population not in found:
        found.append(population)
    return found


def endpoint_populations(adata: AnnData, *, denominator: str | None = None) -> list[str]:
    """Choose the populations to report when nobody names any.

    The endpoints of the trial that are in the object; where it has none of them, those whose role is `endpoint`. With a
    denominator, only what lies below it.
    """
    panels(adata)
    names = [name for name in ENDPOINT_POPULATIONS if name in adata.var_names]
    if not names and Var.ROLE in adata.var:
        names = list(adata.var_names[adata.var[Var.ROLE].astype(str) == "endpoint"])
    if denominator is not None:
        names = [name for name in names if denominator in ancestors(adata, name)]
    if not names:
        below = f" below {denominator!r}" if denominator else ""
        msg = f"no endpoint population{below} in the object; name populations, out of: {', '.join(adata.var_names)}."
        raise PopulationError(msg)
    return names


def _nearest(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=2, cutoff=0.6)
    return f" (did you mean {' or '.join(map(repr, close))}?)" if close else ""

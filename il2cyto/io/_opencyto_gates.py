"""Gates of single openCyto rows: what their arguments say, on il2cyto's scales."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from il2cyto.io._opencyto_args import Argument, numbers

#: Stands where a person has to write something; no template that holds it loads.
FILL_IN: Final = "FILL_IN"
#: openCyto works on flowCore's scales: logicle from 0 to 4.5, scatter as recorded. il2cyto's run from 0 to 1.
LOGICLE: Final = 4.5
SCATTER: Final = 262_144.0
CUTS: Final = {
    "mindensity": "valley",
    "mindensity2": "valley",
    "quadrantGate": "valley",
    "quadGate.seq": "valley",
    "tailgate": "tail",
    "cytokine": "tail",
    "quantileGate": "quantile",
}


@dataclass
class Row:
    """A row of the CSV and what became of it."""

    line: int
    alias: str
    pop: str
    method: str
    populations: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    converted: bool = True


def is_scatter(dim: str) -> bool:
    """Whether the detector sees scattered light, forward or side, rather than a dye."""
    return dim.upper().startswith(("FSC", "SSC"))


def cut(row: Row, dim: str, arguments: dict[str, Argument]) -> dict[str, Any]:
    """A cut on one channel, by the density of the events."""
    rest = dict(arguments)
    method, scale = CUTS[row.method], SCATTER if is_scatter(dim) else LOGICLE
    bounds = numbers(rest.pop("gate_range", None), 2)
    if bounds is None:
        row.notes.append(f"bounds of {dim}: not in the CSV; fill in where an acceptable cut lies")
    gate: dict[str, Any] = {"method": method, "channel": dim}
    gate["bounds"] = [FILL_IN, FILL_IN] if bounds is None else [round(bound / scale, 6) for bound in bounds]
    if method in ("valley", "tail"):
        adjust = numbers(rest.pop("adjust", None), 1)
        gate |= {"adjust": adjust[0]} if adjust else {}
    if method == "valley":
        gate["one_peak"] = "fail"
        row.notes.append(f"{dim}: fails where there is one peak; openCyto would take an end of the range")
    elif method == "tail":
        gate |= {"peak": "tallest", "side": "left" if rest.pop("side", None) == "left" else "right"}
    else:
        share = numbers(rest.pop("probs", None), 1)
        gate["q"] = share[0] if share else FILL_IN
    drop(row, rest)
    return gate


def mixture_1d(row: Row, dim: str, arguments: dict[str, Argument]) -> dict[str, Any]:
    """The cut between two components; openCyto counts components from the lowest (`neg`, `pos`, `K`)."""
    negative, positive = (numbers(arguments.pop(side, None), 1) for side in ("neg", "pos"))
    number = numbers(arguments.pop("K", None), 1)
    below = int(negative[0]) if negative else 1
    components = int(number[0]) if number else below + (int(positive[0]) if positive else 1)
    between: list[Any] = [below, below + 1] if negative or components == 2 else [FILL_IN, FILL_IN]
    row.notes.append(f"bounds of {dim}: not in the CSV; fill in where an acceptable cut lies")
    drop(row, arguments)
    return {
        "method": "tmix1d",
        "channel": dim,
        "components": components,
        "between": between,
        "bounds": [FILL_IN, FILL_IN],
    }


def mixture_2d(row: Row, dims: list[str], arguments: dict[str, Argument]) -> dict[str, Any]:
    """The ellipse around the component nearest to `target`."""
    number, share = (numbers(arguments.pop(name, None), 1) for name in ("K", "quantile"))
    target = numbers(arguments.pop("target", None), 2)
    centers: list[list[Any]] = [[FILL_IN, FILL_IN] for _ in range(int(number[0]) if number else 1)]
    if target:
        scales = [SCATTER if is_scatter(dim) else LOGICLE for dim in dims]
        centers[0] = [round(place / scale, 6) for place, scale in zip(target, scales, strict=True)]
    if FILL_IN in repr(centers):
        row.notes.append("centers: not in the CSV; fill in where each component lies")
    drop(row, arguments)
    gate = {"method": "tmix2d", "channels": dims, "centers": centers, "target": 0}
    return {**gate, "quantile": share[0] if share else 0.9}


def boundary(row: Row, dims: list[str], arguments: dict[str, Argument]) -> dict[str, Any]:
    """Limits of channels; il2cyto has one for all of them."""
    gate: dict[str, Any] = {"method": "boundary", "channels": dims}
    for side in ("min", "max"):
        limits = numbers(arguments.pop(side, None), len(dims))
        if limits is not None and len(set(limits)) == 1 and all(is_scatter(dim) for dim in dims):
            gate[side] = round(limits[0] / SCATTER, 6)
        elif limits is not None:
            row.notes.append(f"{side} of the boundary differs among channels; left out")
    drop(row, arguments)
    return gate


def drop(row: Row, arguments: dict[str, Argument]) -> None:
    """Say which arguments had no use."""
    if arguments:
        row.notes.append(f"left out: {', '.join(arguments)}")

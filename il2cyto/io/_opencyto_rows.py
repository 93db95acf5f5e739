"""The rows of an openCyto template: what converts, what does so with a loss, and what does not."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any, Final

from il2cyto.errors import TemplateError
from il2cyto.io._opencyto_args import numbers, parse_arguments
from il2cyto.io._opencyto_gates import CUTS, FILL_IN, Row, boundary, cut, drop, mixture_1d, mixture_2d
from il2cyto.io._strategy import plain_name

if TYPE_CHECKING:
    from collections.abc import Sequence

_MIXTURES: Final = {"flowClust": (1, 2), "flowClust.1d": (1,), "flowClust.2d": (2,)}
_REASONS: Final = {
    "quadGate.tmix": "write two cuts and their combinations",
    "polyFunctions": "combinations of cytokines are counted from the populations; write each as a `where`",
    "rangeGate": "write an interval, or two cuts",
}


class Builder:
    """Populations so far, and which names of the CSV they stand for."""

    def __init__(self) -> None:
        self.populations: list[dict[str, Any]] = []
        self.rows: list[Row] = []
        self.dims: list[str] = []
        self._known: dict[str, list[str]] = {"root": ["root"], "/": ["root"]}  # alias, and path
        self._paths: dict[str, str] = {"root": ""}
        self._signs: dict[str, str] = {}  # population with a cut of its own -> the side it keeps

    def add(self, line: int, cells: dict[str, str]) -> None:
        """Convert a row; a comma list of parents repeats it."""
        row = Row(line, cells["alias"], cells["pop"], cells["gating_method"])
        self.rows.append(row)
        dims = [dim.strip() for dim in cells["dims"].split(",") if dim.strip()]
        self.dims += [dim for dim in dims if dim not in self.dims]
        for wanted in (text.strip() for text in cells["parent"].split(",")):
            found = self._known.get(wanted, [])
            if len(found) != 1:
                what = "several populations of this name; give its path" if found else "no such row above"
                row.converted = False
                row.notes.append(f"parent {wanted!r}: {what}; the row is left out")
                continue
            adapt = self._adapt(row, cells)
            if cells.get("preprocessing_method"):
                row.notes.append(f"preprocessing {cells['preprocessing_method']!r} is left out")
            self._convert(row, found[0], dims, cells["gating_args"], adapt)

    def _adapt(self, row: Row, cells: dict[str, str]) -> dict[str, Any]:
        group = cells.get("groupBy", "")
        if re.search("visit|time|day", group, re.IGNORECASE):
            row.notes.append(f"groupBy {group!r} names a visit, by which no gate may be placed; each sample on its own")
        elif re.fullmatch("ptid|subject|patient|participant", group, re.IGNORECASE):
            return {"adapt": {"level": "subject"}}
        elif group or cells.get("collapseDataForGating", "").upper() in ("TRUE", "T"):
            row.notes.append("pooling of samples is left out; each sample on its own, or give adapt: {level: batch}")
        return {}

    def _convert(self, row: Row, parent: str, dims: list[str], arguments: str, adapt: dict[str, Any]) -> None:
        if row.method == "boolGate":
            self._boolean(row, parent, arguments)
            return
        if row.method == "refGate":
            self._reference(row, parent, dims, arguments)
            return
        try:
            known = parse_arguments(arguments)
        except TemplateError as error:
            self._leave(row, parent, str(error))
            return
        if row.method in _MIXTURES:
            self._mixture(row, parent, dims, known, adapt)
        elif row.method in CUTS and 1 <= len(dims) <= 2 and row.pop != "*":
            gates = [cut(row, dim, known) for dim in dims]
            self._sides(row, parent, dims, gates, adapt)
        elif row.method == "singletGate" and len(dims) == 2:
            level = numbers(known.pop("prediction_level", None), 1)
            gate = {"method": "singlet", "area": dims[0], "height": dims[1], **({"level": level[0]} if level else {})}
            drop(row, known)
            self._put(row, parent, self._alias(row), {"gate": gate})
        elif row.method == "boundary" and dims:
            self._put(row, parent, self._alias(row), {"gate": boundary(row, dims, known)})
        else:
            default = f"no counterpart of {row.method!r} on {len(dims)} channels with pop {row.pop!r}; write a gate"
            self._leave(row, parent, _REASONS.get(row.method, default))

    def _mixture(self, row: Row, parent: str, dims: list[str], known: dict[str, Any], adapt: dict[str, Any]) -> None:
        fits = len(dims) in _MIXTURES[row.method] and row.pop != "*"
        if not fits or known.pop("transitional", None) is True:
            self._leave(row, parent, "a transitional gate is no mixture; write a corner")
        elif len(dims) == 1:
            self._sides(row, parent, dims, [mixture_1d(row, dims[0], known)], adapt)
        else:
            self._put(row, parent, self._alias(row), {"gate": mixture_2d(row, dims, known), **adapt})

    def _sides(self, row: Row, parent: str, dims: list[str], gates: list[dict[str, Any]], more: dict[str, Any]) -> None:
        """Make the populations that a cut, or two of them, leave."""
        names, signs = _sides_of(row.pop, dims)
        if len(dims) == 1:
            first = None
            for (title, name), sign in zip(_titles(row, names, [(s,) for s in signs[0]]), signs[0], strict=True):
                side = {"keep": "above" if sign == "+" else "below"}
                gate = {**gates[0], **side} if first is None else {"method": "ref", "of": first, **side}
                rule = {"gate": gate, **(more if first is None else {})}
                made = self._put(row, parent, title, rule, name=name, sign=sign)
                first = first or made
            return
        cuts = [
            self._put(row, parent, f"{row.alias if row.alias != '*' else parent}_{dim}_cut", {"gate": {**gate, "keep": "above"}, "report": False, **more}, hidden=True)
            for dim, gate in zip(dims, gates, strict=True)
        ]  # fmt: skip
        self._combinations(row, parent, names, signs, cuts)

    def _combinations(self, row: Row, parent: str, names: list[str], signs: list[str], cuts: list[str]) -> None:
        pairs = list(itertools.product(*signs))
        for (title, name), pair in zip(_titles(row, names, pairs), pairs, strict=True):
            where = " and ".join(cut if sign == "+" else f"not {cut}" for cut, sign in zip(cuts, pair, strict=True))
            self._put(row, parent, title, {"where": where}, name=name)

    def _reference(self, row: Row, parent: str, dims: list[str], arguments: str) -> None:
        wanted = [text.strip() for text in arguments.split(":")]
        found = [self._known.get(text, []) for text in wanted]
        single = [names[0] for names in found if len(names) == 1]
        if len(single) != len(wanted) or any("gate" not in self._of(name) for name in single):
            self._leave(row, parent, f"refers to {arguments}, which is not one gate each; write the gate")
        elif len(single) == 1:
            names, signs = _sides_of(row.pop, dims[:1])
            own = self._signs.get(single[0])
            for (title, name), sign in zip(_titles(row, names, [(s,) for s in signs[0]]), signs[0], strict=True):
                side = {"keep": "above" if sign == "+" else "below"} if own else {}
                rule = {"gate": {"method": "ref", "of": single[0], **side}}
                self._put(row, parent, title, rule, name=name, sign=sign if own else "")
        elif len(single) == 2 and sorted(map(self._channel, single)) == sorted(dims):
            names, signs = _sides_of(row.pop, dims)
            # In openCyto the references come in any order; each belongs to the channel of its own gate.
            single.sort(key=lambda name: dims.index(self._channel(name)))
            cuts = [
                self._put(row, parent, f"{parent}_{dim}_ref", {"gate": {"method": "ref", "of": name, "keep": "above"}, "report": False}, hidden=True)
                for dim, name in zip(dims, single, strict=True)
            ]  # fmt: skip
            self._combinations(row, parent, names, signs, cuts)
        else:
            self._leave(row, parent, f"refers to {arguments} with {len(dims)} channels; write the gate")

    def _boolean(self, row: Row, parent: str, arguments: str) -> None:
        parts = [part.strip() for part in re.split(r"([&|!()])", arguments) if part.strip()]
        words = {"&": "and", "|": "or", "!": "not", "(": "(", ")": ")"}
        unknown = [part for part in parts if part not in words and len(self._known.get(part, [])) != 1]
        if unknown or not parts:
            self._leave(
                row,
                parent,
                f"refers to {', '.join(unknown) or 'nothing'}, which is no single row above; write the where",
            )
            return
        where = " ".join(words.get(part) or self._known[part][0] for part in parts)
        self._put(row, parent, self._alias(row), {"where": where})

    def _leave(self, row: Row, parent: str, reason: str) -> None:
        """Keep the place of a row that cannot be converted, so that the tree below it stays."""
        row.converted = False
        row.notes.append(reason)
        if row.alias != "*":
            self._put(row, parent, row.alias, {"gate": f"{FILL_IN}: {row.method}"})

    def _put(
        self,
        row: Row,
        parent: str,
        title: str,
        rule: dict[str, Any],
        *,
        name: str = "",
        sign: str = "",
        hidden: bool = False,
    ) -> str:
        taken = {population["name"] for population in self.populations}
        name = plain_name(name or title)
        if name in taken:
            name = plain_name(f"{name}_{parent}")
        while name in taken:
            name += "_"
        self.populations.append({"name": name, "parent": parent, **rule})
        if sign:
            self._signs[name] = sign
        if not hidden:
            row.populations.append(name)
            self._paths[name] = f"{self._paths[parent]}/{title}"
            for key in (title, self._paths[name]):
                self._known.setdefault(key, []).append(name)
        return name

    def _of(self, name: str) -> dict[str, Any]:
        return next(population for population in self.populations if population["name"] == name)

    def _channel(self, name: str) -> str:
        gate = self._of(name)["gate"]
        if not isinstance(gate, dict):
            return ""
        return self._channel(gate["of"]) if gate["method"] == "ref" else str(gate.get("channel", ""))

    @staticmethod
    def _alias(row: Row) -> str:
        return row.alias if row.alias != "*" else row.pop


def _sides_of(pop: str, dims: list[str]) -> tuple[list[str], list[str]]:
    """Read which sides of each channel a `pop` asks for: its words, and "+", "-" or both signs.

    Examples
    --------
    >>> _sides_of("cd4-/+cd8+/-", ["CD4", "CD8"]), _sides_of("-", ["Live"]), _sides_of("lymph", ["SSC-A"])
    ((['cd4', 'cd8'], ['-+', '+-']), (['Live'], ['-']), (['SSC-A'], ['+']))
    """
    found = re.findall(r"([^+\-/]*)(\+/-|-/\+|\+|-)", pop)
    signs = [sign.replace("/", "") for _, sign in found] or ["+"] * len(dims)
    names = [name.strip() or dim for (name, _), dim in itertools.zip_longest(found[: len(dims)], dims, fillvalue=("", ""))] if found else dims  # fmt: skip
    return [str(name) for name in names], [*signs[: len(dims)], *["+"] * (len(dims) - len(signs))]


def _titles(row: Row, names: list[str], sides: Sequence[tuple[str, ...]]) -> list[tuple[str, str]]:
    """Give for each combination of sides the CSV's name and ours: the row's own, else made of channels and signs."""
    words = {"+": "pos", "-": "neg"}
    own = [text.strip() for text in row.alias.split(",")]
    if row.alias != "*" and len(own) == len(sides):
        return [(text, text) for text in own]
    return [
        ("".join(f"{n}{s}" for n, s in zip(names, each, strict=True)),
         "_".join(f"{n}{words[s]}" for n, s in zip(names, each, strict=True)))
        for each in sides
    ]  # fmt: skip

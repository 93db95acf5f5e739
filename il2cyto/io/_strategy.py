"""A FlowKit gating strategy as a template: fixed gates, each dimension with its own compensation and scale."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from il2cyto._keys import ROOT
from il2cyto.errors import TemplateError
from il2cyto.template import GatingTemplate

if TYPE_CHECKING:
    from collections.abc import Mapping

    GatePath = tuple[str, ...]

#: Class of FlowKit -> method and the attributes that become its fields.
TRANSFORMS: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "LinearTransform": ("linear", {"t": "param_t", "a": "param_a"}),
    "LogTransform": ("log", {"t": "param_t", "m": "param_m"}),
    "LogicleTransform": ("logicle", {"t": "param_t", "w": "param_w", "m": "param_m", "a": "param_a"}),
    "HyperlogTransform": ("hyperlog", {"t": "param_t", "w": "param_w", "m": "param_m", "a": "param_a"}),
    "AsinhTransform": ("scaled_asinh", {"t": "param_t", "m": "param_m", "a": "param_a"}),
    "WSPLogTransform": ("flowjo_log", {"offset": "offset", "decades": "decades"}),
    "WSPBiexTransform": (
        "flowjo_biex",
        {"negative": "negative", "width": "width", "positive": "positive", "max": "max_value"},
    ),
}
_WORDS: Final = frozenset(("and", "or", "not", ROOT))


def template_of(
    strategy: Any,
    *,
    file: str,
    name: str,
    description: str,
    bounds: Mapping[str, tuple[float | None, float | None]] | None = None,
) -> tuple[GatingTemplate, dict[GatePath, str]]:
    """Turn a strategy into a template.

    Parameters
    ----------
    strategy
        A ``flowkit.GatingStrategy``.
    file
        Name of the source, for messages.
    name, description
        Those of the template.
    bounds
        Transformation -> positions between which Gating-ML keeps its values.

    Returns
    -------
    The template, and the name that each gate got, by its full path in the source. The path is the population's label.

    Raises
    ------
    TemplateError
        If the strategy holds something a template cannot say; every problem in one message.
    """
    builder = _Builder(strategy, bounds or {})
    populations = builder.populations()
    content = {
        "schema": "il2cyto/gating-template/1",
        "name": name,
        "version": "1",
        "description": description,
        "compensation": "none",
        "min_parent": {"nan": 0},
        "dimensions": builder.dimensions,
        "matrices": builder.matrices(),
        "populations": populations,
    }
    try:
        return GatingTemplate.model_validate(content), builder.names
    except ValidationError as error:
        lines = [f"{file}: {_place(found['loc'], content)}: {found['msg']}" for found in error.errors()]
        raise TemplateError("\n".join(dict.fromkeys(lines))) from None


def plain_name(text: str) -> str:
    """A name that a template allows, as near to the text as it gets.

    Examples
    --------
    >>> plain_name("CD4+ CD25-"), plain_name("CD14-Lin-"), plain_name("7AAD")
    ('CD4pos_CD25neg', 'CD14_Linneg', 'P7AAD')
    """
    text = re.sub(r"-(?=$|[\s,/)])", "neg", text.strip().replace("+", "pos"))
    text = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")
    return text if text[:1].isalpha() else f"P{text}"


class _Builder:
    """Names, dimensions and populations of one strategy, as plain values that the template's models check."""

    def __init__(self, strategy: Any, bounds: Mapping[str, tuple[float | None, float | None]]) -> None:
        self._strategy, self._bounds = strategy, bounds
        self.dimensions: dict[str, dict[str, Any]] = {}
        self.names: dict[GatePath, str] = {}
        self._taken: set[str] = set()
        self._groups: set[GatePath] = set()  # quadrant gates: a name for several populations, none itself
        from flowkit.exceptions import QuadrantReferenceError

        self._gates: dict[GatePath, Any] = {}
        for gate, path in strategy.get_gate_ids():
            full = (*path, gate)
            try:
                self._gates[full] = strategy.get_gate(gate, path)
            except QuadrantReferenceError:
                pass  # the quadrant gate above it brings it
            else:
                if self._gates[full].gate_type == "QuadrantGate":
                    self._groups.add(full)
        for full, gate in self._gates.items():
            for name in [(*full, q) for q in gate.quadrants] if full in self._groups else [full]:
                self.names[name] = self._free(name)

    def _free(self, path: GatePath) -> str:
        wanted = plain_name(path[-1])
        candidates = (wanted, *(f"{plain_name(above)}_{wanted}" for above in path[-2:-1] if above != ROOT))
        name = next((c for c in candidates if c not in self._taken and c not in _WORDS), None)
        count = 2
        while name is None:
            name = f"{wanted}_{count}" if f"{wanted}_{count}" not in self._taken else None
            count += 1
        self._taken.add(name)
        return name

    def populations(self) -> list[dict[str, Any]]:
        made: list[dict[str, Any]] = []
        for path, gate in self._gates.items():
            parent = self._parent(path)
            if gate.gate_type == "BooleanGate":
                made.append(self._population(path, parent, where=self._where(gate)))
            elif gate.gate_type == "QuadrantGate":
                made += [
                    self._population((*path, quadrant.id), parent, gate=self._quadrant(gate, quadrant))
                    for quadrant in gate.quadrants.values()
                ]
            elif getattr(gate, "use_complement", False):
                inside = self._free((*path[:-1], f"{path[-1]} inside"))
                made.append({"name": inside, "parent": parent, "report": False, "gate": self._shape(gate)})
                made.append(self._population(path, parent, where=f"not {inside}"))
            else:
                made.append(self._population(path, parent, gate=self._shape(gate)))
        return made

    def _population(self, path: GatePath, parent: str, **rule: Any) -> dict[str, Any]:
        return {"name": self.names[path], "parent": parent, "label": label_of(path), **rule}

    def _parent(self, path: GatePath) -> str:
        above = path[:-1]
        while above in self._groups:  # a quadrant gate stands between its quadrants and their parent
            above = above[:-1]
        return ROOT if len(above) == 1 else self.names[above]

    def _where(self, gate: Any) -> str:
        operands = []
        for reference in gate.gate_refs:
            name = self.names[(*reference["path"], reference["ref"])]
            operands.append(f"not {name}" if reference["complement"] else name)
        return f"not ({operands[0]})" if gate.type == "not" else f" {gate.type} ".join(operands)

    def _shape(self, gate: Any) -> dict[str, Any]:
        keys = [self._dimension(dimension) for dimension in gate.dimensions]
        if gate.gate_type == "RectangleGate":
            sides = [(getattr(d, "min", None), getattr(d, "max", None)) for d in gate.dimensions]
            return _rectangle(dict(zip(keys, sides, strict=True)))
        if gate.gate_type == "PolygonGate":
            vertices = [[float(value) for value in vertex] for vertex in gate.vertices]
            return {"method": "polygon", "channels": keys, "vertices": vertices}
        covariance = [[float(value) for value in row] for row in gate.covariance_matrix]
        mean = [float(value) for value in gate.coordinates]
        return {
            "method": "ellipse",
            "channels": keys,
            "mean": mean,
            "covariance": covariance,
            "distance_square": float(gate.distance_square),
        }

    def _quadrant(self, gate: Any, quadrant: Any) -> dict[str, Any]:
        dividers = {divider.id: self._dimension(divider) for divider in gate.dimensions}
        return _rectangle({dividers[ref]: quadrant.get_divider_range(ref) for ref in quadrant.divider_refs})

    def _dimension(self, dimension: Any) -> str:
        """The key of a dimension: its channel's name, with a number where one channel is prepared in several ways."""
        content: dict[str, Any] = {"compensation": self._compensation(dimension.compensation_ref)}
        ratio = getattr(dimension, "ratio_ref", None)
        if ratio is None:
            name = getattr(dimension, "dimension_ref", None) or dimension.id
            content["channel"] = name
        else:
            name, rule = ratio, self._strategy.get_transform(ratio)
            x, y = rule.dimensions
            content["ratio"] = {
                "numerator": x,
                "denominator": y,
                **{letter: getattr(rule, f"param_{letter}") for letter in "abc"},
            }
        scale = dimension.transformation_ref
        if scale is not None:
            content["transform"] = self._transform(scale)
        low, high = self._bounds.get(str(scale or ratio), (None, None))
        content.update({"low": low, "high": high})
        count, key = 1, name
        while self.dimensions.setdefault(key, content) != content:
            count += 1
            key = f"{name}_{count}"
        return str(key)

    def _transform(self, reference: str) -> dict[str, Any]:
        transform = self._strategy.get_transform(reference)
        method, fields = TRANSFORMS[type(transform).__name__]
        values = {field: float(getattr(transform, attribute)) for field, attribute in fields.items()}
        if method == "flowjo_biex":
            values["negative"] = max(values["negative"], 0.0)  # FlowJo takes it so
        return {"method": method, **values}

    def _compensation(self, reference: str | None) -> str:
        if reference in (None, "uncompensated"):
            return "none"
        return "acquisition" if reference == "FCS" else self._matrix_name(reference)

    @staticmethod
    def _matrix_name(reference: str) -> str:
        return f"{reference} matrix" if reference in ("acquisition", "none") else reference

    def matrices(self) -> dict[str, dict[str, Any]]:
        used = {dimension["compensation"] for dimension in self.dimensions.values()}
        found = {}
        for name, matrix in self._strategy.comp_matrices.items():
            detectors = list(matrix.detectors)
            fluorochromes = list(getattr(matrix, "true_detectors", None) or matrix.fluorochromes)
            if not all(fluorochromes):
                fluorochromes = detectors
            spillover = [[float(value) for value in row] for row in matrix.matrix]
            if self._matrix_name(name) in used:
                found[self._matrix_name(name)] = {
                    "fluorochromes": fluorochromes,
                    "detectors": detectors,
                    "spillover": spillover,
                }
        return found


def label_of(path: GatePath) -> str:
    """The full path of a gate in its source, ``/Lymphocytes/T cells``."""
    return "/" + "/".join(path[1:])


def _rectangle(sides: Mapping[str, tuple[float | None, float | None]]) -> dict[str, Any]:
    if len(sides) == 1:
        ((key, (low, high)),) = sides.items()
        if low is not None or high is not None:
            return {"method": "interval", "channel": key, "min": low, "max": high}
    low_sides, high_sides = zip(*sides.values(), strict=True)
    return {"method": "rectangle", "channels": list(sides), "min": list(low_sides), "max": list(high_sides)}


def _place(location: tuple[int | str, ...], content: Mapping[str, Any]) -> str:
    if len(location) > 1 and location[0] == "populations" and isinstance(location[1], int):
        population = content["populations"][location[1]]
        return str(population.get("label") or population["name"])
    return ".".join(str(step) for step in location) or "template"

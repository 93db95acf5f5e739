"""Gating-ML 2.0 documents as templates, through FlowKit's parser."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from il2cyto.errors import TemplateError
from il2cyto.io._strategy import plain_name, template_of
from il2cyto.io._xml import GATING, MAX_DEPTH, MAX_GATES, TRANSFORMS, as_file, local_name, read_xml

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

    from il2cyto.template import GatingTemplate

GATES = ("RectangleGate", "PolygonGate", "EllipsoidGate", "QuadrantGate", "BooleanGate")
#: What FlowKit raises over a document that the schema allows and its parser does not expect.
PARSER_ERRORS = (ValueError, LookupError, TypeError, AttributeError, NotImplementedError)
_ID: Final = f"{{{GATING}}}id"
_QUADRANT_GATE: Final = f"{{{GATING}}}QuadrantGate"
_QUADRANT: Final = f"{{{GATING}}}Quadrant"


def read_gatingml(path: str | Path) -> GatingTemplate:
    """Read a Gating-ML 2.0 document as a template of fixed gates.

    Parameters
    ----------
    path
        The document. It is parsed without entities, network or document type, and its size is limited.

    Returns
    -------
    The template, named after the file. Each quadrant is a population of its own. A population's label is its full path in
    the document; its name is the gate's id in letters, digits and ``_``.

    Raises
    ------
    TemplateError
        If the document is not Gating-ML 2.0, refers to a gate that it lacks, or says what a template cannot.
    """
    path = Path(path)
    return parse_gatingml(read_xml(path), file=path.name)


def parse_gatingml(root: Element, *, file: str) -> GatingTemplate:
    """As :func:`read_gatingml`, of a document read by :func:`il2cyto.io._xml.read_xml`."""
    import flowkit

    problems = _problems(root)
    if problems:
        raise TemplateError("\n".join(f"{file}: {problem}" for problem in problems))
    try:
        strategy = flowkit.parse_gating_xml(as_file(root))
    except PARSER_ERRORS as error:
        msg = f"{file}: not a Gating-ML 2.0 document that FlowKit can read ({type(error).__name__}); check it against the schema"
        raise TemplateError(msg) from error
    _undo_inversion(root, strategy)
    name = plain_name(Path(file).stem)
    template, _ = template_of(
        strategy, file=file, name=name, description=f"Imported from Gating-ML 2.0, {file}", bounds=_bounds(root)
    )
    return template


def _problems(root: Element) -> list[str]:
    """What must hold before FlowKit sees the document: unique ids, known parents and references, no long chains."""
    gates = [element for element in root.iter() if local_name(element) in GATES]
    if len(gates) > MAX_GATES:
        return [f"{len(gates)} gates; at most {MAX_GATES} are read"]
    quadrants = list(root.iter(_QUADRANT))
    known = Counter(element.get(_ID, "") for element in (*gates, *quadrants))
    problems = [f"gate {name!r} stands twice; rename one" for name in sorted(known) if known[name] > 1]
    if "" in known:
        problems.append("a gate without gating:id")
    # The quadrants of a gate are populations; the gate itself is none.
    allowed = known.keys() - {gate.get(_ID) for gate in root.iter(_QUADRANT_GATE)}
    parents = {gate.get(_ID, ""): gate.get(f"{{{GATING}}}parent_id") for gate in gates}
    problems += [
        f"gate {name!r}: parent {parent!r} is not a gate of the document"
        for name, parent in parents.items()
        if parent is not None and parent not in allowed
    ]
    for element in root.iter(f"{{{GATING}}}gateReference"):
        reference = element.get(f"{{{GATING}}}ref", "")
        if reference not in allowed:
            problems.append(f"line {element.sourceline}: gate {reference!r} is not in the document")
    parents |= {q.get(_ID, ""): gate.get(_ID) for gate in root.iter(_QUADRANT_GATE) for q in gate.iter(_QUADRANT)}
    if not problems and any(_depth(name, parents) > MAX_DEPTH for name in parents):
        problems.append(f"gates stand in a circle, or more than {MAX_DEPTH} under one another")
    return problems


def _depth(name: str | None, parents: dict[str, str | None]) -> int:
    depth = 0
    while name is not None and depth <= MAX_DEPTH:
        name = parents.get(name)
        depth += 1
    return depth


def _bounds(root: Element) -> dict[str, tuple[float | None, float | None]]:
    """The boundMin and boundMax of each transformation, which FlowKit leaves out."""
    found = {}
    for element in root.iter(f"{{{TRANSFORMS}}}transformation"):
        holders = (element, *element)
        low, high = (
            next((h.get(key) for h in holders for key in (f"{{{TRANSFORMS}}}{side}", side) if h.get(key)), None)
            for side in ("boundMin", "boundMax")
        )
        if low is not None or high is not None:
            found[element.get(f"{{{TRANSFORMS}}}id", "")] = (
                None if low is None else float(low),
                None if high is None else float(high),
            )
    return found


def _undo_inversion(root: Element, strategy: Any) -> None:
    """Turn matrices that the document gives in inverted form back into spillover; FlowKit takes every one as spillover."""
    import numpy as np

    for element in root.iter(f"{{{TRANSFORMS}}}spectrumMatrix"):
        if element.get(f"{{{TRANSFORMS}}}matrix-inverted-already") in ("true", "1"):
            matrix = strategy.comp_matrices[element.get(f"{{{TRANSFORMS}}}id", "")]
            matrix.matrix = np.linalg.pinv(np.asarray(matrix.matrix, dtype=np.float64))

"""FlowJo 10 workspaces as templates, through FlowKit's parser: one sample at a time, with the counts that FlowJo stored."""

from __future__ import annotations

import re
from collections import Counter
from copy import copy, deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from il2cyto._keys import ROOT
from il2cyto.errors import TemplateError
from il2cyto.io._gatingml import PARSER_ERRORS
from il2cyto.io._strategy import plain_name, template_of
from il2cyto.io._xml import DATATYPES, MAX_DEPTH, MAX_GATES, as_file, local_name, read_xml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lxml.etree import _Element as Element

    from il2cyto.template import GatingTemplate

    GatePath = tuple[str, ...]

POPULATIONS: Final = ("Population", "AndNode", "OrNode", "NotNode")
#: Scales whose definition is public.
SCALES: Final = ("linear", "log", "logicle", "biex", "fasinh")


@dataclass(frozen=True)
class FlowJoSample:
    """The gates of one sample of a workspace.

    Attributes
    ----------
    name
        The sample's name in the workspace.
    files
        Names under which its FCS file may lie: the sample's name, and that of the file it was made from.
    template
        Its gates, those of its group and its own; a population's label is its full path in the workspace.
    stored
        Population -> events that FlowJo counted; absent where it stored none.
    """

    name: str
    files: tuple[str, ...]
    template: GatingTemplate
    stored: Mapping[str, int]


def read_flowjo(path: str | Path) -> tuple[FlowJoSample, ...]:
    """Read a FlowJo 10 workspace: a template of fixed gates for each of its samples.

    Parameters
    ----------
    path
        The ``.wsp`` file. It is parsed as :func:`read_gatingml` does; files that it names are not opened.

    Returns
    -------
    The samples with gates, in the workspace's order.

    Raises
    ------
    TemplateError
        If it is not a workspace of FlowJo 10, two samples have one name, or a gate uses a scale or a shape whose
        definition FlowJo does not publish.

    Notes
    -----
    FlowJo draws an ellipse as a polygon; FlowKit's, of 128 vertices, is taken.
    """
    path = Path(path)
    return parse_flowjo(read_xml(path), file=path.name)


def parse_flowjo(root: Element, *, file: str) -> tuple[FlowJoSample, ...]:
    """As :func:`read_flowjo`, of a document read by :func:`il2cyto.io._xml.read_xml`."""
    samples = root.findall("SampleList/Sample")
    names = [_node(sample, file).get("name", "") for sample in samples]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        msg = f"{file}: two samples are called {', '.join(twice)}; give each its own name in FlowJo"
        raise TemplateError(msg)
    counts = [dict(_counts(_node(sample, file), (ROOT,), file)) for sample in samples]
    read = [_sample(root, sample, found, file) for sample, found in zip(samples, counts, strict=True) if found]
    if not read:
        msg = f"{file}: no sample of the workspace has gates"
        raise TemplateError(msg)
    return tuple(read)


def _node(sample: Element, file: str) -> Element:
    node = sample.find("SampleNode")
    if node is None:
        msg = f"{file}:{sample.sourceline}: a sample without SampleNode; save the workspace again in FlowJo 10"
        raise TemplateError(msg)
    return node


def _sample(root: Element, sample: Element, counts: Mapping[GatePath, int | None], file: str) -> FlowJoSample:
    from flowkit._utils.wsp_utils import parse_wsp

    name = _node(sample, file).get("name", "")
    if len(counts) > MAX_GATES:
        msg = f"{file}: {name}: {len(counts)} gates; at most {MAX_GATES} are read"
        raise TemplateError(msg)
    try:
        strategy = parse_wsp(as_file(_alone(root, sample)))["samples"][name]["gating_strategy"]
    except (*PARSER_ERRORS, re.error) as error:
        msg = f"{file}: {name}: FlowKit cannot read its gates: {error}"
        raise TemplateError(msg) from error
    template, names = template_of(
        strategy, file=f"{file}: {name}", name=plain_name(Path(file).stem), description=f"Imported from FlowJo, {file}"
    )
    stored = {names[path]: count for path, count in counts.items() if count is not None and path in names}
    source = sample.find("DataSet")
    uri = "" if source is None else unquote(source.get("uri", ""))
    files = tuple(dict.fromkeys(f for f in (name, re.split(r"[/\\]", uri)[-1]) if f))
    return FlowJoSample(name, files, template, stored)


def _alone(root: Element, sample: Element) -> Element:
    """The workspace with this sample only, and without the scales of channels that no gate of it looks at.

    FlowKit would otherwise refuse the whole workspace for one sample, or one channel, that it cannot read.
    """
    alone = copy(root)
    for child in alone:
        if local_name(child) in ("Groups", "SampleList"):
            for item in list(child):
                child.remove(item)
        else:
            alone.remove(child)
    own = deepcopy(sample)
    (samples,) = (child for child in alone if local_name(child) == "SampleList")
    samples.append(own)
    gated = {d.get(f"{{{DATATYPES}}}name", "") for d in own.iter(f"{{{DATATYPES}}}fcs-dimension")}
    scales = own.find("Transformations")
    for scale in list(scales) if scales is not None else ():
        parameter = scale.find(f"{{{DATATYPES}}}parameter")
        channel = "" if parameter is None else parameter.get(f"{{{DATATYPES}}}name", "")
        if local_name(scale) not in SCALES and not any(name.endswith(channel) for name in gated):
            scales.remove(scale)
    return alone


def _counts(node: Element, path: GatePath, file: str) -> Iterator[tuple[GatePath, int | None]]:
    """The path of each gate below a node, and the count that stands there."""
    if len(path) > MAX_DEPTH:
        msg = f"{file}: more than {MAX_DEPTH} gates under one another; at most {MAX_DEPTH} are read"
        raise TemplateError(msg)
    for holder in node.findall("Subpopulations"):
        for child in holder:
            if local_name(child) in POPULATIONS:
                here = (*path, child.get("name", ""))
                count = child.get("count", "")
                yield here, int(count) if count.isdecimal() else None
                yield from _counts(child, here, file)

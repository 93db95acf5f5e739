"""XML from other programs: data only. No document type, no entities, nothing fetched, and a limit on everything."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from il2cyto.errors import TemplateError

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

GATING: Final = "http://www.isac-net.org/std/Gating-ML/v2.0/gating"
TRANSFORMS: Final = "http://www.isac-net.org/std/Gating-ML/v2.0/transformations"
DATATYPES: Final = "http://www.isac-net.org/std/Gating-ML/v2.0/datatypes"

MAX_BYTES: Final = 64_000_000
#: Gates of one sample, and gates under one another. Measured: FlowKit needs 49 s for 600 gates in one chain.
MAX_GATES: Final = 1000
MAX_DEPTH: Final = 60


def read_xml(path: str | Path) -> Element:
    """Read a document without trusting it.

    Returns
    -------
    Its root, without comments and processing instructions.

    Raises
    ------
    TemplateError
        If it is too large, is not XML, or has a document type declaration: that is where entities and references to
        other files are declared, and a file of gates needs neither.
    """
    from lxml import etree

    path = Path(path)
    size = path.stat().st_size
    if size > MAX_BYTES:
        msg = (
            f"{path.name}: {size / 1e6:.0f} MB of XML; at most {MAX_BYTES / 1e6:.0f} MB are read. Export fewer samples."
        )
        raise TemplateError(msg)
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    content = path.read_bytes()
    try:
        root = etree.parse(BytesIO(content), parser).getroot()
    except etree.XMLSyntaxError as error:
        # The parser's own text may quote the file; its place does not.
        msg = f"{path.name}:{error.lineno}: not well-formed XML, or nested too deeply; export it again"
        raise TemplateError(msg) from None
    if root.getroottree().docinfo.internalDTD is not None:
        msg = f"{path.name}: has a DOCTYPE; documents with one are not read. Remove the declaration."
        raise TemplateError(msg)
    return root


def as_file(root: Element) -> BytesIO:
    """The document that was read, for FlowKit's parsers: they never see the file itself."""
    from lxml import etree

    return BytesIO(etree.tostring(root, encoding="utf-8", xml_declaration=True))


def local_name(element: Element) -> str:
    """The tag without its namespace."""
    tag: Any = element.tag
    return str(tag).rpartition("}")[2]

"""Sphinx: the pages of this folder as a web site that needs no network."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import il2cyto

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "il2cyto"
author = "the il2cyto authors"
copyright = "the il2cyto authors"
version = release = il2cyto.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
source_suffix = {".md": "markdown"}

# Links like templates.md#scales lead to headings.
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]

napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = ["Result"]
napoleon_attr_annotations = False
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True

html_theme = "furo"
html_title = f"il2cyto {release}"
html_copy_source = False
html_show_sourcelink = False


def _returns_as_prose(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Let what a function returns be prose, which it is here; napoleon would take its lines for a list of types."""
    del app, what, name, obj, options
    for i, (line, below) in enumerate(pairwise(lines)):
        if line == "Returns" and below == "-------":
            lines[i : i + 2] = ["Result", "------"]


def setup(app: Sphinx) -> None:
    """Come before napoleon, which has the default priority of 500."""
    app.connect("autodoc-process-docstring", _returns_as_prose, priority=400)

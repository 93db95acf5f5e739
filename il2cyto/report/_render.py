"""What every page is made with: templates that escape, styles and scripts within, one atomic write."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

import jinja2
from markupsafe import Markup

from il2cyto import __version__
from il2cyto.io._atomic import replacing

if TYPE_CHECKING:
    from pathlib import Path


def render(template: str, **values: object) -> str:
    """Fill a template of assets/; a value that it does not get is an error."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, loader=jinja2.FunctionLoader(asset)
    )
    return environment.get_template(template).render(
        version=__version__, css=Markup(asset("report.css")), tables_js=Markup(asset("tables.js")), **values
    )


def asset(name: str) -> str:
    """Text of a file of assets/."""
    return resources.files("il2cyto.report").joinpath("assets", name).read_text("utf-8")


def write_page(path: Path, page: str) -> Path:
    """Write a page in one step."""
    with replacing(path) as draft:
        draft.write_text(page, "utf-8")
    return path

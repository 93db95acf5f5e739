"""Gating templates on disk: found by name or path, read strictly."""

from __future__ import annotations

import difflib
import os
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from il2cyto.errors import TemplateError
from il2cyto.io._atomic import replacing
from il2cyto.io._yaml import load_yaml, parse_yaml, validate_yaml
from il2cyto.template import GatingTemplate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILE_NAME = "template.yaml"
#: Folders with a lab's own templates, separated as in PATH.
PATH_VARIABLE = "IL2CYTO_TEMPLATE_PATH"


def template_folders() -> dict[str, Path]:
    """The templates that can be asked for by name: name -> folder, a lab's own before the shipped ones.

    Examples
    --------
    >>> "tnk" in template_folders()
    True
    """
    found: dict[str, Path] = {}
    for root in _roots():
        for folder in sorted(root.iterdir()) if root.is_dir() else ():
            if (folder / FILE_NAME).is_file():
                found.setdefault(folder.name, folder)
    return found


def find_template(name_or_path: str | Path, *, relative_to: Path | None = None) -> Path:
    """The file of a template.

    Parameters
    ----------
    name_or_path
        A name under ``gating/`` (or under a folder of ``IL2CYTO_TEMPLATE_PATH``), a YAML file, or a folder with a
        ``template.yaml``.
    relative_to
        Where a relative path starts: the folder of the study; the working directory if None.

    Returns
    -------
    The path of the YAML file.

    Raises
    ------
    TemplateError
        If there is none, naming those that exist.

    Examples
    --------
    >>> find_template("tnk").parent.name
    'tnk'
    """
    folders = template_folders()
    if str(name_or_path) in folders:
        return folders[str(name_or_path)] / FILE_NAME
    path = Path(name_or_path) if relative_to is None else relative_to / name_or_path
    if path.is_dir() and (path / FILE_NAME).is_file():
        return path / FILE_NAME
    if path.is_file():
        return path
    near = difflib.get_close_matches(str(name_or_path), folders, n=1)
    msg = (
        f"template {Path(name_or_path).name!r}: no such template or file; there are {', '.join(folders) or 'none'}"
        + (f"; nearest: {near[0]}" if near else "")
        + ". Give one of these names, or the path of a YAML file."
    )
    raise TemplateError(msg)


def read_template(name_or_path: str | Path, *, relative_to: Path | None = None) -> GatingTemplate:
    """Read and check a gating template.

    Parameters
    ----------
    name_or_path, relative_to
        As for :func:`find_template`.

    Returns
    -------
    The template, fully checked.

    Raises
    ------
    TemplateError
        With every problem of the file, a line each: file, line, place, what was found and what is allowed.

    Examples
    --------
    >>> read_template("tbnk").by_name["CD4"].parent
    'T'
    """
    document = load_yaml(find_template(name_or_path, relative_to=relative_to), error_class=TemplateError)
    return validate_yaml(document, GatingTemplate, TemplateError)


def parse_template(text: str, *, name: str = "template.yaml") -> GatingTemplate:
    """As :func:`read_template`, of the text of a template."""
    return validate_yaml(parse_yaml(text, name=name, error_class=TemplateError), GatingTemplate, TemplateError)


def write_template(template: GatingTemplate, folder: str | Path) -> Path:
    """Write a template as ``<folder>/<name>/template.yaml``, where :func:`read_template` finds it again.

    Parameters
    ----------
    template
        The template.
    folder
        Folder of templates; made if missing.

    Returns
    -------
    The file.

    Raises
    ------
    TemplateError
        If what was written does not read back as the same template: too many gates for one file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_template(read_template("tbnk"), folder).name
    'template.yaml'
    """
    path = Path(folder) / template.name / FILE_NAME
    content = template.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    with replacing(path) as draft:
        _dump(content, draft)
        if read_template(draft).digest != template.digest:
            msg = f"template {template.name!r} does not read back as it was written; please report it"
            raise TemplateError(msg)
    return path


def write_draft(content: Mapping[str, Any], folder: str | Path) -> Path:
    """Write a template that somebody has to complete, unchecked, as ``<folder>/<name>/template.yaml``."""
    path = Path(folder) / str(content["name"]) / FILE_NAME
    with replacing(path) as draft:
        _dump(content, draft)
    return path


def _dump(content: Mapping[str, Any], path: Path) -> None:
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None  # short collections on one line
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = 120
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(content, file)


def _roots() -> Iterator[Path]:
    yield from (Path(p) for p in os.environ.get(PATH_VARIABLE, "").split(os.pathsep) if p)
    # In a wheel the templates lie inside the package; in a checkout beside it.
    packaged = Path(str(files("il2cyto"))) / "_gating"
    yield packaged if packaged.is_dir() else packaged.parent.parent / "gating"

"""The overrides file of a study, checked against its samples and template."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from il2cyto.errors import StudyError
from il2cyto.io._yaml import load_yaml, validate_yaml
from il2cyto.template import Cut1D, Overrides

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from il2cyto.io._yaml import YamlDocument
    from il2cyto.template import GatingTemplate, Override


def read_overrides(path: Path, templates: Mapping[str, GatingTemplate]) -> tuple[Override, ...]:
    """Read and check a file of overrides.

    Parameters
    ----------
    path
        The YAML file.
    templates
        Sample -> the template that gates it, for all samples of the study.

    Returns
    -------
    The overrides in the order of the file.

    Raises
    ------
    StudyError
        With every problem, a line each: an unknown sample or population, two overrides of one gate, or a shape that the gate
        cannot have.
    """
    document = load_yaml(path, error_class=StudyError)
    overrides = validate_yaml(document, Overrides, StudyError).overrides
    problems = list(_problems(document, overrides, templates))
    if problems:
        raise StudyError("\n".join(problems))
    return overrides


def _problems(
    document: YamlDocument, overrides: tuple[Override, ...], templates: Mapping[str, GatingTemplate]
) -> Iterator[str]:
    seen: dict[tuple[str, str | None], int] = {}
    for i, override in enumerate(overrides):
        place = ("overrides", i)
        template = templates.get(override.sample)
        if template is None:
            text = f"sample {override.sample!r} is not in the study{_near(override.sample, templates)}"
            yield document.problem((*place, "sample"), text)
            continue
        first = seen.setdefault((override.sample, override.population), i)
        if first != i:
            what = "the panel" if override.population is None else override.population
            text = f"{what} of {override.sample} is overridden twice, first by number {first + 1}; keep one"
            yield document.problem(place, text)
        if override.population is None:
            continue
        population = template.by_name.get(override.population)
        if population is None:
            text = f"population {override.population!r} is not in template {template.name}"
            yield document.problem((*place, "population"), text + _near(override.population, template.by_name))
            continue
        gate = population.gate
        if override.cut is not None and not isinstance(gate, Cut1D):
            text = f"{override.population} has no fitted cut on one channel; override the gate that has"
            yield document.problem((*place, "cut"), text)
        if override.polygon is not None and (gate is None or len(gate.keys) != 2):
            text = f"{override.population} is not gated on two channels; a polygon needs two"
            yield document.problem((*place, "polygon"), text)


def _near(name: str, allowed: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, allowed, n=1)
    return f"; nearest {near[0]}" if near else ""

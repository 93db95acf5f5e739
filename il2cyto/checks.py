"""All that ``il2cyto check`` finds: the inventory of headers and events, joined with what gating knows of a panel."""

from __future__ import annotations

import json
import warnings
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from il2cyto.errors import FcsError, FcsWarning, Il2cytoError, PanelError, StudyError, TemplateError
from il2cyto.inventory import Problem, joined, problems_table, take_inventory
from il2cyto.io import local_copy, open_fcs, read_clinical, read_overrides, read_template, write_csv
from il2cyto.io._clinical import value_notices
from il2cyto.io._study import study_of
from il2cyto.report import write_check_page

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import polars as pl

    from il2cyto.batch import Progress
    from il2cyto.inventory import Inventory
    from il2cyto.study import Study
    from il2cyto.template import GatingTemplate, Override


def check_study(
    study: Study | str | Path,
    *,
    hashes: bool = True,
    events: bool = False,
    labels: bool = False,
    progress: Progress | None = None,
) -> Inventory:
    """Find all that is wrong with a study before it is gated.

    Parameters
    ----------
    study
        From :func:`il2cyto.io.read_study`, or the path of ``study.yaml``.
    hashes
        Read every file through once, to find copies; bound by the disk.
    events
        Look at some thousand events of each file as well, and test what its template expects of the panel's markers.
    labels
        Quote labels ($PnS) that name no known marker. They are free text and may name a person.
    progress
        Called with the pass, files done and files in all.

    Returns
    -------
    The files and what was found; a bad file is a row, never an exception.

    Examples
    --------
    >>> from il2cyto import checks, datasets, io
    >>> study = io.read_study(datasets.sample_data_path() / "study.yaml")
    >>> checks.check_study(study).n_errors
    0
    """
    study = study_of(study, "check_study")
    inventory = take_inventory(study, hashes=hashes, events=events, labels=labels, progress=progress)
    found = [*_overrides(study), *_clinical(study)]
    if not (study.sheet["role"] == "sample").any():
        found.append(Problem.of_batch("E103", f"{study.samples.name}: all {study.sheet.height} files are controls"))
    if events:
        found += _exchanged(study, inventory.files, progress or (lambda stage, done, total: None))
    return replace(inventory, problems=joined(problems_table(found), inventory.problems))


def _clinical(study: Study) -> Iterator[Problem]:
    """Find what is wrong with the clinical tables: a run would stop at it, after the files have been checked."""
    if study.subjects is None and study.clinical is None:
        return
    try:
        data = read_clinical(study)
    except StudyError as error:
        for line in str(error).splitlines():
            yield Problem.of_batch("E121", line)
        return
    implausible = list(value_notices(data.queries))
    for notice in data.notices:
        yield Problem.of_batch("W121" if notice in implausible else "I121", notice)


def _exchanged(study: Study, files: pl.DataFrame, progress: Progress) -> Iterator[Problem]:
    """Find files whose markers do not behave as their names say, unless a person has vouched for them."""
    templates = _templates(study)
    accepted = _accepted(study, templates)
    shown = dict(files.select("sample", "file").iter_rows())
    rows = study.sheet.to_dicts()
    with warnings.catch_warnings():
        # The flags were reported with the headers.
        warnings.simplefilter("ignore", FcsWarning)
        for done, row in enumerate(rows, start=1):
            template = templates.get(row["panel"])
            if template is not None and template.expect and row["role"] == "sample" and row["sample"] not in accepted:
                reason = _implausible(study, row["file"], template)
                if reason:
                    yield Problem.of_file("E161", shown[row["sample"]], row["sample"], reason)
            progress("test panels", done, len(rows))


def _implausible(study: Study, name: str, template: GatingTemplate) -> str:
    # Here, since it brings numba along: a check of headers should start at once.
    from il2cyto.gt import Events, make_plan, panel_plausibility

    try:
        with local_copy(study.source(name)) as path:
            file = open_fcs(path)
            plan = make_plan(template, file.panel(study.marker_aliases), file=file.name)
            return panel_plausibility(Events(file, plan)).reason
    except (FcsError, PanelError):
        # What keeps the file from being gated is a finding of the inventory already.
        return ""


def _templates(study: Study) -> dict[str, GatingTemplate]:
    found = {}
    for panel, about in study.panels.items():
        # A template that cannot be read is E110.
        with suppress(TemplateError):
            found[panel] = read_template(about.template, relative_to=study.folder)
    return found


def _overrides(study: Study) -> Iterator[Problem]:
    """Find what is wrong with the cuts that persons have set."""
    try:
        _read_overrides(study, _templates(study))
    except Il2cytoError as error:
        yield from (Problem.of_batch("E104", line) for line in str(error).splitlines())


def _read_overrides(study: Study, templates: Mapping[str, GatingTemplate]) -> tuple[Override, ...]:
    # Without its template nothing can be said of an override; that it cannot be read is E110.
    if study.overrides is None or len(templates) < len(study.panels):
        return ()
    of_sample = {sample: templates[panel] for sample, panel in study.sheet.select("sample", "panel").iter_rows()}
    return tuple(read_overrides(study.path(study.overrides), of_sample))


def _accepted(study: Study, templates: Mapping[str, GatingTemplate]) -> set[str]:
    # An error of the file is a finding of its own.
    with suppress(Il2cytoError):
        return {override.sample for override in _read_overrides(study, templates) if override.accept_panel}
    return set()


def to_json(inventory: Inventory, study: Study) -> str:
    """Write what was found as JSON.

    Parameters
    ----------
    inventory
        From :func:`check_study`.
    study
        The study.

    Returns
    -------
    An object with study, simulated, files, errors, and the problems, each with its six columns.
    """
    return json.dumps(
        {
            "study": study.study,
            "simulated": study.simulated,
            "files": inventory.files.height,
            "errors": inventory.n_errors,
            "problems": inventory.problems.to_dicts(),
        },
        ensure_ascii=False,
        indent=1,
    )


def write_check(inventory: Inventory, study: Study, folder: str | Path) -> tuple[Path, ...]:
    """Write ``check.csv`` (the findings), ``check_files.csv`` (the files) and ``check.html`` into a folder.

    Parameters
    ----------
    inventory
        From :func:`check_study`.
    study
        The study.
    folder
        Where to; made if missing.

    Returns
    -------
    Their paths.
    """
    folder = Path(folder)
    return (
        write_csv(inventory.problems, folder / "check.csv"),
        write_csv(inventory.files, folder / "check_files.csv", whole=["n_events", "n_channels"]),
        write_check_page(inventory, folder / "check.html", study=study.study, simulated=study.simulated),
    )

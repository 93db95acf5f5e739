"""All that ``il2cyto check`` finds: the inventory of headers and events, joined with what gating knows of a panel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from il2cyto.inventory import take_inventory
from il2cyto.io import write_csv
from il2cyto.report import write_check_page

if TYPE_CHECKING:
    from il2cyto.batch import Progress
    from il2cyto.inventory import Inventory
    from il2cyto.study import Study


def check_study(
    study: Study, *, hashes: bool = True, events: bool = False, labels: bool = False, progress: Progress | None = None
) -> Inventory:
    """Find all that is wrong with a study before it is gated.

    Parameters
    ----------
    study
        From :func:`il2cyto.io.read_study`.
    hashes
        Read every file through once, to find copies; bound by the disk.
    events
        Look at some thousand events of each file as well.
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
    return take_inventory(study, hashes=hashes, events=events, labels=labels, progress=progress)


def to_json(inventory: Inventory, study: Study) -> str:
    """Write what was found as JSON: study, simulated, files, errors, and the problems, each with its six columns."""
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

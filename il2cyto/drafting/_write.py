"""write_draft: study.yaml, samples.csv and aliases.csv, never over files that are there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from il2cyto.drafting._explain import guesses
from il2cyto.errors import StudyError
from il2cyto.io import write_csv
from il2cyto.io._atomic import replacing

if TYPE_CHECKING:
    from il2cyto.drafting._draft import Draft
    from il2cyto.drafting._draft_panels import DraftPanel

_WEEK: Final = re.compile(r"(?:w|wk|week)-?(\d+)|(baseline)", re.IGNORECASE)


def write_draft(draft: Draft, out: str | Path, *, force: bool = False) -> tuple[Path, ...]:
    """Write a draft into a folder.

    Parameters
    ----------
    draft
        From :func:`draft_study`.
    out
        Folder; made if missing.
    force
        Replace files of the same names.

    Returns
    -------
    The files: study.yaml, samples.csv and, where labels name no known marker, aliases.csv.

    Raises
    ------
    StudyError
        One of the files is there already; nothing has been written then.

    Examples
    --------
    >>> import tempfile
    >>> from il2cyto import datasets
    >>> from il2cyto.drafting import draft_study
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = write_draft(draft_study(datasets.sample_data_path() / "fcs", out=folder), folder)
    >>> [file.name for file in files]
    ['study.yaml', 'samples.csv']
    """
    out = Path(out)
    names = ["study.yaml", "samples.csv", *(["aliases.csv"] if draft.aliases.height else [])]
    there = [name for name in names if (out / name).exists()]
    if there and not force:
        msg = (
            f"{', '.join(there)}: there already, and may hold somebody's work. Nothing was written: draft into another folder "
            "with --out, or replace what is there with --force."
        )
        raise StudyError(msg)
    if draft.aliases.height:
        write_csv(draft.aliases, out / "aliases.csv")
    write_csv(draft.samples, out / "samples.csv")
    with replacing(out / "study.yaml") as path:
        path.write_text(study_text(draft), encoding="utf-8")
    return tuple(out / name for name in names)


def study_text(draft: Draft) -> str:
    """Write the study file: what was found, and as comments what only a person can say."""
    lines = [
        f"# Drafted by il2cyto init from {draft.samples.height} FCS files. What it guessed, and from what:",
        *(f"#   {line}" for line in guesses(draft)),
        "",
        f"study: {json.dumps(draft.name, ensure_ascii=False)}",
        *(["simulated: true"] if draft.simulated else []),
        "samples: samples.csv",
        *(["aliases: aliases.csv          # label, marker: the lab's own labels"] if draft.aliases.height else []),
        "panels:",
        *(_panel_line(panel) for panel in draft.panels),
        "",
        "# To compare arms and visits, complete these lines and remove their #:",
        "# subjects: subjects.csv        # a table: subject, arm",
        "# arms: [placebo, IL-2]         # control first",
        "# schedule:                     # visits in order, with their weeks; one is the baseline",
        *_schedule_lines(draft),
    ]
    return "\n".join(lines) + "\n"


def _panel_line(panel: DraftPanel) -> str:
    if panel.chosen is not None:
        return f"  {panel.name}: {{template: {panel.chosen.template}}}"
    return f"  {panel.name}: {{template: }}   # name one: il2cyto templates list"


def _schedule_lines(draft: Draft) -> list[str]:
    visits = draft.samples["visit"].drop_nulls().unique().to_list()
    matches = {visit: _WEEK.fullmatch(visit) for visit in visits}
    weeks = {visit: int(match[1] or 0) for visit, match in matches.items() if match}
    if len(weeks) < len(visits) or len(set(weeks.values())) < len(weeks):
        return [f"# - {{visit: {json.dumps(visit, ensure_ascii=False)}, week: }}" for visit in sorted(visits)]
    first = min(weeks.values(), default=0)
    return [
        f"# - {{visit: {visit}, week: {weeks[visit]}{', baseline: true' if weeks[visit] == first else ''}}}"
        for visit in sorted(weeks, key=weeks.__getitem__)
    ]

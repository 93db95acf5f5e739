"""What a draft rests on, in words: for the terminal. No label and no date of a file is in them."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

import polars as pl

from il2cyto.drafting._tokens import DATE_FILLER, without_dates, words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from il2cyto.drafting._draft import Draft
    from il2cyto.drafting._draft_panels import DraftPanel
    from il2cyto.drafting._fit import Fit

_FIELDS: Final = ("subject", "visit", "replicate")
_BATCH: Final = {
    "names": "batch: from names",
    "days": "batch: one for each day of acquisition, numbered in order",
    "folders": "batch: one for each folder, numbered in order",
    "": "batch: one for all files; neither names nor days of acquisition nor folders tell batches apart",
}


def explain(draft: Draft) -> tuple[str, ...]:
    """Say what was guessed and what to look at, in lines for a terminal.

    Parameters
    ----------
    draft
        From :func:`draft_study`.

    Returns
    -------
    The lines.

    Examples
    --------
    >>> from il2cyto import datasets
    >>> from il2cyto.drafting import draft_study
    >>> explain(draft_study(datasets.sample_data_path() / "fcs"))[:2]
    ('Guessed, please check:', '  subject: from names; 8 found (SIM-001, SIM-002, SIM-003, SIM-004, SIM-005, SIM-006 and 2 more)')
    """
    todo = list(checks(draft))
    lines = ["Guessed, please check:", *(f"  {line}" for line in guesses(draft))]
    return (*lines, *(["To do before it can run:", *(f"  {line}" for line in todo)] if todo else []))


def guesses(draft: Draft) -> Iterator[str]:
    """Say what was guessed, from what."""
    samples = _samples(draft)
    for column in ("subject", "visit", "replicate"):
        values = samples[column].drop_nulls().unique(maintain_order=True) if column in samples.columns else ()
        if len(values):
            shown = ", ".join(values[:6]) + (f" and {len(values) - 6} more" if len(values) > 6 else "")
            yield f"{column}: from names; {len(values)} found ({shown})"
    yield _BATCH[draft.batch_source]
    for panel in draft.panels:
        yield f"panel {panel.name}: {_count(panel.n_files, 'file')} with {', '.join(panel.markers) or 'no known marker'}"
        yield f"template of {panel.name}: {_choice(panel)}"
        if panel.chosen is not None and panel.chosen.without:
            absent = ", ".join(panel.chosen.without)
            yield f"  {absent} absent: what needs them is passed through with a flag, or left without numbers"
        yield f"  not {', '.join(_against(fit, panel) for fit in panel.fits if fit is not panel.chosen)}"


def checks(draft: Draft) -> Iterator[str]:
    """Say what a person has to look at before the study can be gated."""
    samples = _samples(draft)
    for column in ("subject", "visit", "panel"):
        blank = (draft.samples if column == "panel" else samples)[column].null_count()
        if blank:
            single = " (where there was one visit only, one word for all, such as V1)" if column == "visit" else ""
            yield f"samples.csv: {column} is blank in {_count(blank, 'row')}: fill it in{single}"
    repeated = _repeated(samples)
    if repeated:
        yield f"samples.csv: {_count(repeated, 'row')} share subject, visit and panel with another: tell them apart in column replicate"
    if draft.unclear is not None:
        file, unknown = draft.unclear
        text = f"names such as {file!r} were not understood (what are {_listed(unknown)}?): fill in samples.csv by hand"
        yield f"{text}, or run init again with --force and --names, such as --names {suggest_pattern(draft)!r}"
    if draft.aliases.height:
        labels = _count(draft.aliases.height, "label")
        yield f"aliases.csv: {labels} of the files name no known marker: write the marker beside each that is one"
        if len(draft.panels) > 1:
            yield "samples.csv: where panels differ by such a label only, give them one name"
    for panel in draft.panels:
        if panel.chosen is None:
            yield f"study.yaml: panel {panel.name} has no template: name one (il2cyto templates list), or write one"
        elif panel.chosen.doubt:
            yield f"study.yaml: template {panel.chosen.template} takes for granted {panel.chosen.doubt}: make sure of it"
    if draft.unreadable:
        yield f"cannot be read: {_listed(draft.unreadable)}; `il2cyto check` says why"
    if draft.left_out:
        yield f"left out, as no sheet can hold the name: {_listed(draft.left_out)}; rename and run init again with --force"


def suggest_pattern(draft: Draft) -> str:
    """Show how a pattern looks for the first name that was not understood; "" where all were."""
    if draft.unclear is None:
        return ""
    file, unknown = draft.unclear
    stem = without_dates(PurePosixPath(file).stem)
    row = next(row for row in draft.samples.iter_rows(named=True) if row["file"].endswith(file))
    known = {row[name]: name for name in _FIELDS if row.get(name)}
    absent = (name for name in _FIELDS if not row.get(name))
    pieces, done, cursor, seen = [], 0, 0, set[str]()
    for word in (word.strip(DATE_FILLER) for word in words(stem)):
        start = stem.find(word, cursor)
        if start < 0:  # a date stood in it, or two words that were read as one, such as Visit_2
            continue
        cursor = start + len(word)
        name = known.get(word) if known.get(word) not in seen else None
        name = name or (next(absent, "_") if word in unknown else None)
        if name:
            seen.add(name)
            pieces += [stem[done:start], f"{{{name}}}"]
            done = cursor
    pattern = "".join(pieces) + stem[done:] if pieces else "{subject}_{visit}"
    return re.sub(f"{DATE_FILLER}+", "{_}", pattern)


def _samples(draft: Draft) -> pl.DataFrame:
    frame = draft.samples
    return frame.filter(pl.col("role").is_null()) if "role" in frame.columns else frame


def _repeated(samples: pl.DataFrame) -> int:
    keys = [name for name in ("subject", "visit", "panel", "tube", "replicate") if name in samples.columns]
    known = samples.drop_nulls(["subject", "visit"])
    return int(known.select(pl.struct(keys).is_duplicated().sum()).item())


def _choice(panel: DraftPanel) -> str:
    fit = panel.chosen
    if fit is None:
        tied = [f.template for f in panel.fits if f.suits]
        return f"none chosen; {_listed(tied)} suit equally" if tied else "none suits"
    if sum(f.suits for f in panel.fits) == 1:
        return f"{fit.template}; the only one whose markers and channels are all there"
    return f"{fit.template}; of those whose markers and channels are all there it asks for most ({fit.n_required})"


def _against(fit: Fit, panel: DraftPanel) -> str:
    reason = fit.unsuited or f"asks for {'fewer markers' if panel.chosen else 'as many'}"
    return f"{fit.template} ({'lacks ' + ', '.join(fit.missing) if fit.missing else reason})"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'s' if n > 1 else ''}"


def _listed(texts: tuple[str, ...] | list[str]) -> str:
    return ", ".join(texts[:4]) + (f" and {len(texts) - 4} more" if len(texts) > 4 else "")

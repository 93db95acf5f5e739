"""Every code that ``il2cyto check`` can give, with its meaning and remedy: the one table, which the page on troubleshooting shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from il2cyto.io._fcs._flags import MEANINGS

if TYPE_CHECKING:
    import polars as pl

Severity: TypeAlias = Literal["error", "warning", "info"]
SEVERITIES: Final[dict[str, Severity]] = {"E": "error", "W": "warning", "I": "info"}


class Code(NamedTuple):
    """What a code stands for, and what mends it where the finding itself does not say it better."""

    meaning: str
    remedy: str


#: Code -> meaning and remedy, what an analyst must see first in front. Codes are stable: they may be added, never renamed.
CODES: Final[dict[str, Code]] = {
    # Results would be wrong or missing.
    "E161": Code(
        "markers do not behave as their names say: labels may have been exchanged",
        "Compare the file's labels with the staining protocol; correct them in the aliases table.",
    ),
    "E111": Code(
        "a file looks like another panel of the study", "Correct `panel` in the sample sheet, or find the right file."
    ),
    "E101": Code("a file of the sheet is not there", "Copy it there, or correct the sample sheet."),
    "E102": Code("a file cannot be read", "Copy or export it again."),
    "E103": Code(
        "there is no sample to gate: every file of the sheet is a control",
        "Add the stained tubes, or leave their role blank.",
    ),
    "E104": Code("a cut that a person has set cannot be used", "Correct the overrides: il2cyto run stops at it."),
    "E110": Code("a template cannot be read", "Correct the template, or its name in the study."),
    "E121": Code("a clinical table cannot be used", "Correct the table: il2cyto run stops at it."),
    "E112": Code("a required marker or channel is absent", "Add the file's label to the aliases table."),
    "E113": Code("a marker is on several channels", "Give all but one of them another marker in the aliases table."),
    "E141": Code(
        "the spillover matrix is unusable", "Give the compensation matrix by the template or the sample sheet."
    ),
    # A person should look.
    "W203": Code("two files have the same content", "One of the two was copied or named wrongly: find the right file."),
    "W205": Code(
        "visits of a subject were acquired in another order than they took place",
        "Check that the two files are not exchanged; frozen samples may be run in any order.",
    ),
    "W201": Code(
        "CONFOUNDED_BATCH: a batch holds one visit only",
        "Run all visits of a subject in one batch, or add bridging controls (control: yes).",
    ),
    "W206": Code(
        "CONFOUNDED_BATCH: the arms differ in batch, cytometer, site, operator or lot",
        "Mix the arms within batches, or add bridging controls (control: yes).",
    ),
    "W142": Code("no spillover matrix", "Export the file with its acquisition matrix."),
    "W143": Code(
        "the spillover matrix is the identity", "Compensate at the cytometer, or export with the matrix that was used."
    ),
    "W145": Code(
        "the events seem to be compensated already",
        "Export uncompensated events, or use a template with compensation: none.",
    ),
    "W131": Code(
        "channels differ from the other files of batch and panel",
        "Check that the file belongs to this batch and panel.",
    ),
    "W132": Code(
        "detector voltages or gains differ from the other files of batch and panel",
        "Check that the file belongs to this batch; its cuts may lie elsewhere.",
    ),
    "W144": Code(
        "the spillover matrix has other channels than in the other files of batch and panel",
        "Check the compensation of this file.",
    ),
    "W162": Code(
        "a marker is much dimmer than in the other files: it may not have been stained",
        "Check the staining of this tube; frequencies that need the marker are not to be trusted.",
    ),
    "W163": Code(
        "a detector is saturated", "Lower the voltage in later runs; cuts near the top are not to be trusted."
    ),
    "W164": Code(
        "the flow rate or a signal changed while the file was acquired",
        "Look at il2cyto.pl.time_course of the file; no event is removed.",
    ),
    "W166": Code(
        "the signal changed for good while the file was acquired: it is of two parts",
        "Look at il2cyto.pl.time_course of the file: carry-over, another tube, a detector that was set anew. No event is removed.",
    ),
    "W165": Code("the acquisition paused", "Look for bubbles and clogs; no event is removed."),
    "W151": Code("few events", "Check that the file is complete; its rare populations will be flagged."),
    "W202": Code("an FCS file is not in the sheet", "Add it to the sample sheet, or move it out of the folder."),
    "W121": Code(
        "values of a clinical table are implausible in the unit of their column",
        "Convert them to the unit that the column's name says, or leave them if they are right.",
    ),
    "W204": Code("simulated events in a study that does not say so", "Set simulated: true in the study."),
    # For information.
    "I201": Code(
        "visits or arms differ in how they were run, and bridging controls were run in both",
        "Compare the controls in tables/cut_drift.csv and control_cv.csv; a template with fit_on: controls gates by them.",
    ),
    "I121": Code("something to know of the clinical tables", "Nothing to do if it is meant so."),
    "I162": Code(
        "a marker is dim in all files of a subject",
        "Nothing to do if the subject lacks these cells, as after treatment against them; else check the staining.",
    ),
    "I114": Code("an optional marker or channel is absent", "Nothing to do if the panel has none of them."),
}

#: Flags of the reader about the way a file is written, which leave no doubt about its events.
HARMLESS: Final = frozenset(
    {
        *("header_data", "text_data", "data_end", "analysis", "nextdata_missing", "text_padding", "text_end"),
        *("encoding", "datatype_case", "name_trimmed", "name_comma"),
    }
)
_COMPENSATION: Final = "Compare with the matrix at the cytometer, or give one by the template."
_EXPORT: Final = "Look at the file's export."
_COPY: Final = "Compare the file with its source, and copy it again."
_ACQUISITION: Final = "Look at the events in the channel named; they are kept."
_FLAG_REMEDIES: Final[dict[str, str]] = {
    **dict.fromkeys(("crc", "data_end", "tot_missing", "nextdata_lost", "repeated_events"), _COPY),
    **dict.fromkeys((code for code in MEANINGS if code.startswith(("spill_", "comp_"))), _COMPENSATION),
    **dict.fromkeys(
        ("nonfinite", "zero_channel", "constant_channel", "masked", "saturated", "extreme", "no_events"), _ACQUISITION
    ),
    "labels_repeated": "Give each channel its marker by the aliases table.",
    "names_alike": "Give each channel a name of its own at the cytometer.",
}


def flag_remedy(code: str) -> str:
    """What to do about a flag of the FCS reader."""
    return _FLAG_REMEDIES.get(code, "Nothing to do." if code in HARMLESS else _EXPORT)


def severity_of(code: str) -> Severity:
    """Severity of a code or of a flag of the FCS reader."""
    if code in CODES:
        return SEVERITIES[code[0]]
    return "info" if code in HARMLESS else "warning"


#: Place of each code among all: what an analyst must see first is lowest.
RANKS: Final = {code: rank for rank, code in enumerate([*CODES, *MEANINGS])}


def explain() -> pl.DataFrame:
    """List every code that a check can give: code, severity, meaning, remedy.

    Examples
    --------
    >>> from il2cyto.inventory import explain
    >>> explain().filter(code="W203").row(0)
    ('W203', 'warning', 'two files have the same content', 'One of the two was copied or named wrongly: find the right file.')
    """
    import polars as pl

    own = [(code, severity_of(code), *about) for code, about in CODES.items()]
    flags = [(code, severity_of(code), meaning, flag_remedy(code)) for code, meaning in MEANINGS.items()]
    return pl.DataFrame(own + flags, schema=["code", "severity", "meaning", "remedy"], orient="row")

"""Problem, and the entries that the checks look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from il2cyto.errors import FcsError
    from il2cyto.io._fcs import FcsFile
    from il2cyto.panel import Panel
    from il2cyto.template import GatingTemplate

Severity: TypeAlias = Literal["error", "warning", "info"]

#: Code -> what it stands for. Codes are stable; a flag of the FCS reader appears under its own code.
CODES: Final[dict[str, str]] = {
    "E101": "a file of the sheet is not there",
    "E102": "a file cannot be read",
    "E110": "a template cannot be read",
    "E112": "a required marker or channel is absent",
    "E113": "a marker is on several channels",
    "E141": "the spillover matrix is unusable",
    "I114": "an optional marker or channel is absent",
    "W131": "channels differ from the other files of batch and panel",
    "W142": "no spillover matrix",
    "W143": "the spillover matrix is the identity",
    "W144": "the spillover matrix has other channels than in the other files of batch and panel",
    "W145": "the events seem to be compensated already",
    "W151": "few events",
    "W201": "CONFOUNDED_BATCH: one visit only in a batch",
    "W202": "an FCS file is not in the sheet",
    "W203": "two files have the same content",
    "W204": "simulated events in a study that does not say so",
}
SEVERITIES: Final[dict[str, Severity]] = {"E": "error", "W": "warning", "I": "info"}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a file, or with the batch where `file` is "".

    Attributes
    ----------
    code
        Of :data:`CODES`, or that of an :class:`~il2cyto.io._fcs.FcsFlag`.
    severity
        ``error`` (the file or a part of its results will be missing), ``warning`` (a person should look), ``info``.
    file, sample
        The file as the study names it, without a folder outside the study, and its sample.
    message, remedy
        What is wrong, and what mends it.
    """

    code: str
    severity: Severity
    file: str
    sample: str
    message: str
    remedy: str


@dataclass(frozen=True)
class Demand:
    """What a template asks of every file of its panel."""

    required: tuple[str, ...]
    optional: tuple[str, ...]
    compensates: bool

    @classmethod
    def of(cls, template: GatingTemplate) -> Demand:
        """Collect the declared markers, and the scatter channels that gates use without declaring them."""
        required, optional = dict.fromkeys(template.requires), dict.fromkeys(template.optional)
        for population in template.populations:
            for key in population.gate.keys if population.gate is not None else ():
                if key not in required and key not in optional:
                    (required if population.if_missing == "fail" else optional)[key] = None
        return cls(
            tuple(required), tuple(key for key in optional if key not in required), template.compensation != "none"
        )


@dataclass(frozen=True)
class Entry:
    """One row of the sheet with its file, opened if that was possible."""

    row: dict[str, Any]
    shown: str
    fcs: FcsFile | None = None
    panel: Panel | None = None
    failure: FcsError | None = None
    sha256: str | None = None

    @property
    def group(self) -> tuple[str, str]:
        """The files that should look alike: same batch, same panel."""
        return self.row["batch"], self.row["panel"]

    def problem(self, code: str, message: str, remedy: str) -> Problem:
        """Make a problem of this file."""
        return Problem(code, SEVERITIES[code[0]], self.shown, self.row["sample"], message, remedy)

"""Problem, and the entries that the checks look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from il2cyto.inventory._codes import CODES, severity_of
from il2cyto.template import loss_without

if TYPE_CHECKING:
    from collections.abc import Mapping

    from il2cyto.errors import FcsError
    from il2cyto.inventory._codes import Severity
    from il2cyto.io._fcs import FcsFile
    from il2cyto.panel import Panel
    from il2cyto.template import GatingTemplate


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

    @classmethod
    def of_file(cls, code: str, file: str, sample: str, message: str, remedy: str = "") -> Problem:
        """Make a problem of one file; where nothing better can be said the remedy is that of the code."""
        return cls(code, severity_of(code), file, sample, message, remedy or CODES[code].remedy)

    @classmethod
    def of_batch(cls, code: str, message: str, remedy: str = "") -> Problem:
        """Make a problem of several files, or of none."""
        return cls.of_file(code, "", "", message, remedy)


@dataclass(frozen=True)
class Demand:
    """What a template asks of every file of its panel."""

    required: tuple[str, ...]
    optional: Mapping[str, str]  # marker -> what its absence does
    compensates: bool

    @classmethod
    def of(cls, template: GatingTemplate) -> Demand:
        """Collect the declared markers, and the scatter channels that gates use without declaring them."""
        required, optional = dict.fromkeys(template.requires), dict.fromkeys(template.optional)
        for population in template.populations:
            for key in population.gate.keys if population.gate is not None else ():
                if key not in required and key not in optional:
                    (required if population.if_missing == "fail" else optional)[key] = None
        losses = {key: str(loss_without(template, key)) for key in optional if key not in required}
        return cls(tuple(required), losses, template.compensation != "none")


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

    def problem(self, code: str, message: str, remedy: str = "") -> Problem:
        """Make a problem of this file."""
        return Problem.of_file(code, self.shown, self.row["sample"], message, remedy)

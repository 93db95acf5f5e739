"""The exceptions and warnings of il2cyto.

Every message says what is wrong, where (file, sample, gate, line), what was found, what is allowed and how to mend it.
A message never quotes the value of an FCS keyword: it may identify a patient.
"""

from __future__ import annotations


class Il2cytoError(Exception):
    """Base class: catch this one to catch everything il2cyto raises on purpose."""


class FcsError(Il2cytoError, ValueError):
    """A file is not what an FCS file claims to be, or cannot be read without guessing.

    Parameters
    ----------
    file
        Name of the file, without its folder.
    check
        The check that failed, such as ``"$TOT"`` or ``"HEADER"``.
    found
        What was found: a number or a kind, never a keyword's value.
    remedy
        What the reader of the message can do.
    """

    def __init__(self, file: str, check: str, found: str, remedy: str) -> None:
        self.file, self.check, self.found, self.remedy = file, check, found, remedy
        super().__init__(f"{file}: {check}: {found}. {remedy}")

    def __reduce__(self) -> tuple[type[FcsError], tuple[str, str, str, str]]:
        # The default would call the class with the one message: it has to survive a process boundary.
        return type(self), (self.file, self.check, self.found, self.remedy)


class FcsWarning(UserWarning):
    """A file was read, but something in it was repaired, ignored or looks wrong."""


class PanelError(Il2cytoError, ValueError):
    """A marker cannot be matched to exactly one channel."""


class TemplateError(Il2cytoError, ValueError):
    """A gating template is not valid; the message lists all of its problems."""


class StudyError(Il2cytoError, ValueError):
    """A study file or one of its tables is not valid; the message lists all of its problems."""


class GatingError(Il2cytoError, ValueError):
    """A gate cannot be evaluated."""


class RunError(Il2cytoError, RuntimeError):
    """A folder of results cannot be written or checked."""


class PopulationError(Il2cytoError, KeyError):
    """A population is not in the object, or not related to the others as asked."""

    def __str__(self) -> str:
        # KeyError shows the repr of its argument, which would put the message in quotes.
        return str(self.args[0]) if self.args else ""


class SchemaError(Il2cytoError, ValueError):
    """An AnnData object does not follow the il2cyto schema."""


class IndependenceWarning(UserWarning):
    """A method that takes rows as independent is given several samples of one subject."""


class ModelError(Il2cytoError, ValueError):
    """A statistical model cannot be fitted to these data, or not as asked."""

"""The parts that a study file is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from il2cyto._strict import Strict


def no_url(value: object) -> object:
    """Refuse a URL where a file is named: a study never opens a connection."""
    if isinstance(value, str) and "://" in value:
        msg = "a URL; allowed is a path, absolute or relative to the study file"
        raise ValueError(msg)
    return value


Text = Annotated[str, Field(min_length=1)]
StudyPath = Annotated[Path, BeforeValidator(no_url)]
Week = Annotated[float, Field(allow_inf_nan=False)]
PanelName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]


class ScheduledVisit(Strict):
    """A visit that the protocol plans, and the week for which it plans it."""

    visit: Text
    week: Week
    baseline: bool = False


def _named(template: object) -> object:
    """A draft leaves the template blank where none suits."""
    if template is None:
        msg = "blank; name a template (il2cyto templates list), or the path of one"
        raise ValueError(msg)
    return template


class StudyPanel(Strict):
    """A tube's panel: the template that gates it, by name or by path."""

    template: Annotated[Text, BeforeValidator(_named), BeforeValidator(no_url)]


class Primary(Strict):
    """Where the study's primary endpoint is read."""

    visit: Text

"""What the models of a study file have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field


def no_url(value: object) -> object:
    """Refuse a URL where a file is named: a study never opens a connection."""
    if isinstance(value, str) and "://" in value:
        msg = "a URL; allowed is a path, absolute or relative to the study file"
        raise ValueError(msg)
    return value


Text = Annotated[str, Field(min_length=1)]
StudyPath = Annotated[Path, BeforeValidator(no_url)]

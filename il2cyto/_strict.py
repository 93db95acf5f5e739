"""What all models of study files and templates inherit."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A part of a file that a person writes: it never changes, and refuses what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

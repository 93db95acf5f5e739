"""Names read as their owner says: ``HD_{subject}_{visit}_{replicate}``."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from il2cyto.drafting._names import Named
from il2cyto.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Sequence

FIELDS: Final = ("subject", "visit", "panel", "batch", "replicate", "tube")
_FIELD: Final = re.compile(r"\{([^{}]*)\}")


def read_by_pattern(files: Sequence[str], pattern: str) -> list[Named]:
    """Read names by a pattern; a file that does not follow it has nothing but blanks.

    Parameters
    ----------
    files
        Paths relative to the folder, with ``/``.
    pattern
        The name without its ending, with ``{subject}``, ``{visit}``, ``{panel}``, ``{batch}``, ``{replicate}`` and ``{tube}`` where
        they stand, and ``{_}`` for what does not matter. With a ``/`` it is held against the whole path, else against the name.

    Raises
    ------
    StudyError
        The pattern has a field that is not known, or one twice.

    Examples
    --------
    >>> read_by_pattern(["a/HD_A_1_2.fcs"], "HD_{subject}_{visit}_{replicate}")[0].visit
    '1'
    """
    rule = _compile(pattern)
    found = []
    for file in files:
        path = PurePosixPath(file)
        match = rule.fullmatch(str(path.with_suffix("")) if "/" in pattern else path.stem)
        entry = Named() if match else Named(unknown=(path.stem,))
        for name, text in match.groupdict().items() if match else ():
            setattr(entry, name, text)
        found.append(entry)
    return found


def _compile(pattern: str) -> re.Pattern[str]:
    names = _FIELD.findall(pattern)
    known = [name for name in names if name != "_"]
    wrong = [name for name in known if name not in FIELDS or known.count(name) > 1]
    if wrong or not known:
        found = ", ".join(f"{{{name}}}" for name in dict.fromkeys(wrong)) or "no field"
        allowed = ", ".join(f"{{{name}}}" for name in FIELDS)
        msg = f"--names: found {found}; allowed are {allowed}, each at most once, and {{_}} for what does not matter"
        raise StudyError(msg)
    pieces = _FIELD.split(pattern.removesuffix(".fcs"))
    return re.compile("".join(_piece(text, is_field=i % 2 == 1) for i, text in enumerate(pieces)))


def _piece(text: str, *, is_field: bool) -> str:
    if not is_field:
        return re.escape(text)
    return "[^/]*?" if text == "_" else f"(?P<{text}>[^/]+?)"

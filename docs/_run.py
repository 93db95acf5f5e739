"""Run the code blocks of the pages: ``python docs/_run.py [PAGE ...]``, all pages by default.

Blocks of one page run in order, in one folder that holds a copy of ``sample_data``, and share their names. What is run:

- ``python``: executed;
- ``pycon``: executed, and what it shows is compared (doctest);
- ``sh``: executed, every line has to succeed; ``il2cyto`` is the one of this project.

A block that must not run says why in a comment above its fence: ``<!-- not run: it installs -->``.
"""

from __future__ import annotations

import contextlib
import doctest
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap
import types
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).resolve().parents[1]
RUN = ("python", "pycon", "sh")
_BLOCK = re.compile(
    r"^(?P<indent> *)(?:<!-- not run: (?P<why>[^>]+) -->\n(?P=indent))?```(?P<language>[\w{}-]*)\n(?P<code>.*?)^(?P=indent)```",
    re.DOTALL | re.MULTILINE,
)


class Block(NamedTuple):
    """A fenced block: its language, its code, the line where it starts, and why it is not run ("" if it is)."""

    language: str
    code: str
    line: int
    why: str


def pages() -> list[Path]:
    """The README and every page of the documentation but the gallery, which draw_gallery.py runs on a whole trial."""
    return [PROJECT / "README.md", *(p for p in sorted(PROJECT.glob("docs/**/*.md")) if p.name != "gallery.md")]


def blocks(page: Path) -> list[Block]:
    """Every fenced block of a page."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(m["language"], textwrap.dedent(m["code"]), text.count("\n", 0, m.start("code")) + 1, m["why"] or "")
        for m in _BLOCK.finditer(text)
    ]


def run_page(page: Path, folder: Path) -> int:
    """Run the blocks of a page in a folder, and give their number; the first that fails raises, with its place."""
    chosen = [block for block in blocks(page) if block.language in RUN and not block.why]
    if chosen:
        shutil.copytree(PROJECT / "sample_data", folder / "sample_data")
    # What is defined in a block can be looked up by its module, as dataclasses and pydantic do.
    module = types.ModuleType("page")
    sys.modules["page"] = module
    before = Path.cwd()
    os.chdir(folder)
    try:
        for block in chosen:
            _run(block, module.__dict__, f"{page.relative_to(PROJECT)}:{block.line}")
    finally:
        os.chdir(before)
        del sys.modules["page"]
    return len(chosen)


def _run(block: Block, names: dict[str, object], place: str) -> None:
    if block.language == "python":
        exec(compile("\n" * (block.line - 1) + block.code, place, "exec"), names)
    elif block.language == "pycon":
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        test = doctest.DocTestParser().get_doctest(block.code, names, place, place, block.line)
        runner = doctest.DocTestRunner(optionflags=flags)
        shown: list[str] = []
        if runner.run(test, out=shown.append, clear_globs=False).failed:
            raise AssertionError("".join(shown))
        names.update(test.globs)
    else:
        for line in block.code.replace("\\\n", " ").splitlines():
            _shell(line, place)


def _shell(line: str, place: str) -> None:
    words = shlex.split(line, comments=True)
    if words and words[0] in ("il2cyto", ".venv/bin/il2cyto"):
        code = _il2cyto(words[1:])
    else:
        code = subprocess.run(["bash", "-c", line], check=False).returncode
    if code:
        msg = f"{place}: exit code {code} of: {line}"
        raise AssertionError(msg)


def _il2cyto(words: list[str]) -> int:
    """Run the command line in this process: a new one would import everything again."""
    from il2cyto.cli import main

    before = sys.argv
    sys.argv = ["il2cyto", *words]
    try:
        with contextlib.redirect_stdout(None):
            main()
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        sys.argv = before
    return 0


if __name__ == "__main__":
    for asked in [Path(word).resolve() for word in sys.argv[1:]] or pages():
        with tempfile.TemporaryDirectory() as scratch:
            print(f"{asked.relative_to(PROJECT)}: {run_page(asked, Path(scratch))} blocks run")

"""Draw the pictures of gallery.md with the code that stands on that page: python docs/draw_gallery.py demo.

`demo` is the folder that `il2cyto demo --out demo` has made. The pictures go to docs/gallery/.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from il2cyto.pl import save_figure
from il2cyto.pl._theme import SIMULATED, add_footer, theme

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

PAGE = Path(__file__).parent / "gallery.md"
_BLOCK = re.compile(r"```python\n(.*?)```(?:\n\n!\[[^]]*\]\((gallery/[^)]*)\))?", re.DOTALL)


def blocks() -> list[tuple[str, str]]:
    """Code blocks of the page, each with the picture below it, or ""."""
    return _BLOCK.findall(PAGE.read_text(encoding="utf-8"))


def figures() -> Iterator[tuple[str, Figure]]:
    """Run the page in the working folder, a folder of results; give each picture's name and figure."""
    names: dict[str, Any] = {}
    for code, picture in blocks():
        exec(compile(code, PAGE.name, "exec"), names)
        if picture:
            yield picture, names["figure"]


def main(results: str) -> None:
    """Write every picture of the page."""
    os.chdir(results)
    for picture, figure in figures():
        if SIMULATED not in [text.get_text() for text in figure.texts]:
            with theme():
                add_footer(figure, simulated=True)
        path = save_figure(figure, PAGE.parent / picture)
        shrink(path)
        print(f"{picture}: {path.stat().st_size / 1000:.0f} kB")


def shrink(path: Path) -> None:
    """Store a picture with 256 colours and 160 dots an inch: a page of documentation loads quickly."""
    from PIL import Image

    with Image.open(path) as image:
        size = (round(image.width * 160 / 300), round(image.height * 160 / 300))
        small = image.convert("RGB").resize(size, Image.Resampling.LANCZOS).quantize(256)
    small.save(path, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1])

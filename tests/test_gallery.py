"""The gallery's code runs as it stands on the page, and every figure is on it."""

from __future__ import annotations

import importlib.util
import shutil
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from PIL import Image

import il2cyto.pl as pictures
from tests.conftest import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

#: Not figures: a context, a file writer, an outline to be drawn, the styles of subjects.
_HELPERS = {"Outline", "save_figure", "subject_styles", "theme"}


def gallery() -> Any:
    spec = importlib.util.spec_from_file_location("draw_gallery", PROJECT / "docs" / "draw_gallery.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_block_of_the_gallery_draws_the_picture_below_it(
    sample_results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(sample_results, tmp_path / "results")
    shutil.copytree(PROJECT / "sample_data", tmp_path / "results" / "trial")
    monkeypatch.chdir(tmp_path / "results")

    drawn = dict(gallery().figures())

    assert len(drawn) == len(list((PROJECT / "docs" / "gallery").glob("*.png")))
    for picture, figure in drawn.items():
        assert isinstance(figure, Figure)
        # No wider than the two columns of a journal.
        assert figure.get_figwidth() <= 183 / 25.4 + 1e-9, picture
        with Image.open(PROJECT / "docs" / picture) as image:
            image.verify()


def test_the_gallery_shows_every_figure_and_stays_small() -> None:
    code = "".join(code for code, _ in gallery().blocks())
    functions = sorted(set(pictures.__all__) - _HELPERS)

    assert [name for name in functions if f"pl.{name}(" not in code] == []
    assert sum(path.stat().st_size for path in (PROJECT / "docs" / "gallery").iterdir()) < 1_500_000

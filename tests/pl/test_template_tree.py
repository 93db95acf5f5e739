from __future__ import annotations

import re
from pathlib import Path

import matplotlib as mpl
import pytest

from il2cyto import io, pl
from il2cyto.io._templates import parse_template

mpl.use("Agg")
GATING = Path(__file__).parents[2] / "gating"


def texts(svg: str) -> list[str]:
    """What is written in a picture; matplotlib notes it beside the outlines of the letters."""
    return re.findall(r"<!-- (.*?) -->", svg)


@pytest.mark.parametrize("name", sorted(path.parent.name for path in GATING.glob("*/template.yaml")))
def test_the_committed_picture_of_a_template_says_what_the_code_draws(name: str, tmp_path: Path) -> None:
    template = io.read_template(GATING / name)
    drawn = pl.save_figure(pl.template_tree(template), tmp_path / "gates.svg")
    committed = (GATING / name / "gates.svg").read_text(encoding="utf-8")

    assert texts(committed) == texts(drawn.read_text(encoding="utf-8"))
    assert {p.name for p in template.populations} < set(texts(committed))


def test_every_population_stands_once_below_its_parent_and_further_right() -> None:
    template = io.read_template(GATING / "tnk")
    figure = pl.template_tree(template)
    names = figure.axes[0].texts[1::2]  # after the title, name and rule in turn
    at = {text.get_text(): text.get_position() for text in names}

    assert set(at) == set(template.by_name)
    for population in template.populations:
        if population.parent != "root":
            (x, y), (above_x, above_y) = at[population.name], at[population.parent]
            assert x > above_x
            assert y > above_y
    assert len({y for _, y in at.values()}) == len(at)


def test_no_text_runs_into_another_or_off_the_page() -> None:
    for name in ("tnk", "cytof-pbmc", "hipc-treg"):
        figure = pl.template_tree(io.read_template(GATING / name))
        figure.draw_without_rendering()
        page = figure.bbox
        boxes = [text.get_window_extent() for text in figure.axes[0].texts]
        assert all(page.x0 <= box.x0 and box.x1 <= page.x1 for box in boxes)
        for i, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[i + 1 :])


def test_each_gate_is_put_in_words() -> None:
    template = parse_template("""schema: il2cyto/gating-template/1
name: words
version: "1"
requires: [A, B]
populations:
- {name: box, parent: root, gate: {method: rectangle, channels: [A, B], min: [0, 0], max: [1, 1]}}
- {name: mix, parent: root, gate: {method: tmix1d, channel: A, components: 3, between: [2, 3], bounds: [0, 1]}}
- {name: cloud, parent: root, gate: {method: tmix2d, channels: [A, B], centers: [[0, 0], [1, 1]], target: 1}}
- {name: fmo, parent: root, gate: {method: fmo, channel: B, bounds: [0, 1]}}
- {name: low, parent: root, gate: {method: ref, of: mix, keep: below}}
- {name: corner, parent: root, gate: {method: corner, x: {method: ref, of: mix}, y: {method: quantile, channel: B, q: 0.2, bounds: [0, 1]}, keep: [above, below], slant: 15}}
""")
    written = [text.get_text() for text in pl.template_tree(template).axes[0].texts]

    assert written[2::2] == [
        "rectangle in A and B",
        "A above the crossing of components 2 and 3 of 3",
        "A and B: 95% of component 2 of 2",
        "B above quantile 0.995 of the FMO control",
        "gate of mix, below",
        "A above the cut of mix; B below quantile 0.2, slanted by 15°",
    ]

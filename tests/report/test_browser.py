"""The report in a real browser: from file://, without a network."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from il2cyto.io import read_template
from il2cyto.io._overrides import read_overrides

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page


@pytest.fixture
def complaints() -> list[str]:
    return []


@pytest.fixture
def report(chromium: Browser, gated: Path, complaints: list[str]) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if request.url.startswith("http") else None)
    page.goto((gated / "report.html").as_uri())
    page.wait_for_selector("#review .tile canvas")
    yield page
    context.close()


def test_it_opens_without_an_error_or_a_request(report: Page, complaints: list[str]) -> None:
    report.wait_for_timeout(500)
    assert complaints == []


def test_the_review_begins_at_the_first_gate_that_has_a_cut(report: Page) -> None:
    assert report.locator("[data-gate] option").first.text_content() == "inside"
    assert report.locator("[data-gate] option:checked").text_content() == "cells"


def test_a_density_is_drawn(report: Page) -> None:
    report.select_option("[data-gate]", label="T")
    report.wait_for_function(
        """() => { const c = document.querySelector('#review .tile canvas');
                   const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
                   const colours = new Set(); for (let i = 0; i < d.length; i += 4) colours.add(d[i] << 16 | d[i + 1] << 8 | d[i + 2]);
                   return colours.size > 8; }"""
    )


def test_the_keyboard_steps_through_samples_and_opens_all_gates_of_one(report: Page) -> None:
    first = report.text_content("[data-chosen]")
    report.focus("#review .tile")
    report.keyboard.press("ArrowRight")
    second = report.text_content("[data-chosen]")
    assert second not in (first, "none")
    assert report.evaluate("document.activeElement.classList.contains('current')")
    report.keyboard.press("ArrowLeft")
    assert report.text_content("[data-chosen]") == first

    report.keyboard.press("Enter")
    assert report.text_content("dialog h3") == f"{first}: all gates"
    assert report.locator("dialog[open] .tile").count() > 10
    # All tiles are of one sample: each says which gate it is, and on which axes.
    named = report.locator("dialog[open] .tile b").all_text_contents()
    assert len(set(named)) == len(named)
    treg = report.locator("dialog[open] .tile", has=report.get_by_text("Treg", exact=True))
    assert "of CD4; → CD25, ↑ CD127" in (treg.text_content() or "")
    report.keyboard.press("Escape")
    assert report.locator("dialog[open]").count() == 0


def test_the_filter_by_flag_leaves_only_tiles_with_it(report: Page) -> None:
    every = report.locator("#review .tiles > .tile").count()
    report.select_option("[data-gate]", label="CD16pos")
    report.select_option("[data-flag]", "any")
    flagged = report.locator("#review [data-tiles] .tile").count()
    assert 0 < flagged <= every
    assert report.locator("#review [data-tiles] .tile.flagged").count() == flagged


def test_a_proposed_override_is_saved_as_a_file_that_a_study_accepts(report: Page, tmp_path: Path) -> None:
    report.select_option("[data-gate]", label="T")
    chosen = report.text_content("[data-chosen]")
    report.fill("[data-cut]", "0.512")
    report.fill("[data-who]", 'a. "meyer": <x>')
    report.fill("[data-why]", "PE drift # after lamp change")
    report.click("[data-propose] button:not([data-save])")
    with report.expect_download() as download:
        report.click("[data-save]")
    assert download.value.suggested_filename == "overrides.yaml"
    saved = tmp_path / "overrides.yaml"
    download.value.save_as(saved)

    (override,) = read_overrides(saved, {str(chosen): read_template("tnk")})
    assert (override.sample, override.population, override.cut) == (chosen, "T", 0.512)
    assert (override.who, override.why) == ('a. "meyer": <x>', "PE drift # after lamp change")


def test_a_table_is_sorted_as_numbers_and_saved_as_csv(report: Page, tmp_path: Path) -> None:
    box = report.locator("[data-table='samples']")
    head = box.locator("th", has_text="n events")
    head.locator("button").click()
    column = head.evaluate("head => head.cellIndex")
    shown = box.locator("tbody tr").evaluate_all(
        f"rows => rows.map((row) => Number(row.cells[{column}].dataset.value ?? row.cells[{column}].textContent))"
    )
    assert shown == sorted(shown)
    with report.expect_download() as download:
        box.locator(".save").click()
    download.value.save_as(tmp_path / "samples.csv")
    lines = (tmp_path / "samples.csv").read_text().splitlines()
    assert len(lines) == 1 + len(shown)
    assert lines[0].startswith("sample,subject,visit")


def test_on_paper_the_folded_tables_are_open_and_the_controls_are_gone(report: Page) -> None:
    folded = report.locator("details .table").first
    assert not folded.is_visible()

    report.emulate_media(media="print")
    assert folded.is_visible()
    assert not report.locator(".tools button").first.is_visible()


def test_on_paper_heads_stay_above_their_rows_and_long_tables_are_cut(report: Page) -> None:
    report.evaluate("""() => { const body = document.querySelector('[data-table=samples] tbody');
                               while (body.rows.length < 70) body.append(body.rows[0].cloneNode(true)); }""")
    report.emulate_media(media="print")

    heads = report.evaluate("[...document.querySelectorAll('thead th')].map(th => getComputedStyle(th).position)")
    assert set(heads) == {"static"}
    samples = report.locator("[data-table=samples] tbody tr")
    assert [samples.nth(i).is_visible() for i in (59, 60)] == [True, False]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_violation(chromium: Browser, gated: Path, scheme: str) -> None:
    path = Path(os.environ.get("IL2CYTO_AXE", ""))
    if not path.is_file():
        reason = "IL2CYTO_AXE does not name axe.min.js: npm pack axe-core"
        if os.environ.get("IL2CYTO_REQUIRE_BROWSER"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    context = chromium.new_context(color_scheme="dark" if scheme == "dark" else "light", bypass_csp=True)
    page = context.new_page()
    page.goto((gated / "report.html").as_uri())
    page.wait_for_selector("#review .tile canvas")
    page.add_script_tag(path=str(path))
    violations = page.evaluate("async () => (await axe.run()).violations")
    serious = [
        (v["id"], [n["target"] for n in v["nodes"]][:3]) for v in violations if v["impact"] in ("serious", "critical")
    ]
    context.close()
    assert serious == []

"""One HTML file of a results folder, with everything in it: no network, no server, no other file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from markdown_it import MarkdownIt
from markupsafe import Markup

from il2cyto import __version__
from il2cyto._keys import Uns
from il2cyto.report._alerts import alerts
from il2cyto.report._render import asset, render, write_page
from il2cyto.report._results import read_results
from il2cyto.report._review import Review, gallery_data, review_data
from il2cyto.report._sections import (
    Section,
    dynamics_section,
    endpoint_section,
    population_section,
    sample_section,
    study_section,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from il2cyto.report._results import Results

NAME: Final = "report.html"
#: Folder of the pages that hold what the report has no room for.
GALLERY: Final = "gallery"


def write_report(folder: str | Path) -> Path:
    """Write ``report.html`` into a results folder: the whole run on one page that opens offline.

    Alerts come first, then the study and its flow of subjects, clinical endpoints, immune dynamics, a part for each
    population, the gate review, samples, methods and provenance. A part whose tables the run does not have is left out.

    Parameters
    ----------
    folder
        What `il2cyto run`, `gate` or `analyse` has written: ``results*.h5ad``, ``tables/``, and if there are,
        ``densities*.npz``, ``methods.md`` and ``run.jsonl``.

    Returns
    -------
    Path of the page. The same folder gives the same bytes.

    Raises
    ------
    SchemaError
        There is no cohort object in the folder.
    """
    results = read_results(Path(folder))
    review = review_data(results)
    gallery = dict(gallery_data(results)) if review is not None and review.shown < review.total else {}
    for name, data in gallery.items():
        sections = [Section("review", f"Gate review: {name}", "All samples.")]
        write_page(results.folder / GALLERY / f"{name}.html", _render(results, sections, review=data))
    page = _render(results, list(_sections(results, review, list(gallery))), review=review.json if review else "")
    return write_page(results.folder / NAME, page)


def _render(results: Results, sections: list[Section], *, review: str) -> str:
    return render(
        "report.html.j2",
        kind="report",
        study=str(results.facts.get(Uns.STUDY, "") or "Study"),
        summary=_summary(results),
        simulated=results.simulated,
        sections=sections,
        alerts=alerts(results),
        review=Markup(review),  # without a "<", see Review
        methods=_rendered(results.methods),
        review_js=Markup(asset("review.js")),
    )


def _sections(results: Results, review: Review | None, gallery: list[str]) -> Iterator[Section]:
    yield Section(
        "alerts", "Alerts", "What to look at before believing a number: failed files, flags by severity, drift."
    )
    yield study_section(results)
    endpoints = endpoint_section(results)
    if endpoints is not None:
        yield endpoints
    yield dynamics_section(results)
    yield population_section(results)
    if review is not None:
        note = f"{review.shown} of {review.total} samples, those with flags first; all are in the pages of gallery/: "
        yield Section("review", "Gate review", note if gallery else "", links=tuple(gallery))
    yield sample_section(results)
    if results.methods:
        yield Section("methods", "Methods")
    yield Section("provenance", "Provenance", facts=tuple(_provenance(results)))


def _summary(results: Results) -> str:
    samples = sum(adata.n_obs for adata in results.cohorts.values())
    subjects = {str(s) for adata in results.cohorts.values() if "subject" in adata.obs for s in adata.obs["subject"]}
    arms = f", arms {', '.join(results.arms)}" if results.arms else ""
    return f"{samples} samples of {len(subjects)} subjects{arms}"


def _provenance(results: Results) -> Iterator[tuple[str, str]]:
    yield "il2cyto", __version__
    for panel, adata in results.cohorts.items():
        template: dict[str, Any] = adata.uns[Uns.IL2CYTO].get(Uns.TEMPLATE, {})
        yield (
            f"Template {panel}".strip(),
            f"{template.get('name', '')} {template.get('version', '')}, SHA-256 {template.get('sha256', '')}",
        )
    record = results.folder / "run.jsonl"
    if record.is_file():
        yield "Record of the run", "run.jsonl, checked by il2cyto verify"


def _rendered(methods: str) -> Markup:
    return Markup(MarkdownIt("commonmark", {"html": False}).render(methods))  # html is off: tags are escaped

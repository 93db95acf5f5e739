"""The pages of docs/ and the README agree with the code and with one another."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest

from il2cyto import explaining
from il2cyto.io import _templates
from il2cyto.io._yaml import parse_yaml
from il2cyto.study import AnalysisSettings, ClinicalSettings
from il2cyto.template import AnyGate, GatingTemplate, Population
from tests._runs import il2cyto

PROJECT = Path(__file__).parents[1]
PAGES = [PROJECT / "README.md", PROJECT / "CHANGELOG.md", *sorted(PROJECT.glob("docs/**/*.md"))]
CLINICAL = (PROJECT / "docs/clinical.md").read_text(encoding="utf-8")
ANALYSIS = (PROJECT / "docs/analysis.md").read_text(encoding="utf-8")
TEMPLATES = (PROJECT / "docs/templates.md").read_text(encoding="utf-8")


def script(name: str) -> Any:
    """A module of docs/, which is no package."""
    spec = importlib.util.spec_from_file_location(name, PROJECT / f"docs/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


RUNNER, GENERATOR = script("_run"), script("_generate")
RUN = [page for page in RUNNER.pages() if any(b.language in RUNNER.RUN and not b.why for b in RUNNER.blocks(page))]


def first_column(title: str) -> set[str]:
    """The code words in the first cells of a section's table."""
    section = TEMPLATES.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| ([^|]*`[^|]*) \|", section, flags=re.MULTILINE)
    return {word for cell in cells for word in re.findall(r"`(\w+)`", cell)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_relative_link_of_a_page_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_page_lists_every_method_and_key_of_a_template_and_no_other() -> None:
    union, _ = get_args(AnyGate)
    methods = {get_args(gate.model_fields["method"].annotation)[0] for gate in get_args(union)}
    template = {field.alias or name for name, field in GatingTemplate.model_fields.items()}

    assert first_column("Gates") == methods
    assert first_column("The template") == template
    assert first_column("A population") == set(Population.model_fields)


def test_the_template_on_the_page_is_valid(tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(TEMPLATES.partition("```yaml\n")[2].partition("```")[0], encoding="utf-8")

    template = _templates.read_template(file)

    assert [p.name for p in template.reported] == ["lymphocytes", "T", "CD4"]


def shown_settings(page: str, part: str) -> dict[str, Any]:
    """A part of the study file that a page shows."""
    data = parse_yaml(page.partition("```yaml\n")[2].partition("```")[0], name="study.yaml").data
    assert isinstance(data, dict)
    shown = data[part]
    assert isinstance(shown, dict)
    return shown


def test_the_clinical_page_shows_every_setting_with_its_default_and_every_endpoint() -> None:
    shown = shown_settings(CLINICAL, "clinical")
    settings, default = ClinicalSettings.model_validate(shown), ClinicalSettings()

    assert set(shown) == set(ClinicalSettings.model_fields)
    differing = {name for name in shown if getattr(settings, name) != getattr(default, name)}
    assert differing == {"visits", "adverse_events", "sledai_version", "limits"}
    table = CLINICAL.partition("\n## Endpoints\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| ([^|]*`[^|]*) \|", table, flags=re.MULTILINE)
    assert [word for cell in cells for word in re.findall(r"`(\w+)`", cell)] == list(default.endpoints)


def test_the_page_of_the_analysis_shows_every_setting_with_its_default() -> None:
    shown = shown_settings(ANALYSIS, "analysis")

    assert list(shown) == list(AnalysisSettings.model_fields)
    assert AnalysisSettings.model_validate(shown) == AnalysisSettings()


def test_the_page_of_the_analysis_names_every_table_and_figure(sample_results: Path) -> None:
    section = ANALYSIS.partition("\n## Tables\n")[2].partition("\n## ")[0]
    tables, _, beside = section.partition("\nBeside the tables: ")
    cells = re.findall(r"^\| (`[^|]*) \|", tables, flags=re.MULTILINE)

    assert {file.stem for file in sample_results.glob("tables/*.parquet")} <= set(
        re.findall(r"`(\w+)`", " ".join(cells))
    )
    assert {file.stem for file in sample_results.glob("figures/*.svg")} <= set(re.findall(r"`([\w-]+)`", beside))


def test_the_page_of_exports_lists_every_target_and_rule() -> None:
    from il2cyto import exchange

    page = (PROJECT / "docs/exports.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| `(\w+)` \|", page.partition("## openCyto")[0], flags=re.MULTILINE)

    assert sorted(cells) == sorted([*exchange.TARGETS, *(rule.id for rule in exchange.cdisc_rules())])


def test_the_page_of_the_schema_names_the_required_keys() -> None:
    from il2cyto.io._validate import REQUIRED, REQUIRED_UNS

    page = (PROJECT / "docs/schema.md").read_text(encoding="utf-8")
    text = page.partition("Required in a cohort are ")[2].partition(". Every other")[0]

    assert re.findall(r"`(\w+)`", text) == [*(key for keys in REQUIRED.values() for key in keys), *REQUIRED_UNS]


def test_the_explanation_on_the_page_is_what_the_program_says(sample_results: Path) -> None:
    example = TEMPLATES.partition("$ il2cyto templates explain results --population T --sample SIM-008_W0")[2]
    (cut,) = explaining.explain(sample_results, population="T", sample="SIM-008_W0").cuts

    assert example.partition("\n")[2].partition("\n```")[0] == cut.text


def test_the_draft_in_the_quick_start_is_what_init_says(tmp_path: Path) -> None:
    batch = shutil.copytree(PROJECT / "sample_data/fcs", tmp_path / "my_batch")
    page = (PROJECT / "docs/quickstart.md").read_text(encoding="utf-8")
    example = "Guessed, please check:" + page.partition("```text\nGuessed, please check:")[2].partition("\n```")[0]

    done = subprocess.run(il2cyto("init", batch), capture_output=True, text=True, check=True)

    shown, said = example.removesuffix("…").splitlines(), (done.stdout + done.stderr).splitlines()
    said = said[said.index(shown[0]) :][: len(shown)]
    assert [line[: len(part)] for part, line in zip(shown, said, strict=True)] == shown


def costly(page: Path) -> Any:
    """A page that gates the sample data once more, beside README and quick start."""
    slow = page.stem in {"exchange", "lab-batch", "trial"}
    return pytest.param(page, id=str(page.relative_to(PROJECT).with_suffix("")), marks=pytest.mark.slow if slow else ())


@pytest.mark.parametrize("page", [costly(page) for page in RUN])
def test_the_code_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    assert RUNNER.run_page(page, tmp_path) > 0


def test_the_runner_notices_a_command_that_fails_and_an_output_that_differs(tmp_path: Path) -> None:
    for i, code in enumerate(("sh\nil2cyto check nowhere.yaml\n", "sh\nfalse\n", "pycon\n>>> 1 + 1\n3\n")):
        page = PROJECT / f"page{i}.md"
        (tmp_path / str(i)).mkdir()
        RUNNER.blocks, kept = lambda _, code=code: [block_of(code)], RUNNER.blocks
        try:
            with pytest.raises(AssertionError, match=rf"page{i}\.md:1"):
                RUNNER.run_page(page, tmp_path / str(i))
        finally:
            RUNNER.blocks = kept


def block_of(code: str) -> Any:
    language, _, rest = code.partition("\n")
    return RUNNER.Block(language, rest, 1, "")


def test_commands_and_python_stand_in_blocks_that_are_run_or_say_why_not() -> None:
    others = {block.language for page in RUNNER.pages() for block in RUNNER.blocks(page)} - set(RUNNER.RUN)

    assert others <= {"", "text", "yaml", "toml", "{toctree}", "{eval-rst}"}


@pytest.mark.parametrize("file", GENERATOR.PAGES)
def test_the_reference_is_what_the_code_says(file: str) -> None:
    written = (PROJECT / "docs/reference" / file).read_text(encoding="utf-8")

    assert written == GENERATOR.PAGES[file](), "run: python docs/_generate.py"


def test_every_page_can_be_reached_from_the_index() -> None:
    index = (PROJECT / "docs/index.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^([\w/-]+)$", index, flags=re.MULTILINE))

    pages = {str(page.relative_to(PROJECT / "docs").with_suffix("")) for page in PROJECT.glob("docs/**/*.md")}
    assert pages - {"index"} <= listed

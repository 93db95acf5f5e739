"""Import and export as a person does them, from the command line to the counts of another program."""

from __future__ import annotations

import shutil

import flowkit
import numpy as np
import polars as pl
import pytest

from il2cyto import datasets, exchange, pipeline
from il2cyto.cli import app
from il2cyto.errors import StudyError, TemplateError
from il2cyto.io import read_template

pytestmark = pytest.mark.filterwarnings("ignore::il2cyto.errors.FcsWarning")


def test_a_workspace_becomes_templates_and_a_table_of_counts(shared, tmp_path, capsys):
    folder = shared / "data/flowjo/facspy_unstained"
    words = ["templates", "import", str(folder / "test_suite.wsp"), "--out", str(tmp_path / "gating")]

    app([*words, "--fcs", str(folder), "--compare", str(tmp_path / "counts.csv")], standalone_mode=False)

    table = pl.read_csv(tmp_path / "counts.csv")
    assert table.columns == ["sample", "population", "stored_count", "count"]
    assert table.height == 17
    assert table.row(0) == ("file2_unstained.fcs", "/FSC_SSC", 30059, 30065)
    assert capsys.readouterr().err == (
        "3 samples, 17 gates, 17 with a stored count: 1 equal, 17 within 5 events or 0.5 %, largest difference 39\n"
    )
    samples = dict(pl.read_csv(tmp_path / "gating/samples.csv").iter_rows())
    assert len(samples) == 6
    assert len(set(samples.values())) == 4  # two samples have gates like another's
    template = read_template(tmp_path / "gating" / samples["file2_unstained.fcs"])
    assert template.by_name["Neutrophils"].label == "/FSC_SSC/FSC_singlets/SSC_singlets/live/Neutrophils"


def test_imported_gates_read_back_from_yaml_give_the_same_template_and_counts(shared, tmp_path):
    folder = shared / "data/gatingml"

    imported = exchange.import_templates(folder / "gml/gml_all_gates.xml", tmp_path)

    (template,) = imported.templates
    assert read_template(imported.files[0]).digest == template.digest
    counts = {
        row["population"]: row["count"] for row in exchange.compare_counts(imported, folder).iter_rows(named=True)
    }
    assert len(counts) == 49
    truth = np.loadtxt(folder / "truth/Results_ScaleRange7c.txt", dtype=int)
    assert counts["/ScaleRange7c"] == truth.sum()


def test_a_file_of_neither_kind_and_a_folder_without_files_are_refused(shared, tmp_path):
    (tmp_path / "page.xml").write_text("<html/>")
    with pytest.raises(TemplateError) as error:
        exchange.import_templates(tmp_path / "page.xml", tmp_path)
    assert str(error.value) == (
        "page.xml: neither a Gating-ML 2.0 document nor a FlowJo 10 workspace nor an openCyto CSV; export the gates as one of these"
    )
    imported = exchange.import_templates(shared / "data/flowjo/flowsom_68983/gating.wsp", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(StudyError) as wrong:
        exchange.compare_counts(imported, tmp_path / "empty")
    assert str(wrong.value) == (
        "empty: no FCS file of the imported samples; name a folder with files called as in the source"
    )
    with pytest.raises(StudyError) as none:
        exchange.export_gates(tmp_path / "empty", tmp_path)
    assert str(none.value) == "empty: no results.h5ad; name the folder that `il2cyto gate` wrote, or a study.yaml"


def test_flowkit_counts_a_run_from_its_exported_gates_as_the_run_did(tmp_path, capsys):
    source = datasets.sample_data_path()
    files = sorted((source / "fcs").glob("*.fcs"))[:4]
    for file in files:
        shutil.copy(file, tmp_path / file.name)
    rows = "\n".join(f"{file.name},{file.stem.split('_')[0]},{file.stem.split('_')[1]}" for file in files)
    (tmp_path / "samples.csv").write_text(f"file,subject,visit\n{rows}\n")
    (tmp_path / "gates.yaml").write_text(
        "schema: il2cyto/gating-overrides/1\noverrides:\n"
        f"- {{sample: {files[0].stem}, population: CD4pos, cut: 0.5, who: a.b, why: simulated, when: '2025-11-03T09:20:00Z'}}\n"
        f"- {{sample: {files[1].stem}, population: singlets, polygon: [[0.1, 0.05], [0.6, 0.4], [0.6, 0.6], [0.1, 0.2]],"
        " who: a.b, why: simulated, when: '2025-11-03T09:20:00Z'}\n"
    )
    study = tmp_path / "study.yaml"
    study.write_text("study: one\nsamples: samples.csv\noverrides: gates.yaml\npanels: {tnk: {template: tnk}}\n")
    adata = pipeline.gate(study, tmp_path / "out").cohorts["tnk"]

    app(["templates", "export", str(tmp_path / "out"), "--gatingml", str(tmp_path / "gml")], standalone_mode=False)

    assert capsys.readouterr().err == ""
    for sample in adata.obs_names:
        strategy = flowkit.parse_gating_xml(str(tmp_path / "gml" / f"{sample}.xml"))
        report = strategy.gate_sample(flowkit.Sample(str(tmp_path / adata.obs.loc[sample, "file"]))).report
        counts = dict(zip(report["gate_name"], report["count"], strict=True))
        ours = dict(zip(adata.var_names, adata[sample].layers["counts"].ravel(), strict=True))
        assert {name: counts[name] for name in ours} == ours
    again = exchange.export_gates(study, tmp_path / "again")
    texts = [(tmp_path / "gml" / path.name).read_bytes() == path.read_bytes() for path in again.files]
    assert texts == [True] * 4

from __future__ import annotations

import csv
import hashlib
import json

import numpy as np
import pytest

from il2cyto import exchange, io
from il2cyto.cli import app
from il2cyto.errors import StudyError


def run(results, target, out, *more):
    app(["export", str(results), "--to", target, "--out", str(out), *more], standalone_mode=False)
    return sorted(path for path in out.rglob("*") if path.is_file())


def test_prism_has_a_table_for_each_endpoint_with_a_block_for_each_arm(results, tmp_path, gated):
    files = run(results, "prism", tmp_path / "prism")

    assert sorted(file.stem for file in files) == ["CD4", "CD56bright", "CD8", "NK", "Treg", "columns"]
    title, *rows = csv.reader((tmp_path / "prism/Treg.csv").read_text().splitlines())
    assert [row[0] for row in rows] == ["W0", "W6", "W12"]
    arm = str(gated.obs.at["SIM-001_W0", "arm"])
    column = 1 + title[1:].index(arm)
    assert float(rows[1][column]) == pytest.approx(100 * gated["SIM-001_W6", "Treg"].X[0, 0], rel=1e-5)


def test_a_flowjo_table_has_a_row_for_each_file_then_mean_and_sd(adata, tmp_path):
    i, j = 0, adata.var_names.get_loc("NK")
    adata.X[i, j] = adata.layers["counts"][i, j] = np.nan
    adata.layers["flag"][i, j] |= 1 << int(adata.uns["il2cyto"]["flags"].at["NO_PARENT", "bit"])
    io.write_anndata(adata, tmp_path / "results.h5ad")

    (file,) = run(tmp_path / "results.h5ad", "flowjo", tmp_path / "flowjo")

    table = list(csv.DictReader(file.read_text().splitlines()))
    assert [row[""] for row in table] == [*adata.obs["file"], "Mean", "SD"]
    path = "inside/cells/singlets/live/leukocytes/lymphocytes"
    column = f"{path}/NK | Freq. of Parent (%)"
    values = 100 * adata.X[1:, j]
    assert table[0][column] == table[0][f"{path}/NK | Count"] == "n/a"
    assert float(table[-2][column]) == pytest.approx(values.mean(), rel=1e-5)
    assert float(table[-1][column]) == pytest.approx(values.std(ddof=1), rel=1e-5)
    assert table[1][f"{path}/T | Count"] == f"{adata[:, 'T'].layers['counts'][1, 0]:.6g}"


def test_immport_gets_counts_and_percentages_with_markers_in_its_grammar(results, tmp_path, gated):
    (file,) = run(results, "immport", tmp_path / "immport")

    name, _, title, *rows = csv.reader(file.read_text().splitlines(), delimiter="\t")
    assert name == ["fcm_derived_data", "Schema Version 3.33"]
    treg = [dict(zip(title, row, strict=True)) for row in rows if row[1:3] == ["SIM-001_W0", "Regulatory T cells"]]
    assert [row["Population Stat Unit Reported"] for row in treg] == ["Count", "Percent of parent"]
    assert (
        treg[0]["Population Statistic (count, percentile, etc)"]
        == f"{gated['SIM-001_W0', 'Treg'].layers['counts'][0, 0]:.0f}"
    )
    assert treg[0]["Gating Definition Reported"] == "CD3+, CD4+, CD25hi, CD127lo"
    assert treg[0]["Parent Population Reported"] == "CD4+ T cells"
    assert treg[0]["Workspace File"] == "SIM-001_W0.xml"
    evaluated = int(np.isfinite(gated.X).sum())
    assert len(rows) == 2 * evaluated


def test_miflowcyt_has_the_four_parts_and_lists_what_nobody_said(results, tmp_path, gated, capsys):
    (file,) = run(results, "miflowcyt", tmp_path / "miflowcyt")

    document = json.loads(file.read_text())
    assert [part for part in document if part[0].isdigit()] == [
        "1 experiment overview", "2 flow sample", "3 instrument", "4 data analysis",
    ]  # fmt: skip
    files = document["4 data analysis"]["4.1 list-mode files"]
    assert {row["sample"]: row["sha256"] for row in files} == dict(gated.obs["file_sha256"].astype(str))
    gates = {gate["population"]: gate for gate in document["4 data analysis"]["4.4 gating"]["results"]}
    assert gates["CD4"]["where"] == "CD4pos and not CD8pos"
    assert gates["T"]["gate"]["method"] == "valley"
    assert {"CD3", "CD25"} <= {row["marker"] for row in document["2 flow sample"]["2.3 fluorescence reagents"]}
    assert document["1 experiment overview"]["1.3 experiment variables"]["study"] == "SIMULATED IL2-SLE-SIM"
    assert "1.6 date" in document["missing"]
    assert "2.3 fluorescence reagents: clones" in document["missing"]
    assert capsys.readouterr().err.startswith("MIFlowCyt items to add by hand: 1.1 purpose, ")


def test_a_manifest_has_the_checksum_of_each_file_and_stays_the_same(results):
    (results / "tables").mkdir()
    (results / "tables" / "frequencies.csv").write_text("x\n")

    first = [path.read_bytes() for path in exchange.export(results, "manifest").files]
    again = [path.read_bytes() for path in exchange.export(results, "manifest").files]

    lines = first[0].decode().splitlines()
    digests = [
        hashlib.sha256((results / name).read_bytes()).hexdigest() for name in ("results.h5ad", "tables/frequencies.csv")
    ]
    assert lines == [f"{digests[0]}  results.h5ad", f"{digests[1]}  tables/frequencies.csv"]
    about = json.loads(first[1])
    assert (about["simulated"], about["panels"]["results"]["name"]) == (True, "tnk")
    assert [row["sha256"] for row in about["files"]] == digests
    assert first == again


@pytest.mark.parametrize("target", exchange.TARGETS)
def test_every_target_is_written_from_results_alone_where_the_page_says(results, target):
    written = exchange.export(results, target)

    folder = results if target == "manifest" else results / "export" / target
    assert all(path.is_relative_to(folder) and path.stat().st_size for path in written.files)
    assert len(written.files) == len(set(written.files)) > 0


def test_an_unknown_target_and_an_empty_folder_are_refused(tmp_path):
    with pytest.raises(StudyError) as error:
        exchange.export(tmp_path, "excel")  # type: ignore[arg-type]
    assert str(error.value) == (
        "export: no target 'excel'; allowed are cdisc, flowjo, gatingml, immport, manifest, miflowcyt, prism"
    )
    with pytest.raises(StudyError, match=r"no results\.h5ad"):
        exchange.export(tmp_path, "cdisc")

from __future__ import annotations

import polars as pl
import pytest

from il2cyto.cli._examples import published
from tests._runs import run


def test_simulate_makes_a_study_that_check_accepts(tmp_path):
    done = run("simulate", "--out", tmp_path / "trial", "--subjects", "4", "--seed", "5")
    assert done.returncode == 0, done.stderr
    assert run("check", done.stdout.strip()).returncode == 0


def test_published_prints_a_line_for_each_statement_and_method(capsys) -> None:
    published()

    printed = capsys.readouterr().out
    assert printed.startswith("id,source,counts,printed,method,computed,match,note\n")
    assert '"SRI-4, week 12"' in printed


@pytest.mark.slow
def test_the_simulated_trial_has_the_counts_of_the_published_one(tmp_path) -> None:
    done = run("demo", "--out", tmp_path)

    assert done.returncode == 0, done.stderr
    for line in (
        "simulated: sri4 at W12, IL-2 v placebo: 16/29 v 9/30",
        "simulated: sri4 at W24, IL-2 v placebo: 19/29 v 11/30",
        "simulated: nephritis_remission at W12, IL-2 v placebo: 7/13 v 2/12",
        "simulated: infection: IL-2 2/29 v placebo 6/30",
        "simulated: serious_infection: IL-2 0/29 v placebo 2/30",
        "simulated: injection_site: IL-2 9/29 v placebo 2/30",
        "simulated: fever: IL-2 4/29 v placebo 0/30",
        "simulated: flu_like: IL-2 3/29 v placebo 0/30",
    ):
        assert line in done.stderr, line
    at = {"endpoint": "sri4", "set": "mitt", "rule": "nri", "visit": "W12"}
    row = pl.read_parquet(tmp_path / "tables" / "binary_contrasts.parquet").filter(**at).row(0, named=True)
    assert [round(row[name], 4) for name in ("risk_difference", "ci_low", "ci_high")] == [0.2517, -0.0027, 0.4764]
    contrasts = pl.read_parquet(tmp_path / "tables" / "population_contrasts.parquet").filter(role="primary")
    assert contrasts.height == 5
    assert contrasts.filter(population="Treg")["estimate"].item() > 0

"""Files of one kind share what was compiled for them; files of two kinds never do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import polars as pl
import pytest

from il2cyto.gt import Events, apply, make_plan
from il2cyto.gt._cache import Recent
from il2cyto.gt._compile import compile_plan
from il2cyto.gt._reconcile import CUT_SCHEMA
from il2cyto.gt._types import Decision
from il2cyto.io import Spillover, open_fcs, write_fcs
from il2cyto.template import GatingTemplate

NAMES = ["FSC-A", "A", "B"]
NO_CUTS = pl.DataFrame(schema=CUT_SCHEMA)


def template(at=0.5, **gate):
    gate = gate or {"method": "fixed", "channel": "CD3", "at": at, "keep": "above"}
    return GatingTemplate.model_validate(
        {
            "schema": "il2cyto/gating-template/1", "name": "one", "version": "1", "requires": ["CD3", "CD4"],
            "transform": {"default": {"method": "linear", "t": "range"}}, "min_parent": {"nan": 1, "warn": 1},
            "populations": [{"name": "T", "parent": "root", "gate": gate}],
        }
    )  # fmt: skip


@pytest.fixture
def write(tmp_path):
    """Write the same 1,000 simulated events with a variation, and open them."""

    def write(name, *, labels=("", "CD3", "CD4"), top=1000.0, spill=0.1, flip=False, n=1000):
        events = np.random.default_rng(0).uniform(0, 1000, (n, 3)).astype(np.float32)
        names, labels = list(NAMES), list(labels)
        if flip:
            events, names, labels = events[:, ::-1], names[::-1], labels[::-1]
        spillover = None if spill is None else Spillover(("A", "B"), np.array([[1, spill], [0, 1]]))
        path = tmp_path / f"{name}.fcs"
        write_fcs(path, events, names=names, labels=labels, ranges=[top] * 3, spillover=spillover)
        file = open_fcs(path)
        return Events(file, make_plan(template(), file.panel(), file=file.name))

    return write


def compiled(events, decide=None):
    return compile_plan(events, decide or (lambda population: Decision(None)), {})


def decided(cut, population):
    return Decision({"cut": cut}, {"cut": 0.01})


def test_files_of_one_kind_share_plan_and_program(write):
    one, other = write("one"), write("other", n=10)

    assert one.plan is other.plan
    assert compiled(one) is compiled(other)


@pytest.mark.parametrize(
    "variation",
    [{"flip": True}, {"labels": ("", "CD4", "CD3")}, {"top": 2000.0}, {"spill": 0.2}, {"spill": None}],
    ids=["order", "labels", "range", "spillover", "no spillover"],
)
def test_files_of_different_channels_range_or_spillover_share_nothing(write, variation):
    one, other = write("one"), write("other", **variation)

    assert compiled(one) is not compiled(other)
    # Gated after the other, each counts what it counts alone.
    for events in (one, other, one):
        expected = np.count_nonzero(events.scaled("CD3") >= 0.5)
        assert apply(events, NO_CUTS, sample="s").counts == {"T": expected}


def test_a_template_with_another_number_shares_nothing(write):
    file = write("one").file
    programs = [compiled(Events(file, make_plan(template(at), file.panel(), file=file.name))) for at in (0.5, 0.6, 0.5)]

    assert programs[0] is programs[2] is not programs[1]


def test_files_with_cuts_of_their_own_share_the_table_and_keep_their_cuts(write):
    file = write("one").file
    gate = {"method": "quantile", "channel": "CD3", "q": 0.5, "keep": "above", "bounds": [0, 1]}
    events = Events(file, make_plan(template(**gate), file.panel(), file=file.name))
    low, high = (compiled(events, partial(decided, cut)) for cut in (0.3, 0.7))

    assert low.ops is high.ops
    assert not np.array_equal(low.parameters, high.parameters)
    for cut in (0.3, 0.7):
        cuts = pl.DataFrame(
            {"sample": ["s"], "population": ["T"], "coordinate": ["cut"], "final": [cut], "final_spread": [0.01], "flags": [0]}
        )  # fmt: skip
        assert apply(events, cuts, sample="s").counts == {"T": np.count_nonzero(events.scaled("CD3") >= cut)}


def test_recent_keeps_the_last_used_and_nothing_of_an_error():
    recent: Recent[str] = Recent(2)

    def fail():
        raise KeyError

    for key in ("a", "b", "a", "c"):
        assert recent.get(key, key.upper) == key.upper()
    assert recent.get("a", fail) == "A"
    for gone in ("b", "b"):
        with pytest.raises(KeyError):
            recent.get(gone, fail)
    assert len(recent) == 2


def test_threads_get_one_and_the_same(write):
    events = [write(f"file{i}") for i in range(4)]
    with ThreadPoolExecutor(8) as executor:
        programs = list(executor.map(compiled, events * 25))

    assert len({id(program) for program in programs}) == 1

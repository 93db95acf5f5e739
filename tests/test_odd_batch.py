"""A batch with what goes wrong in a lab: each odd tube is flagged for what it is, and the run finishes."""

from __future__ import annotations

import numpy as np
import pytest

from il2cyto import datasets
from il2cyto.batch import Job, gate_files
from il2cyto.gt import Flag
from il2cyto.gt._flags import FAIL
from il2cyto.io import open_fcs, read_template, write_fcs


def write(out, path, *, change=None, labels=None):
    file = open_fcs(path)
    channels = file.panel().channels
    events = np.asarray(file.events(), dtype=np.float64)
    time = next(c.index for c in channels if c.detector == "time")
    if change is not None:
        events = change(events, {c.markers[0]: c.index for c in channels if c.markers}, time)
    write_fcs(
        out, events, names=[c.name for c in channels], labels=[(labels or {}).get(c.label, c.label) for c in channels],
        ranges=[c.range for c in channels], spillover=file.spillover(), timestep=0.01,
    )  # fmt: skip
    return Job(out.stem, out, batch="1", subject=out.stem)


def unstained(events, column, _):
    """CD3 forgotten: the noise around 0 of a detector that sees nothing."""
    events[:, column["CD3"]] = np.random.default_rng(0).normal(0, 60, len(events))
    return events


def clogged(events, _, time):
    """For 3 % of the events in the middle, 40 times the usual time between two."""
    steps = np.diff(events[:, time], prepend=events[0, time])
    middle = slice(len(events) // 2, len(events) // 2 + len(events) * 3 // 100)
    steps[middle] = 40 * np.median(steps[steps > 0])
    events[:, time] = events[0, time] + np.cumsum(steps)
    return events


@pytest.fixture(scope="module")
def gated(tmp_path_factory):
    out = tmp_path_factory.mktemp("odd")
    files = sorted((datasets.sample_data_path() / "fcs").glob("*.fcs"))
    jobs = [Job(path.stem, path, batch="1", subject=path.stem) for path in files[:4]]
    jobs += [
        write(out / "small.fcs", files[4], change=lambda events, *_: events[:200]),
        write(out / "unstained.fcs", files[5], change=unstained),
        write(out / "swapped.fcs", files[6], labels={"CD4": "CD56", "CD56": "CD4"}),
        write(out / "clogged.fcs", files[7], change=clogged),
    ]
    (out / "empty.fcs").write_bytes(b"")
    jobs.append(Job("damaged", out / "empty.fcs", batch="1"))
    return gate_files(jobs, read_template("tnk")), {job.sample for job in jobs[:4]}


def test_the_run_finishes_and_the_good_files_have_all_endpoints(gated):
    batch, good = gated
    results = {result.sample: result for result in batch.results}
    assert set(results) == {*good, "small", "unstained", "swapped", "clogged"}
    assert {failure.sample for failure in batch.failures} >= {"damaged", "swapped"}
    endpoints = [p.name for p in batch.template.populations if p.endpoint]
    for sample in good:
        assert not any(results[sample].flags[name] & FAIL for name in endpoints)
        assert not any(
            flag & (Flag.FLOW_INTERRUPTED | Flag.PANEL_IMPLAUSIBLE) for flag in results[sample].flags.values()
        )


@pytest.mark.parametrize(
    ("sample", "population", "flags"),
    [
        ("small", "CD56bright", Flag.NO_PARENT | Flag.PARENT_FAILED | Flag.GATE_FAILED),
        ("small", "T", Flag.LOW_PARENT),
        ("unstained", "T", Flag.CONSENSUS | Flag.GATE_FAILED | Flag.OUTLIER_CUT),
        ("swapped", "CD4", Flag.PANEL_IMPLAUSIBLE),
        ("clogged", "T", Flag.FLOW_INTERRUPTED),
        ("clogged", "CD56bright", Flag.FLOW_INTERRUPTED),
    ],
)
def test_each_odd_tube_is_flagged_for_what_it_is(gated, sample, population, flags):
    (result,) = (result for result in gated[0].results if result.sample == sample)
    assert Flag(result.flags[population]) & flags


def test_what_cannot_be_told_is_missing_and_never_zero(gated):
    for result in gated[0].results:
        for name, flag in result.flags.items():
            assert np.isnan(result.counts[name]) == bool(flag & FAIL), (result.sample, name)
    endpoints = [p.name for p in gated[0].template.populations if p.endpoint]
    for result in gated[0].results:
        if result.sample not in gated[1]:
            assert all(result.flags[name] for name in endpoints), result.sample

"""A steady file gets no code at the stated rate; what was done to a file is found where it was done."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from il2cyto.errors import FcsWarning
from il2cyto.io import open_fcs, write_fcs
from il2cyto.pp import acquisition
from il2cyto.pp._flow import FALSE_ALARMS, bins_of, flow, flow_of
from il2cyto.pp._quality import SAMPLED, course

N = 20_000


def simulated(rng, n=N):
    """A mixture of two populations, as any tube has, acquired at a constant rate."""
    events = np.where(rng.random((n, 4)) < 0.3, rng.normal(3, 1, (n, 4)), rng.normal(0, 1, (n, 4)))
    return np.cumsum(rng.exponential(1.0, n)), events


def judged(time, events):
    starts, n_each = bins_of(len(time))
    signals = np.stack([events[start : start + min(SAMPLED, n_each)] for start in starts])
    found = flow([time], len(time), time[0], time[-1])
    assert found is not None
    return course(found, signals, names=["A", "B", "C", "D"])


def in_ticks(time):
    return np.floor(time / 5) * 5


def wavering(time):
    return time + 400 * np.sin(time / 3000)


@pytest.mark.parametrize("clock", [np.copy, in_ticks, wavering], ids=["exact", "in ticks", "rate wavers by an eighth"])
def test_of_steady_files_no_more_get_a_code_than_stated(clock):
    rng = np.random.default_rng(3)
    n_files = 60
    wrong = 0
    for _ in range(n_files):
        time, events = simulated(rng, 4_000)
        wrong += bool(judged(clock(time), events).codes)
    # 3 of 60 would come up once in 50 times if a hundredth were wrong.
    assert wrong <= 2
    assert FALSE_ALARMS == 0.01


def test_what_a_test_of_ranks_says_does_not_depend_on_the_scale():
    time, events = simulated(np.random.default_rng(0))
    events[4000:6000, 1] += 1.5
    plain, bent = judged(time, events), judged(1000 * time, np.exp(events))
    assert [(s.kind, s.start, s.stop, s.channels) for s in plain.stretches] == [
        (s.kind, s.start, s.stop, s.channels) for s in bent.stretches
    ]


def test_a_drifting_detector_is_found_in_its_channel_and_at_its_place():
    time, events = simulated(np.random.default_rng(0))
    events[4000:6000, 1] += 1.5
    (stretch,) = judged(time, events).stretches
    assert (stretch.kind, stretch.start, stretch.stop, stretch.channels) == ("signal_drift", 4000, 6000, ("B",))
    assert (stretch.begin, stretch.end) == (time[4000], time[6000])
    assert judged(time, events).anomalous == 0.1


def test_a_clog_is_a_change_of_the_rate_and_a_stop_is_a_gap():
    rng = np.random.default_rng(0)
    _, events = simulated(rng)
    waits = rng.exponential(1.0, N)
    waits[8000:9000] *= 4
    waits[15_000] += 2000
    result = judged(np.cumsum(waits), events)
    assert [(s.kind, s.start, s.stop) for s in result.stretches] == [
        ("flow_rate", 8000, 9000),
        ("time_gap", 14_999, 15_001),
    ]
    assert result.codes == ("flow_rate", "time_gap")
    assert result.anomalous == pytest.approx(1000 / N)


@pytest.mark.parametrize("at", [8000, 10_000, 12_000])
def test_a_file_of_two_parts_has_a_change_point_where_they_meet_and_its_smaller_part_is_anomalous(at):
    time, events = simulated(np.random.default_rng(0))
    events[at:, 1] += 1.5
    result = judged(time, events)
    (stretch,) = result.stretches
    assert (stretch.kind, stretch.start, stretch.stop, stretch.channels) == ("change_point", at, N, ("B",))
    exceeds = mannwhitneyu(events[at:, 1], events[:at, 1]).statistic / (at * (N - at))
    assert stretch.size == pytest.approx(exceeds, abs=0.01)
    assert result.anomalous == min(at, N - at) / N
    assert result.share_of("change_point") == (N - at) / N


def test_what_drifts_within_one_of_two_parts_is_found_there():
    time, events = simulated(np.random.default_rng(0))
    events[10_000:, 1] += 1.5
    events[2000:3000, 1] -= 1.5
    kinds = [(stretch.kind, stretch.start, stretch.stop) for stretch in judged(time, events).stretches]
    assert kinds == [("signal_drift", 2000, 3000), ("change_point", 10_000, N)]


def test_a_slow_drift_is_no_change_point():
    time, events = simulated(np.random.default_rng(0))
    events[:, 1] += np.linspace(0, 4, N)
    result = judged(time, events)
    assert result.codes == ("signal_drift",)


@pytest.mark.parametrize(
    ("where", "factor", "interrupted"),
    [
        (slice(8000, 8400), 8, True),  # a clog of 2 % of the events
        (slice(8000, 8001), 3000, True),  # a pause
        (slice(8000, 9000), 3, False),  # slower, not clogged
        (slice(15_000, N), 1 / 8, False),  # the rate was raised
        (slice(0), 1, False),
    ],
    ids=["clog", "pause", "slower", "faster", "steady"],
)
def test_the_flow_is_interrupted_where_it_pauses_or_falls_below_a_fifth_and_the_codes_say_so_too_in_whatever_pieces_it_is_read(
    where, factor, interrupted
):
    rng = np.random.default_rng(5)
    waits = rng.exponential(1.0, N)
    waits[where] *= factor
    time = np.cumsum(waits)
    found, again = (flow(pieces, N, time[0], time[-1]) for pieces in ([time], np.split(time, [1, 700, 8000, 8001])))
    assert found is not None
    assert again is not None
    assert found.interrupted == interrupted
    assert repr(again.stretches) == repr(found.stretches)  # sizes may be NaN
    assert np.array_equal(again.rates, found.rates)
    codes = judged(time, rng.normal(size=(N, 4))).codes
    assert not interrupted or {"flow_rate", "time_gap"} & set(codes)


@pytest.mark.parametrize("fault", ["few events", "no clock", "clock runs backwards", "clock stands"])
def test_a_file_without_a_course_over_time_is_not_judged(tmp_path, fault):
    time, events = simulated(np.random.default_rng(0), 1900 if fault == "few events" else 4000)
    if fault == "clock runs backwards":
        time = time[::-1]
    if fault == "clock stands":
        time = np.zeros_like(time)
    clock = "Width" if fault == "no clock" else "Time"
    write_fcs(tmp_path / "f.fcs", np.column_stack([events, time]), names=["A", "B", "C", "D", clock])
    result = acquisition(open_fcs(tmp_path / "f.fcs"), [0, 1])
    assert (result.codes, result.bins.height, np.isnan(result.anomalous)) == ((), 0, True)


def test_an_anomaly_of_a_published_file_is_found_and_its_steady_rest_is_kept(shared):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FcsWarning)
        file = open_fcs(shared / "data" / "raw_panels" / "peacoqc" / "111.fcs")
        result = acquisition(file, [c.index for c in file.channels if not c.is_time])
    (stretch,) = result.stretches
    assert (stretch.kind, stretch.start, stretch.stop) == ("signal_drift", 0, 1000)
    assert result.anomalous == 0.1


def test_no_published_file_is_called_interrupted_and_none_whose_events_are_shuffled_is_judged(shared):
    judged_files, shuffled = 0, 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FcsWarning)
        for folder in ("flowjo", "raw_panels"):
            for path in sorted((shared / "data" / folder).rglob("*.fcs")):
                found = flow_of(open_fcs(path))
                judged_files += found is not None
                shuffled += found is None
                assert found is None or not found.interrupted, path.name
    assert (judged_files, shuffled) >= (7, 6)


def test_steady_files_of_several_laboratories_lose_nothing(shared):
    names = ("flowjo/facspy_unstained/file1_unstained.fcs", "flowjo/flowsom_68983/68983.fcs",
             "parser_zoo/fcsparser/Cytek_xP5.fcs", "parser_zoo/flowio/G11.fcs")  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FcsWarning)
        for name in names:
            file = open_fcs(shared / "data" / name)
            result = acquisition(file, [c.index for c in file.channels if not c.is_time])
            assert (name, result.codes, result.anomalous) == (name, (), 0.0)

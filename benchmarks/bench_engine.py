"""Gating one file, from its path to the counts of 12 gates: il2cyto against FlowKit and against reading the bytes.

All figures are ratios within one run, on one core unless said, with the files in the page cache. The events are simulated.
Times are those of the processor, which other programs disturb least; that of two threads is by the clock.

Run `make bench`, or `OPENBLAS_NUM_THREADS=1 python benchmarks/bench_engine.py --full` for 3 million events too.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import sys
import tempfile
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from il2cyto.gt import Events, apply, make_plan, propose
from il2cyto.gt._compile import compile_plan
from il2cyto.gt._engine import Engine
from il2cyto.gt._program import EXACT
from il2cyto.gt._reconcile import CUT_SCHEMA
from il2cyto.io import Spillover, open_fcs, write_fcs
from il2cyto.pp import transform
from il2cyto.template import GatingTemplate, Logicle

SCATTER = ("FSC-A", "FSC-H", "SSC-A", "SSC-H", "FSC-W")
MARKERS = ("viability", "CD45", "CD3", "CD4", "CD8", "CD25", "CD127", "CD56", "CD16", "CD19", "CD14", "HLA-DR")
TOP = 262144.0
SCALE = Logicle(t=TOP, w=0.5, m=4.5, a=0.0)
LINEAR = {"method": "linear", "t": TOP, "a": 0}


def box(x, y, points, parent, name):
    return {"name": name, "parent": parent, "gate": {"method": "polygon", "channels": [x, y], "vertices": points}}


def cut(channel, at, keep, parent, name):
    return {"name": name, "parent": parent, "gate": {"method": "fixed", "channel": channel, "at": at, "keep": keep}}


POPULATIONS = [
    box("FSC-A", "SSC-A", [[0.15, 0.01], [0.75, 0.02], [0.8, 0.5], [0.5, 0.75], [0.18, 0.4]], "root", "cells"),
    box("FSC-A", "FSC-H", [[0.1, 0.05], [0.9, 0.75], [0.9, 0.98], [0.6, 0.75], [0.1, 0.2]], "cells", "singlets"),
    cut("viability", 0.45, "below", "singlets", "live"),
    cut("CD45", 0.5, "above", "live", "leukocytes"),
    cut("CD3", 0.5, "above", "leukocytes", "T"),
    cut("CD4", 0.5, "above", "T", "CD4"),
    cut("CD8", 0.5, "above", "T", "CD8"),
    box("CD127", "CD25", [[0.1, 0.5], [0.3, 0.45], [0.5, 0.6], [0.55, 0.9], [0.2, 0.9]], "CD4", "Treg"),
    cut("CD3", 0.5, "below", "leukocytes", "nonT"),
    box("CD56", "CD16", [[0.4, 0.1], [0.95, 0.1], [0.95, 0.95], [0.55, 0.95], [0.42, 0.5]], "nonT", "NK"),
    box("CD56", "CD16", [[0.65, 0.1], [0.95, 0.1], [0.95, 0.45], [0.7, 0.5]], "NK", "CD56bright"),
    box("CD56", "CD16", [[0.4, 0.5], [0.7, 0.55], [0.7, 0.95], [0.45, 0.95]], "NK", "CD16pos"),
]
TEMPLATE = GatingTemplate.model_validate(
    {
        "schema": "il2cyto/gating-template/1", "name": "bench", "version": "1", "requires": list(MARKERS[:9]),
        "transform": {"default": SCALE.model_dump(), "channels": dict.fromkeys(SCATTER, LINEAR)},
        "populations": POPULATIONS,
    }
)  # fmt: skip


def with_valleys(population):
    """A population with its cut to be found, and others as they are."""
    gate = population["gate"]
    if gate["method"] != "fixed":
        return population
    valley = {"method": "valley", "channel": gate["channel"], "keep": gate["keep"], "bounds": [0.3, 0.8]}
    return population | {"gate": valley | {"one_peak": {"method": "fixed", "at": gate["at"]}}}


FITTED = TEMPLATE.model_validate(
    TEMPLATE.model_dump(by_alias=True, exclude_unset=True) | {"populations": list(map(with_valleys, POPULATIONS))}
)


def simulate(path: Path, n: int, seed: int = 0) -> Path:
    """Write simulated events: 5 scatter channels, 12 fluorochromes with spillover, Time."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(6, n, p=[0.32, 0.18, 0.04, 0.1, 0.16, 0.2])  # CD4, CD8, Treg, NK, other, debris and dead
    level = np.full((6, 12), 0.25)
    level[:, 0] = [0.3, 0.3, 0.3, 0.3, 0.3, 0.6]
    level[:, 1] = [0.75, 0.75, 0.75, 0.75, 0.7, 0.4]
    level[[0, 1, 2], 2] = 0.7
    level[[0, 2], 3] = 0.7
    level[1, 4] = 0.75
    level[:, 5] = [0.4, 0.25, 0.65, 0.25, 0.25, 0.3]
    level[:, 6] = [0.65, 0.6, 0.35, 0.4, 0.5, 0.3]
    level[3, 7:9] = 0.6, 0.7
    scaled = level[kind] + rng.normal(0, 0.07, (n, 12))
    u = scaled - transform(np.zeros(1), SCALE)
    true = np.sign(u) * 30.0 * np.expm1(np.abs(u) * 10.0)
    matrix = np.eye(12) + rng.uniform(0, 0.12, (12, 12)) * (1 - np.eye(12))
    area = np.where(kind == 5, rng.gamma(3, 0.05, n), rng.normal(0.4, 0.1, n)) * TOP
    side = np.where(kind == 4, rng.normal(0.45, 0.15, n), rng.gamma(6, 0.025, n)) * TOP
    scatter = np.column_stack([area, area * rng.normal(0.85, 0.04, n), side, side * 0.9, area * 0.3])
    time_ = np.arange(n)[:, np.newaxis] * 0.1
    events = np.hstack([scatter, np.minimum(true @ matrix, TOP), time_]).astype(np.float32)
    names = [*SCATTER, *(f"FL{i}-A" for i in range(1, 13)), "Time"]
    labels = [""] * 5 + list(MARKERS) + [""]
    spillover = Spillover(tuple(names[5:17]), matrix)
    write_fcs(
        path, events, names=names, labels=labels, ranges=[TOP] * 18, spillover=spillover,
        keywords={"IL2CYTO_SIMULATED": "1"},
    )  # fmt: skip
    return path


def ours(path: Path) -> dict[str, int]:
    """Path to counts, everything included."""
    file = open_fcs(path)
    events = Events(file, make_plan(TEMPLATE, file.panel(), file=file.name))
    program = compile_plan(events, no_cuts, {})
    engine = Engine(events, program)
    for _ in engine.run():
        pass
    return {p.name: int(engine.counts[program.counters[p.name, EXACT]]) for p in TEMPLATE.populations}


def no_cuts(population):
    raise AssertionError(population.name)


def whole_apply(path: Path) -> dict[str, float]:
    """The same with flags and the medians of all markers in all populations."""
    import polars as pl

    file = open_fcs(path)
    events = Events(file, make_plan(TEMPLATE, file.panel(), file=file.name))
    return dict(apply(events, pl.DataFrame(schema=CUT_SCHEMA), sample="s").counts)


def own_cuts(path: Path) -> int:
    """The cuts that the file would choose for itself, where each cut of the template is a valley."""
    file = open_fcs(path)
    events = Events(file, make_plan(FITTED, file.panel(), file=file.name))
    return len(propose(events, sample="s", content="simulated"))


def strategy(matrix: np.ndarray):
    """Build FlowKit's strategy of the same gates."""
    import flowkit as fk

    detectors = [f"FL{i}-A" for i in range(1, 13)]
    of_marker = dict(zip(MARKERS, detectors, strict=True))
    result = fk.GatingStrategy()
    result.add_comp_matrix("comp", fk.Matrix(matrix, detectors, fluorochromes=list(MARKERS)))
    result.add_transform("logicle", fk.transforms.LogicleTransform(TOP, 0.5, 4.5, 0.0))
    result.add_transform("linear", fk.transforms.LinearTransform(TOP, 0.0))
    parents = {"root": ("root",)}
    for p in TEMPLATE.populations:
        dims = []
        for key in p.gate.keys:
            fluor = key in of_marker
            place = {"compensation_ref": "comp" if fluor else "uncompensated", "transformation_ref": "logicle" if fluor else "linear"}  # fmt: skip
            if p.gate.method == "fixed":
                low, high = (p.gate.at, None) if p.gate.keep == "above" else (None, p.gate.at)
                place |= {"range_min": low, "range_max": high}
            dims.append(fk.Dimension(of_marker.get(key, key), **place))
        path = parents[p.parent]
        if p.gate.method == "fixed":
            gate = fk.gates.RectangleGate(p.name, dims)
        else:
            gate = fk.gates.PolygonGate(p.name, dims, [list(v) for v in p.gate.vertices])
        result.add_gate(gate, path)
        parents[p.name] = (*path, p.name)
    return result


def with_flowkit(path: Path, gates) -> dict[str, int]:
    """Path to counts by FlowKit."""
    import flowkit as fk

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = gates.gate_sample(fk.Sample(path)).report
    return dict(zip(report["gate_name"], report["count"].astype(int), strict=True))


def touch(path: Path) -> int:
    """Read all bytes once into a buffer of 1 MB: the floor."""
    buffer, total = bytearray(1 << 20), 0
    with path.open("rb", buffering=0) as file:
        while n := file.readinto(buffer):
            total += n
    return total


def timed(function, *arguments, repeats=1, clock=time.process_time):
    """Result and the best of some times, in seconds."""
    best = np.inf
    for _ in range(repeats):
        start = clock()
        result = function(*arguments)
        best = min(best, clock() - start)
    return result, best


def in_turns(path: Path, *functions, rounds=10) -> list[float]:
    """The best time of each function, taken in turns: none finds in the cache what it has just left there itself."""
    best = [np.inf] * len(functions)
    for _ in range(rounds):
        best = [min(least, timed(f, path)[1]) for least, f in zip(best, functions, strict=True)]
    return best


def extra_memory(function, *arguments) -> float:
    """Most resident memory while the function ran beyond that before, in MB, looked at every half millisecond."""
    ctypes.CDLL(None).malloc_trim(0)
    stop, before = threading.Event(), resident()
    peak = [before]

    def watch():
        while not stop.wait(0.0005):
            peak[0] = max(peak[0], resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    function(*arguments)
    stop.set()
    watcher.join()
    return (peak[0] - before) / 1e6


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def gate_all(executor: ThreadPoolExecutor, paths: list[Path]) -> list[dict[str, int]]:
    return list(executor.map(ours, paths))


def threads(paths: list[Path], rounds: int = 8) -> float:
    """How many times faster two threads gate the files than one: best of each, taken in turns."""
    best = {1: np.inf, 2: np.inf}
    for n in (1, 2) * rounds:
        with ThreadPoolExecutor(n) as executor:
            best[n] = min(best[n], timed(gate_all, executor, paths, clock=time.perf_counter)[1])
    return best[1] / best[2]


def main() -> int:
    """Print the table; 1 if the counts differ from FlowKit's."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="3 million events too")
    parser.add_argument("--no-flowkit", action="store_true", help="leave FlowKit out")
    arguments = parser.parse_args()
    sizes = [300_000, 1_000_000, *([3_000_000] if arguments.full else [])]
    met = True
    print(f"load of the machine {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores: a busy machine gives other ratios")
    with tempfile.TemporaryDirectory() as folder:
        small = simulate(Path(folder) / "first.fcs", 10_000)
        print(
            f"first file of the process: {timed(ours, small)[1]:.2f} s (compiled code read from its cache, or compiled)"
        )
        whole_apply(small)
        own_cuts(small)
        for n in sizes:
            path = simulate(Path(folder) / f"{n}.fcs", n)
            counts = ours(path)
            floor, own = in_turns(path, touch, ours)
            memory = extra_memory(ours, path)
            line = f"{n:>9,} events: {own * 1e3:6.1f} ms, {own / floor:4.1f} x the read floor, extra memory {memory:5.1f} MB"
            met &= own <= 5 * floor and memory < 32
            if not arguments.no_flowkit:
                gates = strategy(open_fcs(path).spillover().matrix)
                theirs, flowkit = timed(with_flowkit, path, gates, repeats=2)
                if theirs != counts:
                    print(f"counts differ: {counts} {theirs}")
                    return 1
                line += f", {flowkit / own:4.0f} x FlowKit ({flowkit:.2f} s)"
                met &= flowkit >= 60 * own
            for name, step in (("apply with medians", whole_apply), ("propose", own_cuts)):
                _, seconds = timed(step, path, repeats=3)
                memory = extra_memory(step, path)
                met &= memory < 32
                line += f"; {name} {seconds * 1e3:.0f} ms, {memory:.0f} MB"
            print(line, flush=True)
        paths = [simulate(Path(folder) / f"batch{i}.fcs", 1_000_000, seed=i) for i in range(6)]
        speedup = threads(paths)
        print(f"6 files of 1,000,000 events, two threads against one: {speedup:.2f} x")
        met &= speedup >= 1.8
    print("goals met" if met else "goals missed: >= 60 x FlowKit, <= 5 x the floor, < 32 MB, two threads >= 1.8 x one")
    return 0


if __name__ == "__main__":
    sys.exit(main())

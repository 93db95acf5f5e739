"""A whole batch, from FCS files to results.h5ad: events per second, and the time of each step.

Processor time is that of all threads: it hardly depends on what else the machine does, and its ratio to elapsed time says how
many threads were at work. The last line compares steps as the design's goals do.

The trial is simulated. Run `python benchmarks/bench_batch.py` for 480 files of 50,000 events (1.7 GB in a temporary folder), or
with `--subjects 8 --events 10000` for a small one.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from il2cyto import datasets, pipeline

Clocks = tuple[float, float]


def clocks() -> Clocks:
    """Elapsed seconds, and seconds of all processors."""
    return time.perf_counter(), time.process_time()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=68, help="68 subjects make about 480 files")
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--workers", type=int, default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        study = datasets.simulate_trial(Path(folder) / "trial", subjects=options.subjects, events=options.events)
        files = len(list((study.parent / "fcs").glob("*.fcs")))
        ends: dict[str, Clocks] = {}

        def note(stage: str, done: int, _total: int) -> None:
            # Before the first file of a later step the cuts are reconciled, but not before files are looked at as a whole.
            if done == 0 and ends and stage != "look":
                ends.setdefault(f"reconcile, then {stage}", clocks())
            ends[stage] = clocks()

        start = clocks()
        pipeline.gate(study, Path(folder) / "out", workers=options.workers, progress=note)
        ends["write"] = clocks()
    elapsed = ends["write"][0] - start[0]
    print(
        f"{files} files x {options.events:,} events: {elapsed:.1f} s, {files * options.events / elapsed:,.0f} events/s"
    )
    before, cpu = start, {}
    for stage, at in ends.items():
        seconds, cpu[stage] = at[0] - before[0], at[1] - before[1]
        print(f"  {stage:<30} {seconds:6.1f} s  {seconds / elapsed:5.0%}  {cpu[stage]:6.1f} s of processors")
        before = at
    reconciling = sum(seconds for stage, seconds in cpu.items() if stage.startswith("reconcile"))
    cuts = cpu["propose"] + cpu.get("propose again", 0.0) + reconciling
    print(f"  (propose + reconcile) / apply: {cuts / cpu['apply']:.2f} of processor time; the goal is below 3")


if __name__ == "__main__":
    main()

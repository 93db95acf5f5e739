"""A whole batch, from FCS files to results.h5ad: events per second, and the share of time of each step.

The trial is simulated. Run `python benchmarks/bench_batch.py` for 480 files of 50,000 events (1.7 GB in a temporary folder), or
with `--subjects 8 --events 10000` for a small one.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from il2cyto import datasets, pipeline


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=68, help="68 subjects make about 480 files")
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--workers", type=int, default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        study = datasets.simulate_trial(Path(folder) / "trial", subjects=options.subjects, events=options.events)
        files = len(list((study.parent / "fcs").glob("*.fcs")))
        ends: dict[str, float] = {}

        def note(stage: str, _done: int, _total: int) -> None:
            ends[stage] = time.perf_counter()

        start = time.perf_counter()
        pipeline.gate(study, Path(folder) / "out", workers=options.workers, progress=note)
        end = time.perf_counter()
    print(
        f"{files} files x {options.events:,} events: {end - start:.1f} s, {files * options.events / (end - start):,.0f} events/s"
    )
    before = start
    for stage, at in ends.items():
        print(f"  {stage:<14} {at - before:6.1f} s  {(at - before) / (end - start):5.0%}")
        before = at
    print(f"  {'write':<14} {end - before:6.1f} s  {(end - before) / (end - start):5.0%}")


if __name__ == "__main__":
    main()

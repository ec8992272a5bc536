"""A fully cached re-run of many shards, against the run that computed them.

``python -m benchmarks.cached_rerun [--shards 1400] [--shard-rows 20]`` prints one ratio: second run / first run.
Shards are small here: what a cached re-run costs depends on their number alone.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.instant_build import start_prefect, use_instant_teacher, write_inputs
from flows.build_dataset import build_dataset


def main() -> None:
    """Prints the ratio."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--shards", type=int, default=1400)
    parser.add_argument("--shard-rows", type=int, default=20)
    given = parser.parse_args()
    use_instant_teacher()
    start_prefect()
    with tempfile.TemporaryDirectory() as folder:
        recipe = write_inputs(Path(folder), given.shards * given.shard_rows, given.shard_rows)
        seconds, built = [], []
        for _ in range(2):
            began = time.perf_counter()
            built.append(build_dataset(str(recipe), out=f"{folder}/out"))
            seconds.append(time.perf_counter() - began)
    if built[1].n_executed:
        raise SystemExit(f"the second run was not cached: {built[1].n_executed} tasks ran")
    print(
        f"cached re-run: {seconds[1] / seconds[0]:.3f} x the first run "
        f"({given.shards} shards, {built[1].n_cached} tasks found finished in {seconds[1]:.1f} s, "
        f"{1000 * seconds[1] / built[1].n_cached:.1f} ms each)"
    )


if __name__ == "__main__":
    main()

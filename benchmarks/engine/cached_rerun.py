"""A fully cached re-run of many shards under Prefect, against the stages that computed them, run without Prefect.

``python -m benchmarks.engine.cached_rerun [--shards 1400] [--shard-rows 20]`` prints one ratio: cached re-run /
computing. Shards are small here, which makes the ratio look bad: what a cached re-run costs depends on their number
alone.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.engine.instant_build import start_prefect, use_instant_teacher, write_inputs
from benchmarks.engine.orchestration import plain_build
from flows.build_dataset import build_dataset


def main() -> None:
    """Print the ratio."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--shards", type=int, default=1400)
    parser.add_argument("--shard-rows", type=int, default=20)
    given = parser.parse_args()
    use_instant_teacher()
    start_prefect()
    with tempfile.TemporaryDirectory() as folder:
        recipe = write_inputs(Path(folder), given.shards * given.shard_rows, given.shard_rows)
        began = time.perf_counter()
        plain_build(recipe, Path(folder) / "out")
        computing = time.perf_counter() - began
        began = time.perf_counter()
        built = build_dataset(str(recipe), out=f"{folder}/out")
        cached = time.perf_counter() - began
    if built.n_executed:
        raise SystemExit(f"the re-run was not cached: {built.n_executed} tasks ran")
    print(
        f"cached re-run: {cached / computing:.3f} x computing ({given.shards} shards, {built.n_cached} tasks found "
        f"finished in {cached:.1f} s, {1000 * cached / built.n_cached:.2f} ms each; computing took {computing:.1f} s)"
    )


if __name__ == "__main__":
    main()

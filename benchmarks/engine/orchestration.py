"""Cost of orchestration per row: a whole build with an instant teacher, against the same stages called without Prefect.

``python -m benchmarks.engine.orchestration [--rows 20000]`` prints one ratio: wall time with Prefect / without.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.engine.instant_build import start_prefect, use_instant_teacher, write_inputs
from flows import build_dataset as flow_module
from flows.engine.plain_run import plain_run
from tracemill.recipe import load_recipe


def plain_build(recipe_path: Path, out: Path) -> None:
    """The flow's own phases, without Prefect."""
    flow_module.build(plain_run(load_recipe(recipe_path)), str(out))


def main() -> None:
    """Print the ratio."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--shard-rows", type=int, default=1000)
    given = parser.parse_args()
    use_instant_teacher()
    start_prefect()
    with tempfile.TemporaryDirectory() as folder:
        recipe = write_inputs(Path(folder), given.rows, given.shard_rows)
        seconds = {}
        for name, build in (("plain", plain_build), ("prefect", _prefect_build)):
            text = recipe.read_text().replace(f"{folder}/store", f"{folder}/store-{name}")
            own = recipe.with_name(f"{name}.yaml")
            own.write_text(text)
            began = time.perf_counter()
            build(own, Path(folder) / f"out-{name}")
            seconds[name] = time.perf_counter() - began
    n_shards = -(-given.rows // given.shard_rows)
    print(
        f"orchestration: {seconds['prefect'] / seconds['plain']:.3f} x the plain stages "
        f"({1e6 * (seconds['prefect'] - seconds['plain']) / given.rows:.0f} us a row more; "
        f"{given.rows:,} rows in {n_shards} shards, {seconds['prefect']:.1f} s against {seconds['plain']:.1f} s)"
    )


def _prefect_build(recipe: Path, out: Path) -> None:
    flow_module.build_dataset(str(recipe), out=str(out))


if __name__ == "__main__":
    main()

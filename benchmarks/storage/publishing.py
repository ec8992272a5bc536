"""Publishing a run: writing its directory, and counting what it is made of, : reading the rows of its shards.

``python -m benchmarks.storage.publishing [--rows 4000] [--shards 4] [--threads N]``: rows of about 4,700 tokens, as
``benchmarks.verification.traces`` makes them; random words, so they compress worse than sentences do. Processor
seconds, since the wall clock of a busy machine showed a tenth of that speed. Each part runs in a process of its own,
which tells its peak memory; shards of 1,000 rows are what a build has.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.verification.traces import random_response, vocabulary
from tasks.engine.stage import body_of
from tasks.engine.work import NoSettings, Work
from tasks.publish import tally_published
from tracemill.core import Outcome, Problem, Response, Verdict, problem_id, rows_of, table_of
from tracemill.publish import Publication, export, publish
from tracemill.recipe.sections.select import Select
from tracemill.select import Sample, select
from tracemill.store import Shard, Store


class Cost(NamedTuple):
    """What a part took: seconds of processors and of the clock, and the most memory of its process in GB."""

    cpu_s: float
    wall_s: float
    peak_gb: float


def main() -> None:
    """Print rows/s of both, peak memory, and bytes a row."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--threads", type=int, help="that write; as many as there are cores unless given")
    parser.add_argument(
        "--start-method", choices=("spawn", "forkserver"), default="spawn", help="of the processes; forkserver: sooner"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"{folder}/store")
        made = [_shard(store, number, given.rows // given.shards) for number in range(given.shards)]
        problems, responses, selected = ([shards[kind] for shards in made] for kind in range(3))
        n_rows = sum(shard.rows for shard in selected)
        inputs = {f"problems-{i:05d}": shard for i, shard in enumerate(problems)}
        inputs |= {f"selected-{i:05d}": shard for i, shard in enumerate(selected)}
        # One process after the other, each new.
        multiprocessing.set_forkserver_preload(["benchmarks.verification.traces", "tasks.publish"])
        with multiprocessing.get_context(given.start_method).Pool(1, maxtasksperchild=1) as processes:
            reading = processes.apply(_read, (store.url, selected))
            writing = processes.apply(_publish, (store.url, f"{folder}/out", selected, given.threads))
            counting = processes.apply(_count, (store.url, inputs))
        out = Path(folder, "out")
        sizes = {
            "as a response": _stored(store, responses),
            "as a selected row": _stored(store, selected),
            "in dataset/": sum(path.stat().st_size for path in (out / "dataset").iterdir()),
            "in am.jsonl.zst": (out / "am.jsonl.zst").stat().st_size,
        }
        n_characters = sum(len(row.answer) + len(row.think) for row in rows_of(Sample, store.read_table(selected[0])))
        print(
            f"publishing: {writing.cpu_s / reading.cpu_s:.2f} x reading ({n_rows / writing.cpu_s:,.0f} rows a "
            f"processor second, {writing.wall_s:.1f} s for {n_rows:,}, peak {writing.peak_gb:.2f} GB), "
            f"counting {counting.cpu_s / reading.cpu_s:.2f} x ({n_rows / counting.cpu_s:,.0f}, "
            f"peak {counting.peak_gb:.2f} GB); bytes a row of {n_characters / selected[0].rows:,.0f} characters: "
            + ", ".join(f"{size / n_rows:,.0f} {where}" for where, size in sizes.items())
        )


def _read(store_url: str, selected: Sequence[Shard]) -> Cost:
    store = Store(store_url)
    return _cost(lambda: [n for shard in selected for n in [len(list(rows_of(Sample, store.read_table(shard))))]])


def _publish(store_url: str, out: str, selected: Sequence[Shard], n_threads: int | None) -> Cost:
    store = Store(store_url)
    if n_threads is not None:
        vars(export)["n_cores"] = lambda: n_threads
    publish(store, Store(f"{out}-warm"), _publication(selected[:1]))
    return _cost(partial(publish, store, Store(out), _publication(selected)))


def _count(store_url: str, inputs: dict[str, Shard]) -> Cost:
    work = Work(Store(store_url), NoSettings(), inputs)
    return _cost(lambda: body_of(tally_published).run(work))


def _shard(store: Store, number: int, n_rows: int) -> tuple[Shard, Shard, Shard]:
    """Return handles of a shard's problems, responses and selected rows."""
    chance = random.Random(number)  # noqa: S311 - texts, not secrets
    words = vocabulary(chance)
    problems = [_problem(row, " ".join(chance.choices(words, k=40))) for row in range(n_rows)]
    responses = [
        replace(random_response(number * n_rows + row, chance, words), problem_id=problem.id)
        for row, problem in enumerate(problems)
    ]
    verdicts = {
        given.id: Verdict(given.id, given.problem_id, Outcome.CORRECT, 1.0, "math@3", "1", "") for given in responses
    }
    samples, _ = select(problems, responses, verdicts, {}, {}, Select())
    return (
        store.write_table(table_of(Problem, problems)),
        store.write_table(table_of(Response, responses)),
        store.write_table(table_of(Sample, samples)),
    )


def _problem(row: int, prompt: str) -> Problem:
    identity = problem_id(prompt, [], "1", None, None)
    return Problem(identity, "a", row, "math", prompt, [], "1", None, None, [], "MIT", False, {})


def _publication(selected: Sequence[Shard]) -> Publication:
    return Publication("k", selected, [], [], shuffle_seed=0, rows_per_file=50_000, texts={})


def _stored(store: Store, shards: Sequence[Shard]) -> int:
    return sum(Path(store.path(shard.path)).stat().st_size for shard in shards)


def _cost(work: Callable[[], Any]) -> Cost:
    cpu_s, wall_s = time.process_time(), time.monotonic()
    work()
    cpu_s, wall_s = time.process_time() - cpu_s, time.monotonic() - wall_s
    return Cost(cpu_s, wall_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)


if __name__ == "__main__":
    main()

"""Which items of the benchmarks a training set holds, or comes near to."""

from __future__ import annotations

import functools

from prefect import task

from tasks.engine.stage import BY_KEY, RETRIES, STORED, stage
from tasks.engine.work import Produced, Work
from tracemill.core import Problem
from tracemill.decontaminate.index import BenchmarkIndex
from tracemill.evaluate.nearness import item_texts, met
from tracemill.store import Shard, Store


@task(name="item_texts", task_run_name="item_texts {label}", version="1", retries=0, cache_policy=BY_KEY, **STORED)
@stage()
def texts_of_items(work: Work) -> Produced:
    """The texts of all items in one table; rows are texts."""
    table = item_texts(work.all_rows(Problem, "problems"))
    return Produced({"items": table}, table.num_rows, table.num_rows)


@task(name="nearness", task_run_name="nearness {label}", version="1", retries=RETRIES, cache_policy=BY_KEY, **STORED)
@stage(computes=True)
def nearness_shard(work: Work) -> Produced:
    """The items that a shard of training prompts touches; rows are prompts."""
    problems = work.table("problems")
    found = met(problems, _index(work.store.url, work.inputs["items"]), work.section)
    return Produced({"met": found}, problems.num_rows, problems.num_rows, facts={"met": found.num_rows})


@functools.lru_cache(maxsize=2)
def _index(store_url: str, items: Shard) -> BenchmarkIndex:
    """Return one index per process: every shard asks the same one."""
    return BenchmarkIndex(Store(store_url).read_table(items))

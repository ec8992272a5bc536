"""Benchmarks, and shards of problems without those that stand in one."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import replace
from typing import Any

import pyarrow as pa
from prefect import task
from pydantic import Field

from tasks.duplicates import embedded
from tasks.engine.models import Asking
from tasks.engine.stage import BY_KEY, RETRIES, STORED, stage
from tasks.engine.work import Produced, Work
from tracemill.core import Dropped, Section, table_of
from tracemill.decontaminate.benchmarks import items_of, source_of
from tracemill.decontaminate.decontaminate import GREY, Decontaminated, asked_texts, decontaminate, without
from tracemill.decontaminate.index import ITEMS, BenchmarkIndex
from tracemill.decontaminate.judge import (
    overlap_by_word,
    same_question_request,
    word_of,
    words_by_benchmark,
    worst_pairs,
)
from tracemill.decontaminate.report import JUDGED, shard_facts
from tracemill.decontaminate.semantic import decontaminate_by_meaning, items_as_problems
from tracemill.embeddings import shared_embedder
from tracemill.recipe.sections.decontaminate import Benchmark, SameQuestion
from tracemill.recipe.sections.money import Purse
from tracemill.sources import fingerprint
from tracemill.store import Shard, Store


class BenchmarkFiles(Section):
    """The benchmarks of a recipe and the state of their files."""

    benchmarks: tuple[Benchmark, ...]
    fingerprints: list[Any]
    data_dir: str = Field(json_schema_extra={"operational": True})


def benchmark_files(benchmarks: tuple[Benchmark, ...], data_dir: str) -> BenchmarkFiles:
    """Return the section of :func:`read_benchmarks`.

    Raises:
        SourceError: a benchmark's file is not there; never a silent skip.
    """
    found = [fingerprint(source_of(benchmark), data_dir) for benchmark in benchmarks]
    return BenchmarkFiles(benchmarks=benchmarks, fingerprints=found, data_dir=data_dir)


@task(name="benchmarks", task_run_name="benchmarks {label}", version="3", retries=0, cache_policy=BY_KEY, **STORED)
@stage()
def read_benchmarks(work: Work) -> Produced:
    """The texts of all benchmarks' items in one table; rows are texts."""
    plan: BenchmarkFiles = work.section
    items = [item for benchmark in plan.benchmarks for item in items_of(benchmark, plan.data_dir)]
    distinct = {(item["benchmark"], item["item"]) for item in items}
    n_items = dict.fromkeys((benchmark.name for benchmark in plan.benchmarks), 0)
    n_items |= Counter(benchmark for benchmark, _ in distinct)
    table = pa.Table.from_pylist(items, schema=ITEMS)
    return Produced({"items": table}, len(items), len(items), facts={"n_items": n_items})


@task(
    name="decontaminate",
    task_run_name="decontaminate {label}",
    version="5",
    retries=RETRIES,
    cache_policy=BY_KEY,
    **STORED,
)
@stage(rows="problems", drops=True, computes=True)
def decontaminate_shard(work: Work) -> Produced:
    """Problems that share no item with a benchmark by their text."""
    problems = work.table("problems")
    index = _index(work.store.url, work.inputs["benchmarks"])
    found = decontaminate(problems, index, work.section)
    return produced(problems.num_rows, found)


@functools.lru_cache(maxsize=2)
def _index(store_url: str, benchmarks: Shard) -> BenchmarkIndex:
    """Return one index per process: every shard asks the same one."""
    return BenchmarkIndex(Store(store_url).read_table(benchmarks))


def produced(rows_in: int, found: Decontaminated) -> Produced:
    """Return tables ``kept``, ``dropped`` and ``grey``, and what the report needs."""
    return Produced(
        outputs={"kept": found.kept, "dropped": table_of(Dropped, found.dropped), "grey": found.grey},
        rows_in=rows_in,
        rows_kept=found.kept.num_rows,
        dropped=dict(Counter(f"{row.stage}/{row.reason}" for row in found.dropped)),
        facts=shard_facts(found.dropped),
    )


@task(
    name="embed_benchmarks",
    task_run_name="embed_benchmarks {label}",
    version="1",
    retries=RETRIES,
    cache_policy=BY_KEY,
    **STORED,
)
@stage()
def embed_benchmarks(work: Work) -> Produced:
    """One vector for each text of a benchmark item; rows are texts."""
    return embedded(work, items_as_problems(work.table("items")), shared_embedder(work.section))


@task(
    name="decontaminate_by_meaning",
    task_run_name="decontaminate_by_meaning {label}",
    version="2",
    retries=RETRIES,
    cache_policy=BY_KEY,
    **STORED,
)
@stage(rows="problems", drops=True, computes=True)
def decontaminate_by_meaning_shard(work: Work) -> Produced:
    """Problems that are like no item of a benchmark by their vectors."""
    problems = work.table("problems")
    vectors, items = work.table("embeddings"), work.table("benchmarks")
    found = decontaminate_by_meaning(problems, vectors, items, work.table("benchmark_embeddings"), rules=work.section)
    return produced(problems.num_rows, found)


class JudgeContamination(Section):
    """What the judge's word on grey pairs depends on."""

    judge: SameQuestion
    ledger: str = Field(json_schema_extra={"operational": True})
    purse: Purse | None = Field(default=None, json_schema_extra={"operational": True})


@task(
    name="judge_contamination",
    task_run_name="judge_contamination {label}",
    version="2",
    retries=RETRIES,
    cache_policy=BY_KEY,
    **STORED,
)
@stage(rows="problems", drops=True)
def judge_contamination_shard(work: Work) -> Produced:
    """Problems that the judge does not call a benchmark's; those that are not grey are not asked about."""
    plan: JudgeContamination = work.section
    problems = work.table("problems")
    ids = problems["id"].to_pylist()
    grey = [pair for name in work.numbered("grey") for pair in work.table(name).to_pylist()]
    pairs = worst_pairs(pair for pair in grey if pair["id"] in set(ids))
    asked = dict(zip(ids, asked_texts(problems), strict=True))
    requests = [same_question_request(asked[name], pair["item_text"], plan.judge) for name, pair in pairs.items()]
    asking = Asking(work, plan.ledger, plan.purse)
    words = [word_of(answer) for answer in asking.ask(requests, plan.judge)]
    overlaps = {
        name: overlap_by_word(pair, word, plan.judge) for (name, pair), word in zip(pairs.items(), words, strict=True)
    }
    kept, dropped = without(problems, [overlaps.get(name) for name in ids])
    found = produced(problems.num_rows, Decontaminated(kept, dropped, GREY.empty_table()))
    return asking.with_refusals(replace(found, facts=found.facts | {JUDGED: words_by_benchmark(pairs.values(), words)}))

"""Benchmarks, and how a shard is compared with them: by text, and if the recipe says so by meaning and by a judge."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from flows.engine.context import RunContext
from flows.phases.shards import ShardHistory, set_aside
from tasks.decontaminate import (
    JudgeContamination,
    benchmark_files,
    decontaminate_by_meaning_shard,
    decontaminate_shard,
    embed_benchmarks,
    judge_contamination_shard,
    read_benchmarks,
)
from tasks.duplicates import embed_shard
from tracemill.decontaminate.report import BenchmarkReport, benchmark_reports

if TYPE_CHECKING:
    from flows.engine.steps import Step
    from tracemill.recipe import Recipe
    from tracemill.recipe.sections.decontaminate import Decontaminate, Embeddings
    from tracemill.recipe.sections.deduplicate import Semantic
    from tracemill.recipe.sections.money import Purse
    from tracemill.store import Manifest, Shard


@dataclass(frozen=True)
class Benchmarks:
    """What every shard is compared with.

    Attributes:
        items: texts of the items.
        vectors: of the texts, where the recipe names a model.
        n_items: by benchmark.
    """

    items: Shard
    vectors: Shard | None
    n_items: dict[str, int]

    def tables(self) -> list[Shard]:
        """Of the items, and of their vectors where there are any."""
        return [self.items, self.vectors] if self.vectors is not None else [self.items]


def benchmarks_of(context: RunContext[Recipe]) -> Benchmarks:
    """Read the recipe's benchmarks.

    Raises:
        SourceError: one cannot be read whole; never a silent skip.
    """
    settings = context.recipe.decontaminate
    files = benchmark_files(settings.benchmarks, context.recipe.data_dir)
    read = context.single(read_benchmarks, files, {}, "of the recipe")
    items, vectors = read.outputs["items"], None
    if settings.embeddings is not None and items.rows:
        embedded = context.single(embed_benchmarks, settings.embeddings.embedding(), {"items": items}, "of the recipe")
        vectors = embedded.outputs["embeddings"]
    return Benchmarks(items, vectors, read.facts["n_items"])


def decontamination(
    context: RunContext[Recipe], benchmarks: Benchmarks, merged_by: Manifest | None
) -> Callable[[Step, ShardHistory], ShardHistory]:
    """Return what takes one shard's problems through all comparisons.

    Args:
        context: of the run.
        benchmarks: what to compare with.
        merged_by: the shard's vectors for deduplicate.semantic, of more rows than are left.
    """
    settings = context.recipe.decontaminate
    embedding = None
    if settings.embeddings is not None:
        semantic = context.recipe.deduplicate.semantic
        embedding = partial(_embedded, settings=settings.embeddings, semantic=semantic, merged_by=merged_by)
    ledger = context.ledger if settings.judge else ""
    purse = context.recipe.purse if settings.judge else None
    return partial(
        _compare_one, benchmarks=benchmarks, embedding=embedding, ledger=ledger, settings=settings, purse=purse
    )


def _compare_one(
    step: Step,
    history: ShardHistory,
    benchmarks: Benchmarks,
    embedding: Callable[[Step, Shard], dict[str, Shard]] | None,
    ledger: str,
    settings: Decontaminate,
    purse: Purse | None,
) -> ShardHistory:
    inputs = {"problems": history.current, "benchmarks": benchmarks.items}
    history = history.then(step(decontaminate_shard, settings.overlap(), inputs))
    if benchmarks.vectors is not None and embedding is not None:
        inputs = {"problems": history.current} | embedding(step, history.current)
        inputs |= {"benchmarks": benchmarks.items, "benchmark_embeddings": benchmarks.vectors}
        history = history.then(step(decontaminate_by_meaning_shard, settings.meaning(), inputs))
    if settings.judge is not None:
        grey = {f"grey-{number:03d}": shard for number, shard in enumerate(history.outputs("grey"))}
        plan = JudgeContamination(judge=settings.judge, ledger=ledger, purse=purse)
        history = history.then(step(judge_contamination_shard, plan, {"problems": history.current} | grey))
    return history


def _embedded(
    step: Step, problems: Shard, settings: Embeddings, semantic: Semantic | None, merged_by: Manifest | None
) -> dict[str, Shard]:
    """Return the vectors of a shard's problems: those of the semantic duplicates where the model is the same.

    Returns:
        inputs: the vectors, and the rows that are set aside here, since they could not be embedded.
    """
    model = settings.embedding()
    if semantic is not None and merged_by is not None and semantic.embedding().digest() == model.digest():
        return {"embeddings": merged_by.outputs["embeddings"]}  # what was set aside is dropped with the duplicates
    embedded = step(embed_shard, model, {"problems": problems})
    return {"embeddings": embedded.outputs["embeddings"], **set_aside([embedded])}


def contamination_of(benchmarks: Benchmarks, shards: Iterable[ShardHistory]) -> list[BenchmarkReport]:
    """Return what was found of each benchmark, over all shards."""
    met = [(history.source, manifest.facts) for history in shards for manifest in history.manifests]
    return benchmark_reports(benchmarks.n_items, met)

"""Semantic duplicates: vectors per shard of what MinHash left, and one merge over all of them. Off unless asked for."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
from prefect import task

from tasks.asking import Asking
from tasks.same_answer import VERSION, agreement
from tasks.stage import BY_KEY, RETRIES, STORED, stage
from tasks.work import Produced, Work
from tracemill.conflict_report import batch_facts
from tracemill.embedding import Embedder, embedded_again, embeddings, shared_embedder, stored_vectors
from tracemill.embedding_server import ServedEmbedder
from tracemill.recipe_duplicates import Conflict
from tracemill.recipe_section import Section
from tracemill.recipe_semantic import Semantic
from tracemill.semantic_duplicates import LABELS, Embedded, merge_meanings


@task(name="embed", task_run_name="embed {label}", version="1", retries=RETRIES, cache_policy=BY_KEY, **STORED)
@stage(rows="problems")
def embed_shard(work: Work) -> Produced:
    """Problems -> one vector each; none where the model cannot take the prompt whole."""
    return embedded(work, work.table("problems"), shared_embedder(work.section))


def embedded(work: Work, problems: pa.Table, embedder: Embedder) -> Produced:
    """Table ``embeddings`` of problems; what a server has refused is asked for again by the next run, and it alone."""
    before = work.before.get("embeddings")
    if before is None:
        table = embeddings(problems, embedder)
    else:
        table = embedded_again(problems, embedder, work.store.read_table(before))
    without = ~stored_vectors(table).any(axis=1)
    facts = {"n_without_vector": int(np.sum(without))} if without.any() else {}
    produced = Produced({"embeddings": table}, table.num_rows, table.num_rows, facts=facts)
    if not isinstance(embedder, ServedEmbedder):
        return produced
    asking = Asking(work)
    texts = problems.filter(pa.array(without))["prompt"].to_pylist()
    asking.note(work.section, problems.num_rows, embedder.refusals(texts))
    return asking.told(produced)


class MergeBatch(Section):
    """Parts of the recipe's sections, and the order of the sources that are in the batch."""

    settings: Semantic
    same_numbers: bool
    conflict: Conflict
    priority: tuple[str, ...]


@task(
    name="merge_meanings",
    task_run_name="merge_meanings {label}",
    version=f"3-{VERSION}",
    retries=RETRIES,
    cache_policy=BY_KEY,
    **STORED,
)
@stage()
def merge_batch(work: Work) -> Produced:
    """One clustering over all that MinHash left of a batch and what earlier batches kept."""
    batch = _shards(work, "signatures")
    section = work.section
    tables = merge_meanings(
        batch,
        _shards(work, "earlier-signatures"),
        section.settings,
        section.priority,
        same_numbers=section.same_numbers,
        conflict=section.conflict,
        agree=agreement,
    )
    n_rows = sum(shard.embeddings.num_rows for shard in batch)
    reasons = Counter(
        reason
        for table, shard in zip(tables, batch, strict=True)
        for reason in table["reason"].slice(shard.decisions.num_rows).to_pylist()
    )
    dropped = {f"deduplicate/{reason}": count for reason, count in sorted(reasons.items())}
    outputs = {
        name.replace("signatures", "merged"): table
        for name, table in zip(work.numbered("signatures"), tables, strict=True)
    }
    return Produced(outputs, n_rows, n_rows - reasons.total(), dropped, batch_facts(tables))


def _shards(work: Work, prefix: str) -> list[Embedded]:
    """Without the signatures proper: a gigabyte that is not needed here."""
    return [
        Embedded(
            signatures=work.store.read_table(work.inputs[name], LABELS),
            embeddings=work.table(name.replace("signatures", "embeddings")),
            decisions=work.table(name.replace("signatures", "decisions")),
        )
        for name in work.numbered(prefix)
    ]

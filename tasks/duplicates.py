"""Per-shard curation: collect, sign; and after the global decisions: drop duplicates.

The verifiers' word on references of duplicates: the same answer, another one, or nobody can tell.

Semantic duplicates: vectors per shard of what MinHash left, and one merge over all of them. Off unless asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import pyarrow as pa
from prefect import task

from tasks.engine.models import Asking
from tasks.engine.stage import BY_KEY, RETRIES, STORED, stage
from tasks.engine.work import Produced, Work, split
from tasks.verify import verifier_set_of
from tracemill.core import Category, Dropped, Problem, Section, digest, dropped_problem, table_of
from tracemill.dedup.conflict_report import batch_facts, shard_facts
from tracemill.dedup.conflicting_references import Reference
from tracemill.dedup.minhash import Earlier, deduplicate, sign
from tracemill.dedup.semantic import LABELS, Embedded, merge_meanings
from tracemill.embeddings import Embedder, embedded_again, shared_embedder, stored_vectors
from tracemill.embeddings.embeddings import embeddings
from tracemill.embeddings.server import ServedEmbedder
from tracemill.recipe.sections.deduplicate import Conflict, Semantic
from tracemill.recipe.sections.verify import Verify
from verifiers import verifier_versions
from verifiers.same_answer import same_answers

Kind = TypeVar("Kind")

# A new version of the verifiers that compare is a new one of the stages that ask them.
VERSION = digest([verifier_versions()[category] for category in (Category.MATH, Category.CHOICE)])[:8]


def agreement(pairs: Sequence[tuple[Reference, Reference]]) -> list[bool | None]:
    """See :func:`verifiers.same_answer.same_answers`. Most batches have no such pairs, and start no verifiers."""
    return same_answers(pairs, verifier_set_of(Verify())) if pairs else []


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
    return asking.with_refusals(produced)


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


@task(name="sign", task_run_name="sign {label}", version="4", retries=RETRIES, cache_policy=BY_KEY, **STORED)
@stage(rows="problems", computes=True)
def sign_shard(work: Work) -> Produced:
    """Signatures for the duplicate step."""
    signatures = sign(work.table("problems"), work.section)
    return Produced({"signatures": signatures}, signatures.num_rows, signatures.num_rows)


@task(name="set_aside", task_run_name="set_aside {label}", version="1", retries=RETRIES, cache_policy=BY_KEY, **STORED)
@stage(rows="problems", drops=True, computes=True)
def set_aside_shard(work: Work) -> Produced:
    """Problems without those that an earlier stage has set aside, which are accounted for here."""
    problems = work.table("problems")
    return Produced({"kept": problems, "dropped": table_of(Dropped, [])}, problems.num_rows, problems.num_rows)


class DeduplicateBatch(Section):
    """The recipe's section and the order of the sources that are in the batch."""

    settings: Section
    priority: tuple[str, ...]


@task(
    name="deduplicate",
    task_run_name="deduplicate {label}",
    version=f"3-{VERSION}",
    retries=RETRIES,
    cache_policy=BY_KEY,
    **STORED,
)
@stage()
def deduplicate_batch(work: Work) -> Produced:
    """One clustering over all signatures of a batch and what earlier batches kept."""
    names = work.numbered("signatures")
    earlier = _ReadAnew(partial(_earlier, work), work.numbered("earlier-signatures"))
    batch = _ReadAnew(work.table, names)
    decisions = deduplicate(batch, earlier, work.section.settings, work.section.priority, agreement)
    tables = {name.replace("signatures", "decisions"): table for name, table in zip(names, decisions, strict=True)}
    n_rows = sum(work.inputs[name].rows for name in names)
    reasons = Counter(reason for table in decisions for reason in table["reason"].to_pylist())
    dropped = {f"deduplicate/{reason}": count for reason, count in sorted(reasons.items())}
    return Produced(tables, n_rows, n_rows - reasons.total(), dropped, batch_facts(decisions))


@dataclass(frozen=True)
class _ReadAnew(Iterable[Kind]):
    """What is read from the store whenever it is gone through, one input after the other, and not kept."""

    read: Callable[[str], Kind]
    names: Sequence[str]

    def __iter__(self) -> Iterator[Kind]:
        return map(self.read, self.names)


def _earlier(work: Work, name: str) -> Earlier:
    return Earlier(work.table(name), work.table(name.replace("signatures", "decisions")))


@task(
    name="drop_duplicates",
    task_run_name="drop_duplicates {label}",
    version="3",
    retries=RETRIES,
    cache_policy=BY_KEY,
    **STORED,
)
@stage(rows="problems", drops=True, computes=True)
def drop_duplicates_shard(work: Work) -> Produced:
    """Applies the decisions to one shard; joined by content id, which is unique within a shard."""
    problems = work.rows(Problem, "problems")
    decisions = {
        row.pop("id"): {name: value for name, value in row.items() if value is not None}
        for row in work.table("decisions").to_pylist()
    }
    dropped = [
        dropped_problem(problem, "deduplicate", decisions[problem.id].pop("reason"), decisions[problem.id])
        for problem in problems
        if problem.id in decisions
    ]
    kept = [problem for problem in problems if problem.id not in decisions]
    return split(len(problems), kept, Problem, dropped, **shard_facts(dropped))

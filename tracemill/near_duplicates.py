"""Exact and MinHash near-duplicates: signatures per shard, one clustering over all of them.

Clusters are the connected components of "same text" and "estimated Jaccard at or above the threshold". One member
stays: one that an earlier batch has published, else the best by source priority, a checkable reference, tests, a trace,
and at last the content id. Every other member names the kept row, the method and the score.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tracemill.schema import Category, Problem
from tracemill.text import exact_key, ngrams, numbers_key, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from datasketch import MinHash

    from tracemill.recipe import Deduplicate, Signature

# datasketch 2's fastest scheme; named, so that a new default of the library cannot mix with stored signatures.
SCHEME = "affine32"

SIGNATURES = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("category", pa.string()),
        ("has_reference", pa.bool_()),
        ("has_tests", pa.bool_()),
        ("has_trace", pa.bool_()),
        ("exact_key", pa.string()),
        ("numbers_key", pa.string()),
        ("minhash", pa.binary()),
    ]
)

DECISIONS = pa.schema(
    [
        ("id", pa.string()),
        ("reason", pa.string()),
        ("kept", pa.string()),
        ("kept_source", pa.string()),
        ("method", pa.string()),
        ("score", pa.float64()),
    ]
)


def sign(problems: Iterable[Problem], settings: Signature) -> pa.Table:
    """Signatures of one shard, one row a problem, in order. The table's metadata names library and parameters."""
    from datasketch import MinHash

    listed = list(problems)
    shingles = [[gram.encode() for gram in ngrams(words(p.prompt), settings.ngram)] for p in listed]
    sketches = MinHash.bulk(shingles, num_perm=settings.num_perm, seed=settings.seed, scheme=SCHEME)
    records = [_signature(problem, sketch) for problem, sketch in zip(listed, sketches, strict=True)]
    made_with = f"datasketch {version('datasketch')} {SCHEME} {settings.content()}"
    return pa.Table.from_pylist(records, schema=SIGNATURES.with_metadata({"signature": made_with}))


def _signature(problem: Problem, sketch: MinHash) -> dict[str, Any]:
    return {
        "id": problem.id,
        "source": problem.source,
        "category": problem.category,
        "has_reference": bool(problem.reference_answer),
        "has_tests": problem.tests is not None,
        "has_trace": bool(problem.traces),
        "exact_key": exact_key(problem.prompt),
        "numbers_key": numbers_key(problem.prompt),
        "minhash": sketch.hashvalues.astype("<u4").tobytes(),
    }


@dataclass(frozen=True, slots=True)
class Signed:
    """One signature in the clustering; ``shard`` is its place in the batch, -1 for rows of earlier batches."""

    shard: int
    record: dict[str, Any]
    values: np.ndarray[Any, np.dtype[np.uint32]]

    def similarity(self, other: Signed) -> float:
        """Estimated Jaccard."""
        return float(np.mean(self.values == other.values))


@dataclass(frozen=True, slots=True)
class Deduplicated:
    """What the clustering decided.

    Attributes:
        decisions: per shard of the batch, a table of the rows to drop (``DECISIONS``).
        kept: signatures of the batch's kept rows, for later batches.
    """

    decisions: list[pa.Table]
    kept: pa.Table


def deduplicate(
    batch: Sequence[pa.Table], earlier: Sequence[pa.Table], settings: Deduplicate, priority: Sequence[str]
) -> Deduplicated:
    """Clusters a batch together with what earlier batches kept.

    Args:
        batch: signatures, one table per shard.
        earlier: ``kept`` tables of the batches before; their rows always stay.
        settings: threshold, signature parameters and guard.
        priority: source names, best first.
    """
    rows = [signed for table in earlier for signed in _signed(-1, table)]
    rows += [signed for shard, table in enumerate(batch) for signed in _signed(shard, table)]
    rank = {name: position for position, name in enumerate(priority)}
    dropped: list[list[dict[str, Any]]] = [[] for _ in batch]
    kept: list[dict[str, Any]] = []
    for cluster in _clusters(rows, settings):
        stays = [row for row in cluster if row.shard < 0] or [min(cluster, key=lambda row: _preference(row, rank))]
        for row in cluster:
            if row.shard < 0:
                continue
            if row is stays[0]:
                kept.append(row.record)
            else:
                dropped[row.shard].append(_decision(row, stays))
    return Deduplicated(
        decisions=[pa.Table.from_pylist(records, schema=DECISIONS) for records in dropped],
        kept=pa.Table.from_pylist(kept, schema=SIGNATURES),
    )


def _signed(shard: int, table: pa.Table) -> list[Signed]:
    return [Signed(shard, record, np.frombuffer(record["minhash"], dtype="<u4")) for record in table.to_pylist()]


def _preference(row: Signed, rank: dict[str, int]) -> tuple[Any, ...]:
    record = row.record
    return (
        rank.get(record["source"], len(rank)),
        not record["has_reference"],
        not record["has_tests"],
        not record["has_trace"],
        record["id"],
        row.shard,
    )


def _decision(row: Signed, stays: list[Signed]) -> dict[str, Any]:
    nearest = max(stays, key=lambda other: (row.similarity(other), other.record["id"]))
    exact = row.record["exact_key"] == nearest.record["exact_key"]
    return {
        "id": row.record["id"],
        "reason": "exact_duplicate" if exact else "near_duplicate",
        "kept": nearest.record["id"],
        "kept_source": nearest.record["source"],
        "method": "same text" if exact else "minhash",
        "score": 1.0 if exact else row.similarity(nearest),
    }


def _clusters(rows: list[Signed], settings: Deduplicate) -> list[list[Signed]]:
    """Connected components, each in input order, ordered by their first row."""
    parent = list(range(len(rows)))

    def find(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    def join(left: int, right: int) -> None:
        low, high = sorted((find(left), find(right)))
        parent[high] = low

    first_with: dict[str, int] = {}
    for position, row in enumerate(rows):
        join(first_with.setdefault(row.record["exact_key"], position), position)
    for left, right in _similar_pairs(rows, sorted(first_with.values()), settings):
        join(left, right)
    clusters: dict[int, list[Signed]] = defaultdict(list)
    for position, row in enumerate(rows):
        clusters[find(position)].append(row)
    return list(clusters.values())


def _similar_pairs(rows: list[Signed], distinct: list[int], settings: Deduplicate) -> list[tuple[int, int]]:
    """Pairs of different texts at or above the threshold that the number guard does not keep apart."""
    from datasketch import MinHash, MinHashLSH

    parameters = settings.signature
    index = MinHashLSH(threshold=settings.threshold, num_perm=parameters.num_perm)
    shared = MinHash(parameters.num_perm, parameters.seed, scheme=SCHEME).permutations  # 0.7 ms to make
    pairs = []
    for position in distinct:
        row = rows[position]
        sketch = MinHash(
            parameters.num_perm, parameters.seed, hashvalues=row.values, permutations=shared, scheme=SCHEME
        )
        pairs += [
            (other, position)
            for other in index.query(sketch)
            if _mergeable(row, rows[other], settings) and row.similarity(rows[other]) >= settings.threshold
        ]
        index.insert(position, sketch, check_duplication=False)
    return pairs


def _mergeable(row: Signed, other: Signed, settings: Deduplicate) -> bool:
    maths = Category.MATH in (row.record["category"], other.record["category"])
    return not (settings.same_numbers and maths) or row.record["numbers_key"] == other.record["numbers_key"]

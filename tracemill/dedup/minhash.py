"""Duplicates: signatures per shard, one clustering over all of them, and a representative for each cluster.

Exact: the same text but for case and white space. Near: MinHash over word n-grams, LSH by datasketch's parameters,
pairs at or above the threshold, clusters by connected components. Signatures are kept: a new threshold, or new rows,
need no new ones. Within a batch the best representative wins; a row that an earlier batch kept always stays.

Measured (benchmarks/curation/near_duplicates.py): the values are datasketch's own permutations of our shingle hashes,
and the clusters the same as those of its ``MinHashLSH``.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tracemill.core import Category
from tracemill.dedup.clusters import Clusters, Guard, cluster, similarities
from tracemill.dedup.conflicting_references import COLUMNS, OPPOSED, Rows, Settled, comparable, same_text, settle
from tracemill.dedup.conflicting_references import REASON as CONFLICT
from tracemill.dedup.representatives import nearest_of
from tracemill.sources.layouts.traces import R1_IN_JSON
from tracemill.text.hashes import KEY_BYTES, VERSION, exact_keys, in_one_form, number_keys, sketches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from tracemill.dedup.conflicting_references import Agreement
    from tracemill.recipe.sections.deduplicate import Deduplicate, Signature

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
        *COLUMNS,
        ("exact_key", pa.binary(KEY_BYTES)),
        ("numbers_key", pa.binary(KEY_BYTES)),
        ("minhash", pa.binary()),
    ]
)
# Of a row without what it is compared by.
LABELS = [name for name in SIGNATURES.names if name not in {"exact_key", "numbers_key", "minhash"}]

DECISIONS = pa.schema(
    [
        ("id", pa.string()),
        ("reason", pa.string()),
        ("kept", pa.string()),
        ("kept_source", pa.string()),
        ("method", pa.string()),
        ("score", pa.float64()),
        ("linked_to", pa.string()),
        ("link_score", pa.float64()),
        ("reference", pa.large_string()),
        ("contradicted_by", OPPOSED),
    ]
)


def sign(problems: pa.Table, settings: Signature) -> pa.Table:
    """Signatures of one shard of problems, one row each, in order; the table's metadata says how they were made."""
    from datasketch import MinHash

    prompts = in_one_form(problems["prompt"])
    permutations = MinHash(settings.num_perm, settings.seed, scheme=SCHEME).permutations
    values = sketches(prompts, settings.ngram, permutations)
    columns = {
        "id": problems["id"],
        "source": problems["source"],
        "category": problems["category"],
        "has_reference": pc.greater(pc.utf8_length(pc.fill_null(problems["reference_answer"], "")), 0),
        "has_tests": pc.is_valid(problems["tests"]),
        "has_trace": pc.match_substring(problems["traces"], R1_IN_JSON),
        **comparable(problems),
        "exact_key": exact_keys(prompts),
        "numbers_key": number_keys(prompts),
        "minhash": _binary(values),
    }
    table = pa.table(columns).cast(SIGNATURES)
    return table.replace_schema_metadata({"signature": made_with(settings)})


def made_with(settings: Signature) -> str:
    """Return what signatures depend on beside the text; those of different making are never compared."""
    return f"tracemill {VERSION}, permutations as datasketch 2 {SCHEME}, {settings.content()}"


def _binary(values: NDArray[np.uint32]) -> pa.Array:
    width = 4 * values.shape[1]
    buffer = pa.py_buffer(np.ascontiguousarray(values, "<u4"))
    return pa.Array.from_buffers(pa.binary(width), len(values), [None, buffer]).cast(pa.binary())


@dataclass(frozen=True)
class Earlier:
    """One shard of an earlier batch: its signatures, and what was decided then. What was kept stays."""

    signatures: pa.Table
    decisions: pa.Table

    def kept(self) -> pa.Table:
        """Return signatures of the rows that stayed."""
        gone = pc.is_in(self.signatures["id"], value_set=self.decisions["id"].combine_chunks())
        return self.signatures.filter(pc.invert(gone))

    def unsettled(self) -> pa.Table:
        """Return signatures of the rows that went for their references, none in their place."""
        return self.signatures.filter(pc.is_in(self.signatures["id"], value_set=unsettled(self.decisions)))


def unsettled(decisions: pa.Table) -> pa.Array:
    """Ids of the rows that went because references contradict each other, and in whose place none stays."""
    alone = decisions.filter((pc.field("reason") == CONFLICT) & pc.field("kept").is_null())
    return alone["id"].combine_chunks()


@dataclass(frozen=True)
class _Rows:
    """All signatures in columns: earlier ones first.

    Attributes:
        labels: the columns ``id`` to ``question``; ``has_trace`` is one of R1's, which can save a generation.
        exact: of each row, the first row with the same text.
        n_kept: so many rows are of earlier batches, and stay.
        n_before: so many rows are of earlier batches.
    """

    labels: pa.Table
    exact: NDArray[np.int64]
    numbers: NDArray[np.uint64]
    sketches: NDArray[np.uint32]
    n_kept: int
    n_before: int


def deduplicate(
    batch: Iterable[pa.Table],
    earlier: Iterable[Earlier],
    settings: Deduplicate,
    priority: Sequence[str],
    agree: Agreement = same_text,
) -> list[pa.Table]:
    """Clusters a batch together with what earlier batches kept.

    Args:
        batch: signatures, one table per shard, read one after the other.
        earlier: shards of the batches before; their kept rows always stay.
        settings: threshold, signature parameters, guard, and what becomes of contradicting references.
        priority: source names, best first.
        agree: see :func:`tracemill.dedup.conflicting_references.settle`.

    Returns:
        Per shard of the batch, the rows to drop (``DECISIONS``): each names the row that stays, the method and the
        score; where the score is below the threshold, also the row through which it is in the cluster. One that others
        contradict names them; where none stays, method and score are those of the first of them.

    Raises:
        ValueError: signatures were made in different ways.
    """
    earlier = list(earlier)
    kept, others = [shard.kept() for shard in earlier], [shard.unsettled() for shard in earlier]
    lengths, rows = _gathered(kept, others, batch, settings)
    guarded = pc.equal(rows.labels["category"], str(Category.MATH)).to_numpy()
    guard = Guard(rows.numbers, guarded) if settings.same_numbers else None
    found = cluster(rows.sketches, rows.exact, settings.threshold, guard)
    clustered = Rows(found.roots, rows.labels, rows.n_kept, rows.n_before)
    settled = settle(clustered, priority, settings.conflict, agree)
    stays = nearest_of(
        found.roots,
        rows.n_kept,
        settled.gone,
        settled.stays,
        lambda one, others: similarities(rows.sketches, one, others),
    )
    table = _decisions(rows, found, replace(settled, stays=stays), settings.threshold)
    ends = np.searchsorted(settled.gone, rows.n_before + np.cumsum([0, *lengths]))
    return [table.slice(start, end - start) for start, end in itertools.pairwise(ends)]


def _gathered(
    kept: list[pa.Table], unsettled: list[pa.Table], batch: Iterable[pa.Table], settings: Deduplicate
) -> tuple[list[int], _Rows]:
    """Return signatures in columns; the MinHash values are copied once, the rest stays as it was read."""
    earlier = [*kept, *unsettled]
    labels: list[pa.Table] = []
    keys: list[pa.ChunkedArray] = []
    values: list[NDArray[np.uint32]] = []
    numbers: list[NDArray[np.uint64]] = []
    lengths: list[int] = []
    n_perm = settings.signature.num_perm
    for table in _alike([*earlier, *batch] if earlier else batch):
        lengths.append(table.num_rows)
        labels.append(table.select(LABELS))
        keys.append(table["exact_key"])
        numbers.append(_fixed(table["numbers_key"], np.uint64, 2)[:, 0].copy())
        values.append(_fixed(table["minhash"].cast(pa.binary(4 * n_perm)), np.uint32, n_perm))
    if not labels:
        return [], _Rows(
            SIGNATURES.empty_table(),
            np.zeros(0, np.int64),
            np.zeros(0, np.uint64),
            np.zeros((0, n_perm), np.uint32),
            0,
            0,
        )
    n_kept, n_before = sum(lengths[: len(kept)]), sum(lengths[: len(earlier)])
    exact = first_with(pa.chunked_array([chunk for key in keys for chunk in key.chunks], pa.binary(KEY_BYTES)))
    rows = _Rows(pa.concat_tables(labels), exact, np.concatenate(numbers), _stacked(values, n_perm), n_kept, n_before)
    return lengths[len(earlier) :], rows


def _stacked(parts: list[NDArray[np.uint32]], width: int) -> NDArray[np.uint32]:
    """Return the parts in one array; each is let go as soon as it is copied, since they are most of the memory."""
    stacked = np.empty((sum(map(len, parts)), width), np.uint32)
    end = len(stacked)
    while parts:
        part = parts.pop()
        stacked[end - len(part) : end] = part
        end -= len(part)
    return stacked


def _alike(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    made = None
    for table in tables:
        found = (table.schema.metadata or {}).get(b"signature", b"").decode()
        if made is not None and found != made:
            raise ValueError(f"signatures of different making in one clustering: {found!r} and {made!r}")
        made = found
        yield table


def _fixed(column: pa.ChunkedArray, kind: type[Any], width: int) -> NDArray[Any]:
    """Return a fixed-size binary column as numbers, one row each."""
    if not len(column):
        return np.zeros((0, width), kind)
    chunk = column.combine_chunks()
    chunk = chunk if isinstance(chunk, pa.Array) else chunk.chunk(0)
    itemsize = np.dtype(kind).itemsize * width
    data = np.frombuffer(chunk.buffers()[1], kind, count=len(chunk) * width, offset=chunk.offset * itemsize)
    return data.reshape(len(chunk), width)


def first_with(keys: pa.ChunkedArray) -> NDArray[np.int64]:
    """Of each row, the first row with the same key."""
    if not len(keys):
        return np.zeros(0, np.int64)
    codes = keys.combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    _, first = np.unique(codes, return_index=True)
    found: NDArray[np.int64] = first[codes].astype(np.int64)
    return found


def _decisions(rows: _Rows, found: Clusters, settled: Settled, threshold: float) -> pa.Table:
    gone, partners = settled.gone, settled.partners()
    exact = rows.exact[gone] == rows.exact[partners]
    scores = np.where(exact, 1.0, similarities(rows.sketches, gone, partners))
    links = found.neighbours[gone]
    chained = pa.array(~exact & (scores < threshold))
    link_scores = np.where(rows.exact[gone] == rows.exact[links], 1.0, similarities(rows.sketches, gone, links))
    ids = rows.labels["id"]
    stays = pa.array(settled.stays, mask=settled.stays < 0)
    alike = pc.if_else(pa.array(exact), "exact_duplicate", "near_duplicate")
    return pa.table(
        {
            "id": ids.take(pa.array(gone)),
            "reason": pc.if_else(pa.array(settled.conflicting), CONFLICT, alike),
            "kept": ids.take(stays),
            "kept_source": rows.labels["source"].take(stays),
            "method": pc.if_else(pa.array(exact), "same text", "minhash"),
            "score": pa.array(scores),
            "linked_to": pc.if_else(chained, ids.take(pa.array(links)), None),
            "link_score": pc.if_else(chained, pa.array(link_scores), None),
            "reference": rows.labels["reference"].take(pa.array(gone)),
            "contradicted_by": settled.opposed(rows.labels),
        }
    ).cast(DECISIONS)

"""Duplicates: signatures per shard, one clustering over all of them, and a representative for each cluster.

Exact: the same text but for case and white space. Near: MinHash over word n-grams, LSH by datasketch's parameters,
pairs at or above the threshold, clusters by connected components. Signatures are kept: a new threshold, or new rows,
need no new ones. Within a batch the best representative wins; a row that an earlier batch kept always stays.

Measured (benchmarks/curation/near_duplicates.py): the values are datasketch's own permutations of our shingle hashes,
and the clusters the same as those of its ``MinHashLSH``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tracemill.dedup.candidates import candidates, guarded, numbers_of
from tracemill.dedup.clusters import Clusters, Guard, cluster, similarities
from tracemill.dedup.conflicting_references import COLUMNS, OPPOSED, Rows, Settled, comparable, same_text, settle
from tracemill.dedup.conflicting_references import REASON as CONFLICT
from tracemill.dedup.representatives import nearest_of
from tracemill.sources.layouts.traces import R1_IN_JSON
from tracemill.text.hashes import KEY_BYTES, VERSION, exact_keys, in_one_form, number_keys, sketches

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from tracemill.dedup.candidates import Candidates
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
    """Signatures in columns: earlier ones first.

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

    Everything is gone through twice: for the keys of all rows (``candidates``), and for the rows that share one with
    another row. The others cannot be duplicates, so that the result is that of all rows at once.

    Memory: the keys of all rows first (``candidates``: 110 bytes a row at the default threshold, 180 where it is not
    guarded and others may be; 40 more while they are sorted); these are let go. Then of each row that shares a key its
    values (512 bytes for 128), labels, decision and links: some kilobyte. Of 1.4M rows 0.53 GB if none shares one,
    and 1.9 GB if all do, the interpreter's 0.16 GB included; with the values of all rows 2.2 and 3.0 GB.

    Args:
        batch: signatures, one table per shard, read one after the other, twice; an iterator is kept as a list.
        earlier: shards of the batches before; their kept rows always stay. Read as the batch is.
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
    batch = list(batch) if isinstance(batch, Iterator) else batch
    earlier = list(earlier) if isinstance(earlier, Iterator) else earlier
    found = candidates(_alike(table for _, table in _read(earlier, batch)), settings)
    return decide(_read(earlier, batch), found, settings, priority, agree)


def decide(
    tables: Iterable[tuple[Part, pa.Table]],
    chosen: Candidates,
    settings: Deduplicate,
    priority: Sequence[str],
    agree: Agreement = same_text,
) -> list[pa.Table]:
    """Cluster some rows of tables, all of which are in memory; see :func:`deduplicate`.

    Args:
        tables: signatures, and what part of the rows they are.
        chosen: which of them are clustered.
        settings: as there.
        priority: as there.
        agree: as there.
    """
    lengths, rows = _gathered(tables, chosen, settings)
    guard = Guard(rows.numbers, guarded(rows.labels), chosen.guarded_besides) if settings.same_numbers else None
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


class Part(IntEnum):
    """Which rows a table holds, in the order in which they are clustered."""

    KEPT = 0
    UNSETTLED = 1
    BATCH = 2


def _read(earlier: Iterable[Earlier], batch: Iterable[pa.Table]) -> Iterator[tuple[Part, pa.Table]]:
    unsettled = []
    for shard in earlier:
        yield Part.KEPT, shard.kept()
        unsettled.append(shard.unsettled())  # few
    yield from ((Part.UNSETTLED, table) for table in unsettled)
    yield from ((Part.BATCH, table) for table in batch)


def _gathered(
    tables: Iterable[tuple[Part, pa.Table]], chosen: Candidates, settings: Deduplicate
) -> tuple[list[int], _Rows]:
    """Return the chosen rows in columns, and how many each shard of the batch has of them."""
    n_rows, n_perm = sum(map(np.count_nonzero, chosen.rows)), settings.signature.num_perm
    values, numbers = np.empty((n_rows, n_perm), np.uint32), np.empty(n_rows, np.uint64)
    labels = [SIGNATURES.empty_table().select(LABELS)]
    keys: list[pa.Array] = []
    lengths: dict[Part, list[int]] = {part: [] for part in Part}
    start = 0
    for (part, table), rows in zip(tables, chosen.rows, strict=True):
        found = table.filter(pa.array(rows))
        end = start + found.num_rows
        labels.append(found.select(LABELS))
        keys += found["exact_key"].chunks
        numbers[start:end] = numbers_of(found["numbers_key"], np.uint64, 2)[:, 0]
        values[start:end] = numbers_of(found["minhash"], np.uint32, n_perm)
        lengths[part].append(found.num_rows)
        start = end
    exact = first_with(pa.chunked_array(keys, pa.binary(KEY_BYTES)))
    n_kept, n_unsettled = sum(lengths[Part.KEPT]), sum(lengths[Part.UNSETTLED])
    rows_of_all = _Rows(pa.concat_tables(labels), exact, numbers, values, n_kept, n_kept + n_unsettled)
    return lengths[Part.BATCH], rows_of_all


def _alike(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    made = None
    for table in tables:
        found = (table.schema.metadata or {}).get(b"signature", b"").decode()
        if made is not None and found != made:
            raise ValueError(f"signatures of different making in one clustering: {found!r} and {made!r}")
        made = found
        yield table


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

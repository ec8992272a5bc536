"""Semantic duplicates: of the rows that MinHash leaves, those that a model finds alike, as clusters with evidence.

A second pass, since embedding is what costs: only survivors are embedded. Rows that were merged before into one that
goes now are pointed to the row that stays. Within a batch the best representative wins; a row that an earlier batch
kept always stays, and is not embedded again.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tracemill.core import TeacherMisconfiguredError
from tracemill.dedup import minhash
from tracemill.dedup.clusters import Guard
from tracemill.dedup.conflicting_references import REASON as CONFLICT
from tracemill.dedup.conflicting_references import Rows, Settled, same_text, settle
from tracemill.dedup.minhash import DECISIONS, unsettled
from tracemill.dedup.representatives import nearest_of
from tracemill.dedup.vector_search import cluster_vectors, cosines
from tracemill.embeddings import stored_vectors
from tracemill.embeddings.embeddings import METADATA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tracemill.dedup.conflicting_references import Agreement
    from tracemill.recipe.sections.deduplicate import Conflict, Semantic

    Integers = NDArray[np.int64]

REASON = "semantic_duplicate"
METHOD = "embedding"
LABELS = [*minhash.LABELS, "numbers_key"]
# Beside MinHash's columns: how a row is linked to the one through which it is in the cluster, and by which model.
MERGED = pa.schema([*DECISIONS, ("link_method", pa.string()), ("model", pa.string())])


@dataclass(frozen=True)
class Embedded:
    """One shard.

    Attributes:
        signatures: the columns ``LABELS`` of all its rows, from ``near_duplicates.sign``.
        embeddings: ``embedding.embeddings`` of the rows that were left.
        decisions: what goes: MinHash's, or for a shard of an earlier batch what was decided in the end.
    """

    signatures: pa.Table
    embeddings: pa.Table
    decisions: pa.Table

    def labels(self) -> pa.Table:
        """Return signatures of the rows that have embeddings, in their order."""
        places = pc.index_in(self.embeddings["id"], value_set=self.signatures["id"].combine_chunks())
        return self.signatures.select(LABELS).take(places)

    def kept(self) -> Embedded:
        """Without the rows that went."""
        gone = pc.is_in(self.embeddings["id"], value_set=self.decisions["id"].combine_chunks())
        return Embedded(self.signatures, self.embeddings.filter(pc.invert(gone)), self.decisions)

    def unsettled(self) -> Embedded:
        """Only the rows that went for their references, none in their place."""
        alone = pc.is_in(self.embeddings["id"], value_set=unsettled(self.decisions))
        return Embedded(self.signatures, self.embeddings.filter(alone), self.decisions)

    def merged_into(self) -> pa.Table:
        """Ids of the rows with a reference that went for another row, and of that row."""
        merged = self.decisions.filter((pc.field("reason") != CONFLICT) & pc.field("kept").is_valid())
        places = pc.index_in(merged["id"], value_set=self.signatures["id"].combine_chunks())
        has = pc.is_valid(self.signatures["reference"].take(places))
        return merged.select(["id", "kept"]).filter(has)


def merge_meanings(
    batch: Sequence[Embedded],
    earlier: Sequence[Embedded],
    settings: Semantic,
    priority: Sequence[str],
    *,
    same_numbers: bool = True,
    conflict: Conflict = "majority",
    agree: Agreement = same_text,
) -> list[pa.Table]:
    """Clusters what is left of a batch together with what earlier batches kept.

    Args:
        batch: shards with MinHash's decisions.
        earlier: shards of the batches before; their kept rows always stay.
        settings: model and threshold.
        priority: source names, best first.
        same_numbers: keep prompts apart that differ in their numbers, operators or turning words; in every category,
            since to a model "sum of the even numbers" is "sum of the odd numbers" (docs/duplicates.md).
        conflict: what becomes of references that contradict each other.
        agree: see :func:`tracemill.dedup.conflicting_references.settle`.

    Returns:
        Per shard of the batch, all rows to drop (``MERGED``), MinHash's among them. Each names the row that stays, the
        method and the score. Where a row is in the cluster through another one only (its own score is below the
        threshold, or MinHash had merged it into that one), ``linked_to``, ``link_method`` and ``link_score`` say so.
        Rows whose references contradict each other as :func:`tracemill.dedup.minhash.deduplicate` has them; a row
        counts with those that MinHash has merged into it, and these go with it.

    Raises:
        TeacherMisconfiguredError: embeddings were made in different ways, as by another version of a library.
    """
    if not batch:
        return []
    rows = _Rows.of([shard.kept() for shard in earlier], [shard.unsettled() for shard in earlier], batch)
    guard = Guard(rows.numbers, np.ones(len(rows.numbers), np.bool_)) if same_numbers else None
    found = cluster_vectors(rows.vectors, settings.threshold, guard, rows.n_before)
    clustered = Rows(found.roots, rows.labels, rows.n_kept, rows.n_before, _votes(rows.labels, [*earlier, *batch]))
    settled = settle(clustered, priority, conflict, agree)
    stays = nearest_of(
        found.roots,
        rows.n_kept,
        settled.gone,
        settled.stays,
        lambda one, others: cosines(rows.vectors, one, others),
    )
    table = _decisions(rows, found.neighbours, replace(settled, stays=stays), settings)
    before = (shard.decisions.filter(pc.field("method") == METHOD) for shard in earlier)
    moved = pa.concat_tables([table, *(decided.select(MERGED.names) for decided in before)])
    by_words = _repointed(pa.concat_tables([shard.decisions for shard in batch]), moved, settings)
    ends = np.cumsum([0, *(shard.decisions.num_rows for shard in batch)])
    return [
        pa.concat_tables([by_words.slice(start, end - start), by_meaning])
        for (start, end), by_meaning in zip(itertools.pairwise(ends), rows.by_shard(table, settled.gone), strict=True)
    ]


@dataclass(frozen=True)
class _Rows:
    """All rows in columns, sorted: earlier ones first and of them those that stay, then by id; shards do not count.

    Attributes:
        labels: the columns ``id`` to ``question``.
        places: of each row, where it stood before it was sorted.
        ends: where the shards of the batch end, counted as ``places``; the first number is where they begin.
    """

    labels: pa.Table
    numbers: NDArray[np.uint64]
    vectors: NDArray[np.float16]
    places: Integers
    ends: Integers
    n_kept: int
    n_before: int

    @classmethod
    def of(cls, kept: Sequence[Embedded], others: Sequence[Embedded], batch: Sequence[Embedded]) -> _Rows:
        earlier = [*kept, *others]
        shards = [*earlier, *batch]
        _check_alike(shards)
        labels = pa.concat_tables([shard.labels() for shard in shards])
        lengths = [shard.embeddings.num_rows for shard in shards]
        n_kept, n_before = sum(lengths[: len(kept)]), sum(lengths[: len(earlier)])
        age = np.searchsorted([n_kept, n_before], np.arange(labels.num_rows), side="right")
        keys = pa.table({"age": age, "id": labels["id"]})
        places = pc.sort_indices(keys, [("age", "ascending"), ("id", "ascending")]).to_numpy().astype(np.int64)
        labels = labels.take(pa.array(places))
        keys = labels["numbers_key"].cast(pa.binary()).combine_chunks().to_numpy(zero_copy_only=False)
        return cls(
            labels=labels.drop_columns("numbers_key"),
            numbers=np.array([int.from_bytes(key[:8], "little") for key in keys], np.uint64),
            vectors=_placed(shards, places),
            places=places,
            ends=n_before + np.cumsum([0, *lengths[len(earlier) :]]),
            n_kept=n_kept,
            n_before=n_before,
        )

    def by_shard(self, table: pa.Table, gone: Integers) -> list[pa.Table]:
        """Return rows of a table beside ``gone``, by shard of the batch, in the order that they had there."""
        places = self.places[gone]
        order = np.argsort(places)
        ordered = table.take(pa.array(order))
        cuts = np.searchsorted(places[order], self.ends)
        return [ordered.slice(start, end - start) for start, end in itertools.pairwise(cuts)]


def _placed(shards: Sequence[Embedded], places: Integers) -> NDArray[np.float16]:
    """The vectors of all shards in the order of ``places``; a shard without rows does not say how long they are."""
    filled = [shard.embeddings for shard in shards if shard.embeddings.num_rows]
    width = filled[0].schema.field("embedding").type.list_size if filled else 1
    found = np.empty((len(places), width), np.float16)
    targets = np.empty_like(places)
    targets[places] = np.arange(len(places))
    start = 0
    for table in filled:
        found[targets[start : start + table.num_rows]] = stored_vectors(table)
        start += table.num_rows
    return found


def _check_alike(shards: Sequence[Embedded]) -> None:
    made = {(shard.embeddings.schema.metadata or {}).get(METADATA, b"").decode() for shard in shards}
    if len(made) > 1:
        raise TeacherMisconfiguredError(
            "embeddings of different making in one clustering",
            got=" | ".join(sorted(made)),
            expected="one model, library and version for all batches",
            remedy="go back to the earlier one; or change deduplicate.semantic.revision: all are embedded anew then",
        )


def _votes(labels: pa.Table, shards: Sequence[Embedded]) -> Integers:
    """Of each row, how many rows have its reference: itself, and those that were merged into it."""
    merged = pa.concat_tables([shard.merged_into() for shard in shards])
    counted = pc.value_counts(merged["kept"].combine_chunks())
    places = pc.index_in(labels["id"], value_set=counted.field("values"))
    votes: Integers = pc.fill_null(counted.field("counts").take(places), 0).to_numpy().astype(np.int64)
    return votes + 1


def _decisions(rows: _Rows, neighbours: Integers, settled: Settled, settings: Semantic) -> pa.Table:
    gone, partners = settled.gone, settled.partners()
    scores = cosines(rows.vectors, gone, partners)
    links = neighbours[gone]
    chained = pa.array(scores < settings.threshold)
    ids = rows.labels["id"]
    n_gone = len(gone)
    stays = pa.array(settled.stays, mask=settled.stays < 0)
    return pa.table(
        {
            "id": ids.take(pa.array(gone)),
            "reason": pc.if_else(pa.array(settled.conflicting), CONFLICT, REASON),
            "kept": ids.take(stays),
            "kept_source": rows.labels["source"].take(stays),
            "method": pa.repeat(METHOD, n_gone),
            "score": pa.array(scores),
            "linked_to": pc.if_else(chained, ids.take(pa.array(links)), None),
            "link_score": pc.if_else(chained, pa.array(cosines(rows.vectors, gone, links)), None),
            "reference": rows.labels["reference"].take(pa.array(gone)),
            "contradicted_by": settled.opposed(rows.labels),
            "link_method": pc.if_else(chained, METHOD, None),
            "model": pa.repeat(settings.named, n_gone),
        }
    ).cast(MERGED)


def _repointed(decisions: pa.Table, moved: pa.Table, settings: Semantic) -> pa.Table:
    """MinHash's decisions, where a row that was to stay goes itself now: each names the row that stays in the end.

    Where it goes for its reference, those that were merged into it go for the same.
    """
    at = pc.index_in(decisions["kept"], value_set=moved["id"].combine_chunks())
    has_moved = pc.is_valid(at)
    then = moved.take(at)
    is_conflict = pc.equal(then["reason"], CONFLICT)
    changed = {
        "reason": pc.if_else(is_conflict, CONFLICT, decisions["reason"]),
        "kept": then["kept"],
        "kept_source": then["kept_source"],
        "method": METHOD,
        "score": then["score"],
        "linked_to": decisions["kept"],
        "link_score": decisions["score"],
        "contradicted_by": pc.if_else(is_conflict, then["contradicted_by"], decisions["contradicted_by"]),
        "link_method": decisions["method"],
        "model": settings.named,
    }
    nothing = pa.nulls(decisions.num_rows, pa.string())
    table = decisions.append_column("link_method", nothing).append_column("model", nothing)
    columns = {
        name: pc.if_else(has_moved, changed[name], table[name]) if name in changed else table[name]
        for name in MERGED.names
    }
    return pa.table(columns).cast(MERGED)

"""Duplicates whose references contradict each other: which rows go, which one stays, and what speaks against each.

One of such rows is wrong, and nothing in their texts says which. Within a batch the recipe decides: the answer of more
than half of the rows that have one stays (``majority``); the first row by preference stays (``keep_first``); all of
them go (``drop``, and ``majority`` where there is none). Across batches what is published stays. Rows that went
without one that stays go on to count: a copy in a later batch is a further voice, not a question of its own.

A row without a reference contradicts nobody. Whether two references say the same is for the caller to tell, who knows
the verifiers; where they cannot tell, rows are duplicates as any others.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tracemill.core import Category
from tracemill.dedup.representatives import representatives
from tracemill.text.words import exact_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from tracemill.recipe.sections.deduplicate import Conflict

    Integers = NDArray[np.int64]
    Flags = NDArray[np.bool_]
    Agreement = Callable[[Sequence[tuple["Reference", "Reference"]]], Sequence[bool | None]]

REASON: Final = "conflicting_references"
# Beside the text of its reference, the prompt of a row whose reference is read with it: a letter names an option there.
COLUMNS: Final = (("reference", pa.large_string()), ("question", pa.large_string()))
OPPOSED: Final = pa.list_(pa.struct([("id", pa.string()), ("source", pa.string()), ("reference", pa.large_string())]))
# What is compared in full in one cluster. A cluster with more different references is no question but a form with many
# fillings; there each is compared with the commonest ones.
_MOST: Final = 40
_SHOWN: Final = 10  # rows that evidence names
_COMPARED: Final = (Category.MATH, Category.CHOICE)
# A reference that is a letter, however it is set: it may name an option of the prompt, also where the row says maths.
_LETTER: Final = r"^(?:\\(?:text|mathrm|mathbf|textbf|boxed))?[\s$({\[]*[A-Ja-j][\s$)}\].:]*$"


class Reference(NamedTuple):
    """What a row says the answer is.

    Attributes:
        question: the prompt, where the reference is to be read with it; else "".
    """

    category: str
    text: str
    question: str


def same_text(pairs: Sequence[tuple[Reference, Reference]]) -> list[bool | None]:
    """Agreement by the text alone: case, white space and forms of characters do not count."""
    return [exact_text(one.text) == exact_text(other.text) for one, other in pairs]


def comparable(problems: pa.Table) -> dict[str, pa.ChunkedArray | pa.Array]:
    """``COLUMNS`` of problems: null where nothing can contradict another row's.

    Tests and constraints are no answers: different tests of one task are all to be passed. An open answer in words has
    no verifier that could say that it contradicts another.
    """
    compares = pc.is_in(problems["category"], value_set=pa.array([str(category) for category in _COMPARED]))
    is_text = pc.greater(pc.utf8_length(pc.utf8_trim_whitespace(pc.fill_null(problems["reference_answer"], ""))), 0)
    references = pc.if_else(pc.and_(compares, is_text), problems["reference_answer"], None)
    is_choice = pc.equal(problems["category"], str(Category.CHOICE))
    is_letter = pc.fill_null(pc.match_substring_regex(references, _LETTER), False)
    beside = pc.and_(pc.is_valid(references), pc.or_(is_choice, is_letter))
    return {"reference": references, "question": pc.if_else(beside, problems["prompt"], None)}


@dataclass(frozen=True)
class Rows:
    """All rows of a clustering: those that earlier batches kept, those that went there unsettled, then the batch.

    Attributes:
        roots: per row, the lowest row of its cluster.
        labels: columns ``id``, ``source``, ``category``, ``has_…``, and ``COLUMNS``.
        n_kept: the first so many rows are published, and stay.
        n_before: the first so many rows are of earlier batches.
        votes: per row, how many rows have its reference: itself and those that were merged into it; one unless given.
    """

    roots: Integers
    labels: pa.Table
    n_kept: int
    n_before: int
    votes: Integers | None = None

    def weight(self, rows: Iterable[int]) -> int:
        """Voices of some rows."""
        return sum(1 if self.votes is None else int(self.votes[row]) for row in rows)


@dataclass(frozen=True)
class Settled:
    """What becomes of the rows of a batch.

    Attributes:
        gone: rows that go, in order.
        stays: beside each the row that stays, -1 where none does.
        conflicting: beside each whether it goes for its reference.
        against: by row, the rows whose references contradict its own.
    """

    gone: Integers
    stays: Integers
    conflicting: Flags
    against: Mapping[int, Sequence[int]]

    def partners(self) -> Integers:
        """Beside each row that goes, the one that it is compared with: what stays, or else what contradicts it."""
        found = self.stays.copy()
        for place in np.flatnonzero(found < 0).tolist():
            found[place] = self.against[int(self.gone[place])][0]
        return found

    def opposed(self, labels: pa.Table) -> pa.Array:
        """Beside each row that goes, what contradicts it (``OPPOSED``); null where nothing does."""
        told = [self.against.get(int(row), ())[:_SHOWN] for row in self.gone]
        named = labels.select(["id", "source", "reference"])
        places = pa.array(list(itertools.chain.from_iterable(told)), pa.int64())
        records = iter(named.take(places).to_pylist())
        return pa.array([[next(records) for _ in rows] or None for rows in told], OPPOSED)


def settle(rows: Rows, priority: Sequence[str], conflict: Conflict, agree: Agreement) -> Settled:
    """Choose what stays of each cluster.

    Args:
        rows: all of them.
        priority: source names, best first.
        conflict: what the recipe says of references that contradict each other.
        agree: of pairs of references whether they say the same, contradict each other, or None where nobody can tell.
    """
    n_rows = len(rows.roots)
    first = np.arange(n_rows)
    if conflict == "keep_first":
        gone, stays = _chosen(rows, priority, np.zeros(n_rows, np.bool_))
        first[gone] = stays
    losers, against = _judged(rows, first, conflict, agree)
    gone, stays = _chosen(rows, priority, losers)
    return Settled(gone, stays, losers[gone], against)


def _chosen(rows: Rows, priority: Sequence[str], losers: Flags) -> tuple[Integers, Integers]:
    never = losers.copy()
    never[rows.n_kept : rows.n_before] = True
    return representatives(rows.roots, rows.labels, rows.n_before, priority, never)


def _judged(rows: Rows, first: Integers, conflict: Conflict, agree: Agreement) -> tuple[Flags, dict[int, list[int]]]:
    """Return which rows of the batch go for their reference; and by row the rows that contradict it."""
    clusters = list(_differing(rows))
    pairs = sorted({pair for cluster in clusters for pair in cluster.pairs()})
    verdicts = dict(zip(pairs, agree(pairs), strict=True)) if pairs else {}
    losers = np.zeros(len(rows.roots), np.bool_)
    against: dict[int, list[int]] = {}
    for cluster in clusters:
        sides = cluster.sides(verdicts)
        opposed = sides.opposed()
        for side, others in opposed.items():
            opponents = sorted(row for other in others for row in sides.rows[other])
            against |= dict.fromkeys(sides.rows[side], opponents)
        for side in _losing(sides, opposed, rows, first, conflict):
            losers[sides.rows[side]] = True
    losers[: rows.n_before] = False  # what was decided stands
    return losers, against


def _losing(
    sides: _Sides, opposed: Mapping[int, set[int]], rows: Rows, first: Integers, conflict: Conflict
) -> set[int]:
    """Return the sides of a cluster that go for their reference."""
    published = {side for side in opposed if any(row < rows.n_kept for row in sides.rows[side])}
    if published:
        return {side for side, others in opposed.items() if side not in published and others & published}
    if conflict == "keep_first":
        kept = {side for side in opposed if any(first[row] == row for row in sides.rows[side])}
        return {side for side, others in opposed.items() if others & kept}
    votes = {side: rows.weight(members) for side, members in enumerate(sides.rows)}
    winner = next((side for side in opposed if 2 * votes[side] > sum(votes.values())), None)
    if conflict == "majority" and winner is not None:
        return {side for side, others in opposed.items() if winner in others}
    return set(opposed)


@dataclass(frozen=True)
class _Cluster:
    """The rows of a cluster by their reference, in a fixed order."""

    rows: Mapping[Reference, Sequence[int]]

    def pairs(self) -> list[tuple[Reference, Reference]]:
        """Return which references are to be compared."""
        if len(self.rows) <= _MOST:
            return list(itertools.combinations(self.rows, 2))
        common = sorted(self.rows, key=lambda reference: (-len(self.rows[reference]), reference))[:_MOST]
        met = {(min(pair), max(pair)) for pair in itertools.product(self.rows, common) if pair[0] != pair[1]}
        return sorted(met)

    def sides(self, verdicts: Mapping[tuple[Reference, Reference], bool | None]) -> _Sides:
        """Return rows that agree, directly or through others."""
        place = {reference: number for number, reference in enumerate(self.rows)}
        side = list(range(len(place)))
        compared = [(place[one], place[other], verdicts[one, other]) for one, other in self.pairs()]
        for one, other, agreed in compared:
            if agreed:
                low, high = sorted((side[one], side[other]))
                side = [low if number == high else number for number in side]
        numbers = {number: position for position, number in enumerate(sorted(set(side)))}
        members: list[list[int]] = [[] for _ in numbers]
        for (_, rows), number in zip(self.rows.items(), side, strict=True):
            members[numbers[number]] += rows
        against = {
            frozenset((numbers[side[one]], numbers[side[other]]))
            for one, other, agreed in compared
            if agreed is False and side[one] != side[other]
        }
        return _Sides([sorted(rows) for rows in members], against)


@dataclass(frozen=True)
class _Sides:
    """The rows of a cluster by what they say, and which sides contradict each other."""

    rows: list[list[int]]
    against: set[frozenset[int]]

    def opposed(self) -> dict[int, set[int]]:
        """By side the sides that contradict it; those that nobody contradicts are left out."""
        found: dict[int, set[int]] = defaultdict(set)
        for one, other in sorted(tuple(sorted(pair)) for pair in self.against):
            found[one].add(other)
            found[other].add(one)
        return dict(sorted(found.items()))


def _differing(rows: Rows) -> Iterable[_Cluster]:
    """Yield the clusters in which references differ in their text, or are read with different prompts."""
    sizes = np.bincount(rows.roots, minlength=len(rows.roots))
    has = pc.is_valid(rows.labels["reference"]).to_numpy(zero_copy_only=False)
    members = np.flatnonzero(has & (sizes[rows.roots] > 1))
    if not len(members):
        return
    part = rows.labels.select(["category", "reference", "question"]).take(pa.array(members))
    codes = [_codes(part[name]) for name in part.column_names]
    order = np.lexsort((*reversed(codes), rows.roots[members]))
    roots = rows.roots[members][order]
    changes = np.any([code[order][1:] != code[order][:-1] for code in codes], axis=0) & (roots[1:] == roots[:-1])
    differing = np.isin(rows.roots[members], np.unique(roots[1:][changes]))
    records = part.filter(pa.array(differing)).to_pylist()
    by_cluster: dict[int, dict[Reference, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row, record in zip(members[differing].tolist(), records, strict=True):
        said = Reference(record["category"], record["reference"], record["question"] or "")
        by_cluster[int(rows.roots[row])][said].append(row)
    for _, said_by in sorted(by_cluster.items()):
        yield _Cluster({said: said_by[said] for said in sorted(said_by)})


def _codes(column: pa.ChunkedArray) -> Integers:
    """Numbers, equal for equal values; -1 for none."""
    encoded = column.combine_chunks().dictionary_encode().indices
    codes: Integers = pc.fill_null(encoded, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes

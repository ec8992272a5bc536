"""Clusters of near-duplicates among signatures: LSH bands, estimated Jaccard, connected components, in compiled loops.

Two rows are linked if their MinHash values agree in all rows of one band, and in at least ``threshold`` of all values.
The clusters are the connected components of those links; they are the ones that datasketch's ``MinHashLSH`` finds for
the same values and parameters, whatever the order of the rows. The bands are sorted side by side and linked one after
the other. Memory: the values, and some 200 bytes a row.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np

from tracemill.core.compiled import compiled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Clusters:
    """The components of a set of rows.

    Attributes:
        roots: per row, the lowest row of its component.
        neighbours: per row, a row that it is linked to directly; itself where it is alone.
    """

    roots: Integers
    neighbours: Integers


def cluster(sketches: NDArray[np.uint32], distinct: Integers, threshold: float, guard: Guard | None = None) -> Clusters:
    """Connected components of the near-duplicates.

    Args:
        sketches: MinHash values, one row a text.
        distinct: of each row, the first row with the same text; such rows are linked without a look at their values.
        threshold: estimated Jaccard from which rows are linked; 1: only rows with the same text.
        guard: keeps rows apart that words alone would merge.
    """
    n_rows = len(sketches)
    parents = distinct.astype(np.int64, copy=True)
    neighbours = distinct.astype(np.int64, copy=True)
    if threshold >= 1:  # other texts can have the same values: the same shingles in another order
        return Clusters(parents, neighbours)
    rows = np.flatnonzero(distinct == np.arange(n_rows))
    rows = rows[has_words(sketches, rows)]
    bands, width = lsh_parameters(threshold, sketches.shape[1])
    needed = _needed(threshold, sketches.shape[1])
    with ThreadPoolExecutor() as pool:
        for members, salt in passes(rows, guard):
            buckets = partial(_buckets, sketches, members, salt, width)
            for ordered, keys in pool.map(buckets, range(bands)):
                _link_equal(ordered, keys, sketches, needed, parents, neighbours)
    return Clusters(flattened(parents), neighbours)


def _buckets(
    sketches: NDArray[np.uint32], members: Integers, salt: NDArray[np.uint64], width: int, band: int
) -> tuple[Integers, NDArray[np.uint64]]:
    """Return the members by their values in one band, and beside them those values' keys: equal ones stand together."""
    keys = band_keys(sketches, members, band * width, width, salt)
    order = np.argsort(keys, kind="stable")  # also the evidence is the same on every machine
    return members[order], keys[order]


@dataclass(frozen=True)
class Guard:
    """Rows with different keys are never linked directly, if one of them is guarded.

    Attributes:
        keys: one number a row; equal keys may be merged.
        guarded: whether a row is.
        besides: whether there are guarded rows beside these; links are the same without them, and so is their order.
    """

    keys: NDArray[np.uint64]
    guarded: NDArray[np.bool_]
    besides: bool = False


@cache  # a search, of 1.5 s for 1,024 values
def lsh_parameters(threshold: float, num_perm: int) -> tuple[int, int]:
    """Bands and rows per band as datasketch chooses them: equal weight for false positives and false negatives.

    Where it knows no answer (near a threshold of 1 it wants a single band, which it refuses, as it does a single
    value), there is one band more than values that may differ: of similar rows, one band at least agrees.
    """
    from datasketch import MinHashLSH

    try:
        index = MinHashLSH(threshold=threshold, num_perm=num_perm)
    except ValueError:
        bands = num_perm - _needed(threshold, num_perm) + 1
        return bands, num_perm // bands
    return index.b, index.r


def _needed(threshold: float, num_perm: int) -> int:
    """Return how many values of similar rows agree, at least."""
    return max(1, math.ceil(threshold * num_perm - 1e-9))


def similarities(sketches: NDArray[np.uint32], left: Integers, right: Integers) -> NDArray[np.float64]:
    """Estimated Jaccard of pairs of rows."""
    similar: NDArray[np.float64] = _agreeing_pairs(sketches, left, right) / sketches.shape[1]
    return similar


def passes(rows: Integers, guard: Guard | None) -> Iterator[tuple[Integers, NDArray[np.uint64]]]:
    """Yield which rows meet in one bucket, and what their keys are salted with.

    With a guard, rows meet those with the same guard key; and the rows that are not guarded meet each other besides.
    """
    if guard is None:
        yield rows, np.zeros(len(rows), np.uint64)
        return
    free = rows[~guard.guarded[rows]]
    if guard.besides or len(free) < len(rows):
        yield rows, guard.keys[rows]
    if len(free):
        yield free, np.zeros(len(free), np.uint64)


@compiled
def has_words(sketches: NDArray[np.uint32], rows: Integers) -> NDArray[np.bool_]:
    """Return a text without words has no shingle; all ones is no similarity to other such texts."""
    found = np.empty(len(rows), np.bool_)
    for position in range(len(rows)):
        found[position] = np.any(sketches[rows[position]] != np.uint32(0xFFFFFFFF))
    return found


@compiled
def band_keys(
    sketches: NDArray[np.uint32], rows: Integers, start: int, width: int, salt: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """Return one key a row, of its values from ``start`` on and its salt: equal ones are in one bucket."""
    keys = np.empty(len(rows), np.uint64)
    for position in range(len(rows)):
        key = salt[position] ^ np.uint64(0x9E3779B97F4A7C15)
        for k in range(start, start + width):
            key = (key ^ np.uint64(sketches[rows[position], k])) * np.uint64(0xD6E8FEB86659FD93)
            key ^= key >> np.uint64(32)
        keys[position] = key
    return keys


@compiled
def root(parents: Integers, row: int) -> int:
    """Return the top of a row's tree in the forest of links; paths are halved on the way."""
    while parents[row] != row:
        parents[row] = parents[parents[row]]
        row = parents[row]
    return row


@compiled
def _link_equal(
    members: Integers,
    keys: NDArray[np.uint64],
    sketches: NDArray[np.uint32],
    needed: int,
    parents: Integers,
    neighbours: Integers,
) -> None:
    """Links the similar rows of each bucket: a run of equal keys."""
    start = 0
    for end in range(1, len(keys) + 1):
        if end < len(keys) and keys[end] == keys[start]:
            continue
        for later in range(start + 1, end):
            for earlier in range(start, later):
                _link(members[earlier], members[later], sketches, needed, parents, neighbours)
        start = end


@compiled
def _link(
    one: int, other: int, sketches: NDArray[np.uint32], needed: int, parents: Integers, neighbours: Integers
) -> None:
    if root(parents, one) != root(parents, other) and _n_agreeing(sketches[one], sketches[other]) >= needed:
        join(one, other, parents, neighbours)


@compiled
def join(one: int, other: int, parents: Integers, neighbours: Integers) -> None:
    """Make one cluster of two rows' clusters; each row that was alone notes the other."""
    left, right = root(parents, one), root(parents, other)
    parents[max(left, right)] = min(left, right)
    if neighbours[one] == one:
        neighbours[one] = other
    if neighbours[other] == other:
        neighbours[other] = one


@compiled
def _n_agreeing(left: NDArray[np.uint32], right: NDArray[np.uint32]) -> int:
    count = 0
    for k in range(len(left)):
        count += left[k] == right[k]
    return count


@compiled
def _agreeing_pairs(sketches: NDArray[np.uint32], left: Integers, right: Integers) -> Integers:
    found = np.empty(len(left), np.int64)
    for pair in range(len(left)):
        found[pair] = _n_agreeing(sketches[left[pair]], sketches[right[pair]])
    return found


@compiled
def flattened(parents: Integers) -> Integers:
    """Of each row, the top of its tree."""
    roots = np.empty_like(parents)
    for row in range(len(parents)):
        roots[row] = root(parents, row)
    return roots

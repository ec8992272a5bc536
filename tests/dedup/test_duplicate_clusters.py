"""Clusters are those of datasketch's index, whatever the order of the rows."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from datasketch import MinHash, MinHashLSH
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tracemill.dedup.clusters import Guard, cluster
from tracemill.dedup.minhash import SCHEME

N_PERM, THRESHOLD = 128, 0.7
PERMUTATIONS = MinHash(N_PERM, 1, scheme=SCHEME).permutations
# Sets of numbers that differ by a few members, so that similarities lie on both sides of the threshold.
SETS = st.lists(
    st.tuples(st.integers(0, 2), st.sets(st.integers(0, 11), max_size=4)).map(
        lambda drawn: frozenset(range(100 * drawn[0], 100 * drawn[0] + 12)) ^ {100 * drawn[0] + x for x in drawn[1]}
    ),
    min_size=1,
    max_size=25,
)


def signed(members: list[frozenset[int]]) -> list[MinHash]:
    found = []
    for numbers in members:
        signature = MinHash(N_PERM, 1, hashfunc=lambda data: int(data) * 2654435761 & 0xFFFFFFFF, scheme=SCHEME)
        for number in sorted(numbers):
            signature.update(str(number).encode())
        found.append(signature)
    return found


def values(signatures: list[MinHash]) -> NDArray[np.uint32]:
    return np.stack([signature.hashvalues for signature in signatures]).astype(np.uint32)


def partition(roots: list[int]) -> set[frozenset[int]]:
    groups: dict[int, set[int]] = defaultdict(set)
    for row, root in enumerate(roots):
        groups[root].add(row)
    return {frozenset(group) for group in groups.values()}


def by_datasketch(signatures: list[MinHash]) -> set[frozenset[int]]:
    """Connected components of what the index returns and its estimate confirms."""
    index = MinHashLSH(threshold=THRESHOLD, num_perm=N_PERM)
    groups = {row: {row} for row in range(len(signatures))}
    for row, signature in enumerate(signatures):
        for other in index.query(signature):
            if signature.jaccard(signatures[other]) >= THRESHOLD:
                merged = groups[row] | groups[other]
                groups |= dict.fromkeys(merged, merged)
        index.insert(row, signature, check_duplication=False)
    return {frozenset(group) for group in groups.values()}


@given(SETS)
def test_same_clusters_as_datasketch(members: list[frozenset[int]]) -> None:
    """For the same values the clusters are the connected components of what MinHashLSH finds."""
    signatures = signed(members)
    found = cluster(values(signatures), np.arange(len(members)), THRESHOLD)
    assert partition(found.roots.tolist()) == by_datasketch(signatures)


@given(SETS, st.randoms(use_true_random=False))
def test_order_does_not_matter(members: list[frozenset[int]], shuffler: object) -> None:
    """Rows in another order fall into the same clusters."""
    order = list(range(len(members)))
    shuffler.shuffle(order)  # type: ignore[attr-defined]
    sketches = values(signed(members))
    straight = partition(cluster(sketches, np.arange(len(order)), THRESHOLD).roots.tolist())
    shuffled = cluster(sketches[order], np.arange(len(order)), THRESHOLD).roots.tolist()
    assert {frozenset(order[row] for row in group) for group in partition(shuffled)} == straight


@pytest.mark.parametrize(
    ("keys", "guarded", "together"),
    [
        ([1, 1], [True, True], True),
        ([1, 2], [True, True], False),
        ([1, 2], [True, False], False),
        ([1, 2], [False, False], True),
    ],
)
def test_guard(keys: list[int], guarded: list[bool], together: bool) -> None:
    """Equal texts with different keys are linked only if neither of them is guarded."""
    sketches = values(signed([frozenset(range(9))] * 2))
    guard = Guard(np.array(keys, np.uint64), np.array(guarded))
    roots = cluster(sketches, np.arange(2), THRESHOLD, guard).roots.tolist()
    assert (roots[0] == roots[1]) is together


@given(SETS)
def test_each_row_names_a_neighbour_it_is_similar_to(members: list[frozenset[int]]) -> None:
    """Whoever is in a cluster names a row of that cluster with at least the threshold's similarity."""
    signatures = signed(members)
    found = cluster(values(signatures), np.arange(len(members)), THRESHOLD)
    for row, other in enumerate(found.neighbours.tolist()):
        assert found.roots[row] == found.roots[other]
        assert signatures[row].jaccard(signatures[other]) >= THRESHOLD
        assert (row == other) == (found.roots.tolist().count(found.roots[row]) == 1)

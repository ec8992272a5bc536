"""Clusters of vectors are those of comparing every pair, whatever the order of the rows."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracemill.dedup import vector_search
from tracemill.dedup.clusters import Guard
from tracemill.dedup.vector_search import bounding_sketches, cluster_vectors, cosines
from tracemill.embeddings.embeddings import unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

THRESHOLD = 0.9


def around_centres(n_rows: int, seed: int, spread: float, dimensions: int = 40) -> NDArray[np.float16]:
    """Rows scattered around a third as many centres, so that many pairs lie near the threshold; some rows are zeros."""
    draw = np.random.default_rng(seed)
    centres = draw.standard_normal((max(1, n_rows // 3), dimensions)) * np.linspace(2, 0.1, dimensions)
    rows = centres[draw.integers(0, len(centres), n_rows)] + spread * draw.standard_normal((n_rows, dimensions))
    rows[draw.random(n_rows) < 0.05] = 0
    return unit(rows.astype(np.float32)).astype(np.float16)


def brute_force(
    vectors: NDArray[np.float16], threshold: float, guard: Guard | None, n_earlier: int
) -> set[frozenset[int]]:
    """Components by comparing every pair, in plain Python."""
    exact = vectors.astype(np.float64)
    alike = exact @ exact.T >= threshold
    clusters = [{row} for row in range(len(vectors))]
    at = list(range(len(vectors)))
    for one, other in itertools.combinations(range(len(vectors)), 2):
        is_apart = guard and guard.keys[one] != guard.keys[other] and (guard.guarded[one] or guard.guarded[other])
        if not alike[one, other] or is_apart or other < n_earlier or at[one] == at[other]:
            continue
        left, right = at[one], at[other]
        for row in clusters[right]:
            at[row] = left
        clusters[left] |= clusters[right]
        clusters[right] = set()
    return {frozenset(cluster) for cluster in clusters if cluster}


def components(roots: NDArray[np.int64]) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(roots == root).tolist()) for root in np.unique(roots)}


CASES = st.tuples(st.integers(1, 90), st.integers(0, 2**16), st.floats(0.1, 0.6))


@given(CASES, st.booleans(), st.floats(0, 1), st.sampled_from([2, 7, 48]))
def test_clusters_are_those_of_every_pair(
    case: tuple[int, int, float], is_guarded: bool, share_earlier: float, small: int
) -> None:
    """Blocks, bounds, small groups and earlier rows change nothing about which rows are in one cluster."""
    n_rows, seed, spread = case
    vectors = around_centres(n_rows, seed, spread)
    draw = np.random.default_rng(seed)
    guard = Guard(draw.integers(0, 4, n_rows).astype(np.uint64), draw.random(n_rows) < 0.5) if is_guarded else None
    n_earlier = int(share_earlier * n_rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vector_search, "BLOCK", 16)
        patch.setattr(vector_search, "STRIP", 32)
        patch.setattr(vector_search, "SMALL", small)
        found = cluster_vectors(vectors, THRESHOLD, guard, n_earlier)
    assert components(found.roots) == brute_force(vectors, THRESHOLD, guard, n_earlier)
    linked = np.flatnonzero(found.neighbours != np.arange(n_rows))
    assert (cosines(vectors, linked, found.neighbours[linked]) >= THRESHOLD).all()
    assert set(linked) == {row for cluster in components(found.roots) if len(cluster) > 1 for row in cluster}


def test_large_sets_of_several_blocks() -> None:
    """Real block sizes give the clusters of every pair too."""
    vectors = around_centres(3000, 1, 0.3, dimensions=128)
    exact = vectors.astype(np.float64)
    rows, columns = np.nonzero(np.triu(exact @ exact.T >= THRESHOLD, 1))
    found = cluster_vectors(vectors, THRESHOLD)
    assert (found.roots[rows] == found.roots[columns]).all()
    linked = np.flatnonzero(found.neighbours != np.arange(len(vectors)))
    assert set(linked) == set(rows) | set(columns)
    assert 100 < len(np.unique(found.roots)) < 2900


@given(CASES, st.randoms(use_true_random=False))
def test_clusters_do_not_depend_on_the_order(case: tuple[int, int, float], shuffler: object) -> None:
    """Shuffled rows are in the same clusters."""
    n_rows, seed, spread = case
    vectors = around_centres(n_rows, seed, spread)
    order = list(range(n_rows))
    shuffler.shuffle(order)  # type: ignore[attr-defined]
    straight = components(cluster_vectors(vectors, THRESHOLD).roots)
    shuffled = components(cluster_vectors(vectors[order], THRESHOLD).roots)
    assert {frozenset(order[row] for row in cluster) for cluster in shuffled} == straight


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clusters and evidence are the same with one thread and with seven."""
    vectors = around_centres(2500, 3, 0.3, dimensions=64)
    found = []
    for n_threads in (1, 7):
        monkeypatch.setattr("os.cpu_count", lambda n=n_threads: n)
        found.append(cluster_vectors(vectors, THRESHOLD))
    assert (found[0].roots == found[1].roots).all()
    assert (found[0].neighbours == found[1].neighbours).all()


@settings(max_examples=40)
@given(CASES, st.sampled_from([0.5, 0.8, 0.95]))
def test_the_bound_is_a_bound(case: tuple[int, int, float], threshold: float) -> None:
    """No product of the short vectors is below that of the rows by more than rounding."""
    vectors = around_centres(*case, dimensions=150)
    bounds = bounding_sketches(vectors, threshold).astype(np.float64)
    exact = vectors.astype(np.float64)
    assert (bounds @ bounds.T >= exact @ exact.T - vector_search.SLACK / 10).all()

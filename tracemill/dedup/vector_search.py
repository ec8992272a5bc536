"""Clusters of vectors that are alike: all pairs at or above a cosine, exactly, and their connected components.

Exact, so that the clusters depend on nothing but the vectors: not on the order of the rows, nor on threads or trained
centroids. Most pairs are ruled out by a bound. Rotated so that the first coordinates hold most of the length (principal
axes), x = (x₁, x₂), and

    x·y = x₁·y₁ + x₂·y₂  ≤  x₁·y₁ + |x₂||y₂|        (Cauchy-Schwarz)

which is the product of two much shorter vectors, (x₁, |x₂|) and (y₁, |y₂|). Products of blocks rule out; what is left
over is computed from the stored vectors in one fixed order, so that rounding in the products decides nothing.
"""

from __future__ import annotations

import functools
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import numpy as np

from tracemill.core.compiled import compiled
from tracemill.dedup.clusters import Clusters, Guard, flattened, join, passes, root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Integers = NDArray[np.int64]
    Halves = NDArray[np.float16]
    Sketches = NDArray[np.float32]

# Coordinates of a bound, the length of the rest included: the fewest that leave few enough pairs over. A pair that is
# left over costs some 10,000 times as much as a product of 64 coordinates (measured). They decide about speed only.
SKETCHES: Final = (32, 64, 96, 128, 192, 256)
LEFT_OVER: Final = 1e-3
SAMPLE: Final = 20_000
PROBES: Final = 1_000
SLACK: Final = 1e-3  # the products' rounding, with a wide margin
BLOCK: Final = 1024  # rows of a product: 4 MB, which stay in the processor's cache
STRIP: Final = 16 * BLOCK
SMALL: Final = 48  # groups up to this size are compared pair by pair


@functools.cache
def _values() -> NDArray[np.float64]:
    """Return every float16 as the float64 that it is: compiled loops read the stored bits."""
    return np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float64)


def cluster_vectors(vectors: Halves, threshold: float, guard: Guard | None = None, n_earlier: int = 0) -> Clusters:
    """Connected components of the rows whose cosine is at least the threshold.

    Args:
        vectors: unit length, shape (rows, dimensions); rows of zeros are like nothing.
        threshold: cosine, above 0.
        guard: keeps rows apart that meaning alone would merge.
        n_earlier: the first so many rows stay anyway, and are not compared with each other.
    """
    from threadpoolctl import threadpool_limits

    links = _Links(np.ascontiguousarray(vectors).view(np.uint16), threshold)
    # Each thread multiplies and scans strips of its own: 2.4 times as fast as products that are spread over threads.
    with threadpool_limits(1, user_api="blas"):
        bounds = bounding_sketches(vectors, threshold)
        for members, keys in passes(np.flatnonzero(bounds.any(axis=1)), guard):
            order = np.argsort(keys, kind="stable")
            small, large = _groups(keys[order])
            links.add_small(members[order], small, n_earlier)
            for start, end in large:
                links.add_large(members[order[start:end]], bounds, n_earlier)
    return Clusters(flattened(links.parents), links.neighbours)


def cosines(vectors: Halves, left: Integers, right: Integers) -> NDArray[np.float64]:
    """Return cosines of pairs of rows of unit length, the same on every machine."""
    found: NDArray[np.float64] = _products(np.ascontiguousarray(vectors).view(np.uint16), _values(), left, right)
    return found


def bounding_sketches(vectors: Halves, threshold: float) -> Sketches:
    """Short vectors whose products are never below those of the rows, but for rounding; shape (rows, coordinates)."""
    sample = vectors[:: max(1, len(vectors) // SAMPLE)]
    axes = _principal_axes(sample)
    for size in SKETCHES:
        if size > axes.shape[1]:
            break
        bounds = _sketched(sample, axes[:, : size - 1])
        if _left_over(bounds, threshold) <= LEFT_OVER:
            return _sketched(vectors, axes[:, : size - 1])
    return _sketched(vectors, axes)


def _principal_axes(sample: Halves) -> Sketches:
    """Return columns of an orthonormal basis, by how much of the sample's length lies along them."""
    rows = sample.astype(np.float32)
    _, axes = np.linalg.eigh(rows.T @ rows)
    found: Sketches = axes[:, ::-1].astype(np.float32)
    return found


def _sketched(vectors: Halves, axes: Sketches) -> Sketches:
    """Along the axes, and the length of the rest."""
    kept = axes.shape[1]
    found = np.zeros((len(vectors), kept + 1), np.float32)
    for start in range(0, len(vectors), STRIP):
        part = vectors[start : start + STRIP].astype(np.float32)
        heads = part @ axes
        rest = np.square(part).sum(axis=1) - np.square(heads).sum(axis=1)
        found[start : start + STRIP, :kept] = heads
        found[start : start + STRIP, kept] = np.sqrt(np.maximum(rest, 0))
    return found


def _left_over(bounds: Sketches, threshold: float) -> float:
    """Return the share of the sample's pairs that the bound does not rule out."""
    probes = bounds[:: max(1, len(bounds) // PROBES)]
    return float(np.mean(probes @ bounds.T >= threshold))


def _groups(keys: NDArray[np.uint64]) -> tuple[Integers, list[tuple[int, int]]]:
    """Run of equal keys: the small ones as an array of starts and ends, and the large ones one by one."""
    if not len(keys):
        return np.zeros((0, 2), np.int64), []
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    runs = np.stack([starts, np.r_[starts[1:], len(keys)]], axis=1)
    sizes = runs[:, 1] - runs[:, 0]
    small = np.ascontiguousarray(runs[(sizes > 1) & (sizes <= SMALL)])
    return small, [(int(start), int(end)) for start, end in runs[sizes > SMALL]]


class _Links:
    """Links found so far, as a forest; they are added in a fixed order, whatever the threads do."""

    def __init__(self, bits: NDArray[np.uint16], threshold: float) -> None:
        self._bits, self._threshold = bits, threshold
        self.parents = np.arange(len(bits))
        self.neighbours = np.arange(len(bits))

    def add_small(self, ordered: Integers, runs: Integers, n_earlier: int) -> None:
        """Every pair within each run."""
        _link_runs(ordered, runs, self._bits, _values(), self._threshold, n_earlier, self.parents, self.neighbours)

    def add_large(self, members: Integers, bounds: Sketches, n_earlier: int) -> None:
        """Every pair of the members that the bound does not rule out; members are in ascending order."""
        first = int(np.searchsorted(members, n_earlier))
        for pairs in _candidates(bounds[members], self._threshold - SLACK, first):
            _link_pairs(members, pairs, self._bits, _values(), self._threshold, self.parents, self.neighbours)


def _candidates(bounds: Sketches, least: float, n_earlier: int) -> Iterator[Integers]:
    """Pairs of rows (lower, higher) whose bound is at least ``least``, strip by strip, always in the same order."""
    n_threads = os.cpu_count() or 1
    with ThreadPoolExecutor(n_threads) as threads:
        waiting: deque[Future[Integers]] = deque()
        for top in range(0, len(bounds), BLOCK):
            for left in range(max(top, n_earlier // BLOCK * BLOCK), len(bounds), STRIP):
                waiting.append(threads.submit(_in_strip, bounds, top, left, least, n_earlier))
                if len(waiting) > 2 * n_threads:
                    yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _in_strip(bounds: Sketches, top: int, left: int, least: float, n_earlier: int) -> Integers:
    found = [np.zeros((0, 2), np.int64)]
    rows = bounds[top : top + BLOCK]
    for start in range(left, min(left + STRIP, len(bounds)), BLOCK):
        products = rows @ bounds[start : start + BLOCK].T
        found.append(_at_least(products, np.float32(least), top, start, n_earlier))
    return np.concatenate(found)


@compiled
def _at_least(products: Sketches, least: np.float32, top: int, left: int, n_earlier: int) -> Integers:
    """Return places in a product of blocks that reach ``least``, each pair once, no pair of earlier rows."""
    n_rows, n_columns = products.shape
    n_hits = 0
    hits = np.zeros(n_rows, np.int64)
    for row in range(n_rows):
        count = 0
        for column in range(n_columns):
            count += products[row, column] >= least
        hits[row] = count
        n_hits += count
    found = np.empty((n_hits, 2), np.int64)
    n_found = 0
    for row in range(n_rows):
        if hits[row] == 0:
            continue
        for column in range(max(0, max(top + row + 1, n_earlier) - left), n_columns):
            if products[row, column] >= least:
                found[n_found, 0], found[n_found, 1] = top + row, left + column
                n_found += 1
    return found[:n_found]


@compiled
def _product(bits: NDArray[np.uint16], values: NDArray[np.float64], one: int, other: int) -> float:
    total = 0.0
    for k in range(bits.shape[1]):
        total += values[bits[one, k]] * values[bits[other, k]]
    return total


@compiled
def _products(
    bits: NDArray[np.uint16], values: NDArray[np.float64], left: Integers, right: Integers
) -> NDArray[np.float64]:
    found = np.empty(len(left), np.float64)
    for pair in range(len(left)):
        found[pair] = _product(bits, values, left[pair], right[pair])
    return found


@compiled
def _link(
    one: int,
    other: int,
    bits: NDArray[np.uint16],
    values: NDArray[np.float64],
    threshold: float,
    parents: Integers,
    neighbours: Integers,
) -> None:
    if root(parents, one) != root(parents, other) and _product(bits, values, one, other) >= threshold:
        join(one, other, parents, neighbours)


@compiled
def _link_pairs(
    members: Integers,
    pairs: Integers,
    bits: NDArray[np.uint16],
    values: NDArray[np.float64],
    threshold: float,
    parents: Integers,
    neighbours: Integers,
) -> None:
    for pair in range(len(pairs)):
        _link(members[pairs[pair, 0]], members[pairs[pair, 1]], bits, values, threshold, parents, neighbours)


@compiled
def _link_runs(
    ordered: Integers,
    runs: Integers,
    bits: NDArray[np.uint16],
    values: NDArray[np.float64],
    threshold: float,
    n_earlier: int,
    parents: Integers,
    neighbours: Integers,
) -> None:
    for run in range(len(runs)):
        for later in range(runs[run, 0] + 1, runs[run, 1]):
            if ordered[later] < n_earlier:
                continue
            for earlier in range(runs[run, 0], later):
                _link(ordered[earlier], ordered[later], bits, values, threshold, parents, neighbours)

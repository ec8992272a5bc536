"""Which row of a cluster of duplicates stays: an earlier batch's, else the best by source, reference, tests, trace."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Integers = NDArray[np.int64]
    Similarity = Callable[[Integers, Integers], NDArray[np.float64]]


def representatives(
    roots: Integers,
    labels: pa.Table,
    n_before: int,
    priority: Sequence[str],
    never: NDArray[np.bool_],
) -> tuple[Integers, Integers]:
    """Return the rows that go, in order, and beside each the row that stays in its place, -1 where none does.

    Args:
        roots: per row, the lowest row of its cluster.
        labels: columns ``id``, ``source``, ``has_reference``, ``has_tests``, ``has_trace`` of all rows.
        n_before: the first so many rows are of earlier batches: nothing becomes of them, and the best of them stays.
        priority: source names, best first.
        never: rows in whose place another one stays, or none.
    """
    n_rows = len(roots)
    sizes = np.bincount(roots, minlength=n_rows)
    members = np.flatnonzero(sizes[roots] > 1)
    able = members[~never[members]]
    ordered = able[_preference(labels, able, n_before, priority)]
    by_cluster = ordered[np.argsort(roots[ordered], kind="stable")]
    clusters, starts = np.unique(roots[by_cluster], return_index=True)
    best = np.full(n_rows, -1, np.int64)
    best[clusters] = by_cluster[starts]
    gone = members[(members >= n_before) & (best[roots[members]] != members)]
    return gone, best[roots[gone]]


def _preference(labels: pa.Table, members: Integers, n_before: int, priority: Sequence[str]) -> Integers:
    """Return places of the members, best first; the id decides in the end, so that the order of the rows does not."""
    part = labels.take(pa.array(members))
    rank = pc.index_in(part["source"], value_set=pa.array(priority, pa.string()))
    lacks = {name: pc.invert(part[name]).cast(pa.int8()) for name in ("has_reference", "has_tests", "has_trace")}
    keys = {"new": pa.array((members >= n_before).astype(np.int8)), "rank": pc.fill_null(rank, len(priority))}
    table = pa.table(keys | lacks | {"id": part["id"], "row": pa.array(members)})
    found = pc.sort_indices(table, [(name, "ascending") for name in table.column_names])
    return np.asarray(found.to_numpy(), np.int64)


def nearest_of(roots: Integers, n_earlier: int, gone: Integers, stays: Integers, similarity: Similarity) -> Integers:
    """The rows that stay, where clusters hold several rows of earlier batches: each dropped row names the nearest.

    Args:
        roots: per row, the lowest row of its cluster.
        n_earlier: the first so many rows are of earlier batches.
        gone: rows that go.
        stays: beside each the row that stays so far.
        similarity: of pairs of rows.
    """
    in_cluster: dict[int, list[int]] = defaultdict(list)
    for row in range(n_earlier):
        in_cluster[int(roots[row])].append(row)
    found = stays.copy()
    for place, row in enumerate(gone.tolist()):
        rivals = in_cluster.get(int(roots[row]), [])
        if len(rivals) > 1:
            found[place] = rivals[int(np.argmax(similarity(np.full(len(rivals), row), np.array(rivals))))]
    return found

"""Which rows may have a duplicate: those that share their text or an LSH bucket with another row; found by keys alone.

A row's MinHash values are read, made into the keys of its buckets, and let go. A row without company in any of them is
linked to none, whatever the others are: the clusters of the candidates are those of all rows.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tracemill.core import Category
from tracemill.dedup.clusters import Guard, band_keys, has_words, lsh_parameters, passes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from tracemill.recipe.sections.deduplicate import Deduplicate

    Integers = NDArray[np.int64]
    Flags = NDArray[np.bool_]
    Keys = NDArray[np.uint64]


@dataclass(frozen=True)
class Candidates:
    """The rows of some tables that may be duplicates.

    Attributes:
        rows: per table, of each row whether it is one.
        guarded_besides: whether there are guarded rows beside them.
    """

    rows: list[Flags]
    guarded_besides: bool


def candidates(tables: Iterable[pa.Table], settings: Deduplicate) -> Candidates:
    """Find them in tables of signatures, which are read one after the other.

    Memory: 16 bytes a row for its text, and where values count 8 and 8 a band (9 bands at a threshold of 0.8); these
    twice for rows that are not guarded, where a guard is set. While they are sorted, 40.
    """
    texts, words = _Keys(), _WordKeys(settings)
    starts = [0]
    for table in tables:
        rows = np.arange(starts[-1], starts[-1] + table.num_rows)
        texts.add(rows, numbers_of(table["exact_key"], np.uint64, 2)[:, :1].T.copy())
        if settings.threshold < 1:  # else only rows with the same text are linked
            words.add(rows, table)
        starts.append(starts[-1] + table.num_rows)
    found = np.zeros(starts[-1], np.bool_)
    for keys in (texts, words.together, words.free):
        keys.mark(found)
    besides = any(bool(np.any(~found[rows])) for rows in words.guarded)
    return Candidates([found[start:end] for start, end in itertools.pairwise(starts)], besides)


class _WordKeys:
    """The keys of the buckets in which ``clusters.cluster`` looks for rows with similar words."""

    def __init__(self, settings: Deduplicate) -> None:
        self._n_values = settings.signature.num_perm
        self._bands, self._width = lsh_parameters(settings.threshold, self._n_values)
        self._same_numbers = settings.same_numbers
        self.together, self.free = _Keys(), _Keys()
        self.guarded: list[Integers] = []

    def add(self, rows: Integers, table: pa.Table) -> None:
        """Note the rows of a table that have words."""
        values = numbers_of(table["minhash"], np.uint32, self._n_values)
        worded = np.flatnonzero(has_words(values, np.arange(len(values))))
        numbers = numbers_of(table["numbers_key"], np.uint64, 2)[:, 0].copy()
        is_guarded = guarded(table) & self._same_numbers
        self.guarded.append(rows[worded[is_guarded[worded]]])
        guard = Guard(numbers, is_guarded, besides=True) if self._same_numbers else None
        for meeting, (members, salt) in zip((self.together, self.free), passes(worded, guard), strict=False):
            keys = [band_keys(values, members, band * self._width, self._width, salt) for band in range(self._bands)]
            meeting.add(rows[members], np.stack(keys))


class _Keys:
    """Rows and their keys, of each row as many; kept as they come."""

    def __init__(self) -> None:
        self._rows: list[Integers] = []
        self._keys: list[Keys] = []

    def add(self, rows: Integers, keys: Keys) -> None:
        """Note rows of a table; shape of the keys: one line a kind, one column a row."""
        self._rows.append(rows)
        self._keys.append(keys)

    def mark(self, found: Flags) -> None:
        """Set the flags of the rows that have a key with another row; the keys are let go."""
        rows = np.concatenate([np.zeros(0, np.int64), *self._rows])
        for kind in range(len(self._keys[0]) if self._keys else 0):
            keys = np.concatenate([part[kind] for part in self._keys])
            order = np.argsort(keys)
            keys = keys[order]
            same = keys[1:] == keys[:-1]
            found[rows[order[1:][same]]] = True
            found[rows[order[:-1][same]]] = True
        self._rows, self._keys = [], []


def guarded(labels: pa.Table) -> Flags:
    """Return which rows are merged only with rows of the same numbers: maths."""
    found: Flags = pc.equal(labels["category"], str(Category.MATH)).to_numpy()
    return found


def numbers_of(column: pa.ChunkedArray, kind: type[Any], width: int) -> NDArray[Any]:
    """Return a column of ``width`` numbers a row, which are kept as bytes."""
    itemsize = np.dtype(kind).itemsize * width
    chunk = column.cast(pa.binary(itemsize)).combine_chunks()
    data = np.frombuffer(chunk.buffers()[1], kind, count=len(chunk) * width, offset=chunk.offset * itemsize)
    return data.reshape(len(chunk), width)

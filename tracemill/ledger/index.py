"""What one process knows of a ledger: its segments, how far each was read, and which record answers which key.

Which record answers which key: the ledger's index in memory, 28 bytes an entry.

Sorted arrays hold what was there at the start, a dict what came since; the dict is folded into the arrays when it
grows. 5.6 million entries take 160 MB this way, where a dict of them would take 1.5 GB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from tracemill.core import LedgerError
from tracemill.ledger.segment import (
    ENTRY,
    SegmentGoneError,
    all_entries,
    halves,
    listing,
    read_index,
    scan,
    write_index,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from pathlib import Path

    from tracemill.ledger.segment import Entries

# A dict entry takes about 250 bytes: at most 25 MB; folding it takes about 0.1 s at 5.6 million entries.
_FOLD_AT: Final = 100_000
_PLACE: Final = (("segment", np.uint32), ("offset", np.uint32), ("length", np.uint32))
_COLUMNS: Final = (("hi", np.uint64), ("lo", np.uint64), *_PLACE)


class Place(NamedTuple):
    """Where a record stands: segment number, offset and length in bytes."""

    segment: int
    offset: int
    length: int


class KeyIndex:
    """Keys with the place of the record that answers each.

    Args:
        before: whether the first place wins over the second; asked when two records have one key.
        fold_at: size of the dict from which it is folded into the arrays.
    """

    def __init__(self, before: Callable[[Place, Place], bool], fold_at: int = _FOLD_AT) -> None:
        self._before, self._fold_at = before, fold_at
        self._base = {name: np.empty(0, dtype=kind) for name, kind in _COLUMNS}
        self._recent: dict[tuple[int, int], Place] = {}

    def __len__(self) -> int:
        """Return the number of distinct keys."""
        return len(self._base["hi"]) + len(self._recent)

    def load(self, batches: Sequence[tuple[int, Entries]]) -> None:
        """Fill an empty index from (segment, entries) in winning order."""
        if not batches:
            return
        hi, lo = (np.concatenate([entries[name] for _, entries in batches]) for name in ("hi", "lo"))
        order = np.argsort(hi, kind="stable")  # stable: of equal keys the first stays first
        hi, lo = hi[order], lo[order]
        first = np.ones(len(order), dtype=bool)
        first[1:] = (hi[1:] != hi[:-1]) | (lo[1:] != lo[:-1])
        kept = order[first]
        del order
        self._base = {"hi": hi[first], "lo": lo[first]}
        del hi, lo  # one column at a time: the whole of 5.6 million entries is 134 MB, and would be there thrice
        segments = np.repeat(np.array([number for number, _ in batches], dtype=np.uint32), [len(e) for _, e in batches])
        self._base["segment"] = segments[kept]
        for name in ("offset", "length"):
            self._base[name] = np.concatenate([entries[name] for _, entries in batches])[kept]

    def offer(self, number: tuple[int, int], place: Place) -> bool:
        """Take ``place`` for the key whose halves are ``number``, unless a winning one is known; says if it did."""
        known = self._recent.get(number)
        at = -1
        if known is None:
            at = self._search(number, int(np.searchsorted(self._base["hi"], np.uint64(number[0]))))
        if at >= 0:
            known = self._place(at)
        if known is not None and not self._before(place, known):
            return False
        if at >= 0:
            for (name, _), value in zip(_PLACE, place, strict=True):
                self._base[name][at] = value
        else:
            self._recent[number] = place
            if len(self._recent) >= self._fold_at:
                self._fold()
        return True

    def put(self, number: tuple[int, int], place: Place) -> None:
        """Make ``place`` the one of that key, whatever was known."""
        self.forget([number])
        self._recent[number] = place

    def forget(self, numbers: Iterable[tuple[int, int]]) -> None:
        """Take keys out."""
        at = []
        for number in numbers:
            self._recent.pop(number, None)
            at.append(self._search(number, int(np.searchsorted(self._base["hi"], np.uint64(number[0])))))
        gone = [place for place in at if place >= 0]
        if gone:
            self._base = {name: np.delete(column, gone) for name, column in self._base.items()}

    def find(self, keys: Iterable[str]) -> dict[str, Place]:
        """Return the places of those keys that are known; others are left out."""
        found: dict[str, Place] = {}
        old: list[tuple[str, tuple[int, int]]] = []
        for key in keys:
            number = halves(key)
            place = self._recent.get(number)
            if place is not None:
                found[key] = place
            else:
                old.append((key, number))
        starts = np.searchsorted(self._base["hi"], np.array([number[0] for _, number in old], dtype=np.uint64))
        for (key, number), start in zip(old, starts.tolist(), strict=True):
            at = self._search(number, start)
            if at >= 0:
                found[key] = self._place(at)
        return found

    def _search(self, number: tuple[int, int], start: int) -> int:
        """Position of a key in the arrays, from the first of those with the same upper half on, or -1."""
        hi, lo = self._base["hi"], self._base["lo"]
        while start < len(hi) and int(hi[start]) == number[0]:
            if int(lo[start]) == number[1]:
                return start
            start += 1
        return -1

    def _place(self, at: int) -> Place:
        return Place(*(int(self._base[name][at]) for name, _ in _PLACE))

    def _fold(self) -> None:
        """Move the dict into the arrays, which stay sorted by the upper half."""
        rows = sorted((*number, *place) for number, place in self._recent.items())
        new = {
            name: np.array(column, dtype=kind)
            for (name, kind), column in zip(_COLUMNS, zip(*rows, strict=True), strict=True)
        }
        at = np.searchsorted(self._base["hi"], new["hi"])
        self._base = {name: np.insert(self._base[name], at, new[name]) for name, _ in _COLUMNS}
        self._recent = {}


# An index file is written on opening when this much had to be scanned: 1 MiB is scanned in about 3 ms.
_INDEX_FROM_BYTES = 1 << 20
_TRIES = 20  # at a directory whose segments are being merged; each merge takes longer than a try


@dataclass(slots=True)
class Segment:
    """A segment file, and how many bytes of it are whole records that the view knows."""

    path: Path
    covered: int = 0


class View:
    """The segments under ``directory``; not for several threads at once.

    Attributes:
        segments: by number; a number stands for one file for ever.
        index: the winning place of every key.

    Raises:
        SegmentGoneError: a segment was removed meanwhile.
        LedgerError: the directory cannot be read, or a segment is damaged.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.segments: list[Segment] = []
        self._numbers: dict[str, int] = {}
        self.index = KeyIndex(self._before)
        self.index.load([self._take(name, size) for name, size in listing(directory)])

    def number_of(self, name: str) -> int:
        """Return the number of a segment, which is a new one for a new name."""
        if name not in self._numbers:
            self._numbers[name] = len(self.segments)
            self.segments.append(Segment(self._directory / name))
        return self._numbers[name]

    def catch_up(self) -> None:
        """Take in what was added since.

        Raises:
            SegmentGoneError: a segment was removed, so that places in the index lead nowhere.
            LedgerError: a segment cannot be read or is damaged.
        """
        found = listing(self._directory)
        gone = self._numbers.keys() - {name for name, _ in found}
        if gone:
            raise SegmentGoneError(f"segments are gone from {self._directory}", got=", ".join(sorted(gone)))
        for name, size in found:
            number = self.number_of(name)
            segment = self.segments[number]
            if size <= segment.covered:
                continue
            entries, segment.covered = scan(segment.path, segment.covered)
            for hi, lo, offset, length in entries.tolist():
                self.index.offer((hi, lo), Place(number, offset, length))

    def records(self, numbers: Collection[tuple[int, int]]) -> dict[tuple[int, int], list[Place]]:
        """Return every record of some keys, also those that lose, in winning order; looks through all segments.

        Raises:
            SegmentGoneError: a segment was removed meanwhile.
            LedgerError: a segment cannot be read or is damaged.
        """
        found: dict[tuple[int, int], list[Place]] = {number: [] for number in numbers}
        wanted = np.array([hi for hi, _ in numbers], np.uint64)
        for name, place in sorted(self._numbers.items()):
            entries = all_entries(self._directory / name)
            for hi, lo, offset, length in entries[np.isin(entries["hi"], wanted)].tolist():
                if (hi, lo) in found:
                    found[hi, lo].append(Place(place, offset, length))
        return found

    def _take(self, name: str, size: int) -> tuple[int, Entries]:
        """A segment's entries: from its index file as far as that reaches, and by scanning what it does not cover."""
        number = self.number_of(name)
        segment = self.segments[number]
        entries, covered = read_index(segment.path)
        scanned, segment.covered = scan(segment.path, covered) if size > covered else (np.empty(0, ENTRY), covered)
        entries = np.concatenate([entries, scanned])
        if segment.covered - covered >= _INDEX_FROM_BYTES:
            write_index(segment.path, entries, segment.covered)
        return number, entries

    def _before(self, one: Place, other: Place) -> bool:
        """First wins: by segment name, then offset; every process orders records the same way."""
        names = self.segments[one.segment].path.name, self.segments[other.segment].path.name
        return (names[0], one.offset) < (names[1], other.offset)


def read_anew(directory: Path, outdated: View | None = None) -> View:
    """Return a view of the directory as it is now, also while segments of it are being merged.

    Args:
        directory: the ledger's.
        outdated: what this process knew before; merging loses no key of it.

    Raises:
        LedgerError: the directory cannot be read, a segment is damaged, or keys are gone that were there before.
    """
    for attempt in range(_TRIES):
        try:
            view = View(directory)
            break
        except SegmentGoneError:
            if attempt + 1 == _TRIES or not directory.is_dir():
                raise
    n_lost = 0 if outdated is None else len(outdated.index) - len(view.index)
    if n_lost > 0:
        raise LedgerError(
            f"the ledger in {directory} has lost {n_lost} completions since this process opened it",
            got="segments that somebody has removed",
            expected="every segment, or one that compaction has merged it into",
            remedy="restore the files from a copy, or start again: what they held is then asked, and paid, again",
        )
    return view

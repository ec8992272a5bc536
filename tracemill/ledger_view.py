"""What one process knows of a ledger: its segments, how far each was read, and which record answers which key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tracemill.errors import LedgerError
from tracemill.ledger_index import KeyIndex, Place
from tracemill.ledger_segment import ENTRY, SegmentGoneError, all_entries, listing, read_index, scan, write_index

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from tracemill.ledger_segment import Entries

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
        """The number of a segment, which is a new one for a new name."""
        if name not in self._numbers:
            self._numbers[name] = len(self.segments)
            self.segments.append(Segment(self._directory / name))
        return self._numbers[name]

    def catch_up(self) -> None:
        """Takes in what was added since.

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
        """Every record of some keys, also those that lose, in winning order; looks through all segments.

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
    """A view of the directory as it is now, also while segments of it are being merged.

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

"""Which record answers which key: the ledger's index in memory, 28 bytes an entry.

Sorted arrays hold what was there at the start, a dict what came since; the dict is folded into the arrays when it
grows. 5.6 million entries take 160 MB this way, where a dict of them would take 1.5 GB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from tracemill.ledger_segment import halves

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tracemill.ledger_segment import Entries

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
        """Number of distinct keys."""
        return len(self._base["hi"]) + len(self._recent)

    def load(self, batches: Sequence[tuple[int, Entries]]) -> None:
        """Fills an empty index from (segment, entries) in winning order."""
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
        """Takes ``place`` for the key whose halves are ``number``, unless a winning one is known; says if it did."""
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
        """Makes ``place`` the one of that key, whatever was known."""
        self.forget([number])
        self._recent[number] = place

    def forget(self, numbers: Iterable[tuple[int, int]]) -> None:
        """Takes keys out."""
        at = []
        for number in numbers:
            self._recent.pop(number, None)
            at.append(self._search(number, int(np.searchsorted(self._base["hi"], np.uint64(number[0])))))
        gone = [place for place in at if place >= 0]
        if gone:
            self._base = {name: np.delete(column, gone) for name, column in self._base.items()}

    def find(self, keys: Iterable[str]) -> dict[str, Place]:
        """The places of those keys that are known; others are left out."""
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
        """Moves the dict into the arrays, which stay sorted by the upper half."""
        rows = sorted((*number, *place) for number, place in self._recent.items())
        new = {
            name: np.array(column, dtype=kind)
            for (name, kind), column in zip(_COLUMNS, zip(*rows, strict=True), strict=True)
        }
        at = np.searchsorted(self._base["hi"], new["hi"])
        self._base = {name: np.insert(self._base[name], at, new[name]) for name, _ in _COLUMNS}
        self._recent = {}

"""ledger_index: the arrays and the dict together are one dictionary."""

from __future__ import annotations

import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tracemill.ledger.index import KeyIndex, Place
from tracemill.ledger.segment import ENTRY, halves

places = st.builds(Place, st.integers(0, 3), st.integers(0, 100), st.integers(1, 9))
rows = st.lists(st.tuples(st.integers(0, 15), places), max_size=40)


def _key(number: int) -> str:
    # The last hex digit of the upper half is left out, so that some keys share theirs.
    return "ab" * 7 + f"{number % 3:02x}" + hashlib.sha256(str(number).encode()).hexdigest()[:48]


def _before(one: Place, other: Place) -> bool:
    return (one.segment, one.offset) < (other.segment, other.offset)


@given(old=rows, new=rows, fold_at=st.integers(1, 50))
def test_an_index_is_a_dictionary_of_the_first_places(
    old: list[tuple[int, Place]], new: list[tuple[int, Place]], fold_at: int
) -> None:
    """Loading some places and offering others leaves each key with its first place, whenever the dict is folded."""
    index = KeyIndex(_before, fold_at=fold_at)
    old.sort(key=lambda row: (row[1].segment, row[1].offset))
    loaded: dict[int, Place] = {}
    for number, place in old:
        loaded.setdefault(number, place)
    batches: list[list[tuple[int, ...]]] = [[], [], [], []]
    for number, place in loaded.items():
        batches[place.segment].append((*halves(_key(number)), place.offset, place.length))
    index.load([(segment, np.array(batch, ENTRY)) for segment, batch in enumerate(batches)])
    model = dict(loaded)
    for number, place in new:
        wins = number not in model or _before(place, model[number])
        assert index.offer(halves(_key(number)), place) == wins
        model[number] = place if wins else model[number]
    assert len(index) == len(model)
    assert index.find(_key(number) for number in range(16)) == {_key(number): place for number, place in model.items()}

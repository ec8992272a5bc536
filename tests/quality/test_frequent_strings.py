"""Frequent strings are found exactly, whatever the memory and the order of the shards; and what is dropped for them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.runs.samples import problem, response
from tracemill.quality.frequent_strings import Frequent, Sketch, Strings, frequent_fault, frequent_strings, strings_of
from tracemill.recipe.sections.quality import FrequentStrings

GRAMS = st.lists(st.integers(0, 30), max_size=40)
# (problem, text, string) of every occurrence in a shard; the problems of a shard are its own.
SHARD = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 12)), max_size=60)


def hashes(grams: list[int]) -> np.ndarray:
    """Some of them in one counter of the smallest sketch."""
    return np.array([(gram // 2) + ((gram % 2) << 40) for gram in grams], np.uint64)


@given(GRAMS, GRAMS)
def test_a_sketch_is_never_below_the_count(left: list[int], right: list[int]) -> None:
    """An upper bound for every string, also for those that were never counted; merging in any order is counting."""
    one, other = Sketch(0), Sketch(0)
    one.add(hashes(left))
    other.add(hashes(right))
    both, merged = Sketch(0), Sketch(0)
    both.add(hashes(left + right))
    merged.merge(other)
    merged.merge(one)
    counts = Counter(left + right)
    assert np.array_equal(both.counters, merged.counters)
    assert all(both.at_most(hashes([gram]))[0] >= counts[gram] for gram in range(31))


def test_a_full_counter_stays_full() -> None:
    """Counters do not wrap around, neither in counting nor in merging."""
    sketch, other = Sketch(0), Sketch(0)
    for counted in (sketch, other):
        counted.add(hashes([4] * 200))
    sketch.merge(other)
    assert sketch.at_most(hashes([4]))[0] == 255
    sketch.add(hashes([4]))
    assert sketch.at_most(hashes([4]))[0] == 255


def strings(shard: list[tuple[int, int, int]]) -> Strings:
    """A text belongs to one problem, as its number says."""
    rows = sorted((owner, owner * 4 + text, gram) for owner, text, gram in shard)
    owners, texts = (np.array([row[column] for row in rows], np.int64) for column in (0, 1))
    return Strings(hashes([row[2] for row in rows]), owners, texts)


def naive(shards: list[list[tuple[int, int, int]]], times: int) -> dict[int, int]:
    """Per problem the most of any of its texts, summed over all problems."""
    total: Counter[int] = Counter()
    for shard in shards:
        in_text = Counter(shard)
        most: Counter[tuple[int, int]] = Counter()
        for (owner, _, gram), count in in_text.items():
            most[owner, gram] = max(most[owner, gram], count)
        for (_, gram), count in most.items():
            total[gram] += count
    return {gram: count for gram, count in total.items() if count > times}


@given(st.lists(SHARD, max_size=5), st.integers(1, 4), st.sampled_from([1, 3, 1000]))
def test_exactly_the_frequent_strings_are_found(
    shards: list[list[tuple[int, int, int]]], times: int, room: int
) -> None:
    """The counts are exact, however little fits the table and in whatever order the shards come."""
    expected = naive(shards, times)
    for order in (shards, shards[::-1]):
        found = frequent_strings(lambda order=order: map(strings, order), times, 0, room)  # type: ignore[misc]
        assert dict(zip(found.grams.tolist(), found.counts.tolist(), strict=True)) == {
            int(hashes([gram])[0]): count for gram, count in expected.items()
        }
        assert np.all(found.grams[1:] > found.grams[:-1])


BOILERPLATE = "Let us now carefully consider every single case of this problem one after the other before we answer."


def corpus(n: int) -> list[str]:
    return [
        f"First of all, number {i} is special. {BOILERPLATE} So {i * i} is what we get, {i} times." for i in range(n)
    ]


@pytest.mark.parametrize(("n", "n_found"), [(20, 0), (21, 1)])
def test_the_limit_is_more_than_so_many_times(n: int, n_found: int) -> None:
    """A string that was seen 20 times stays; one more, and it is frequent."""
    texts = corpus(n)

    def shards() -> object:
        for start in range(0, len(texts), 7):
            part = texts[start : start + 7]
            yield strings_of(part, list(range(len(part))), 18)

    found = frequent_strings(shards, 20, 0)  # type: ignore[arg-type]
    assert (len(found.grams) > 0) == bool(n_found)
    assert set(found.counts.tolist()) <= {n}
    rules = FrequentStrings(tokens=18)
    fault = frequent_fault(response(problem("p"), "r", think=texts[3]), found, rules)
    assert (fault is not None) == bool(n_found)
    if fault is not None:
        assert fault.evidence["text"] in texts[3]
        assert fault.evidence["times"] == 21
        assert 0 < fault.evidence["share"] < 1


def test_a_share_can_be_allowed() -> None:
    """A response may hold frequent strings up to the share that the recipe allows."""
    text = corpus(1)[0]
    found = Frequent(np.unique(strings_of([text], [0], 5).grams)[:1], np.array([30]))
    given_ = response(problem("p"), "r", think=text, answer="8")
    assert frequent_fault(given_, found, FrequentStrings(tokens=5)) is not None
    assert frequent_fault(given_, found, FrequentStrings(tokens=5, covered=0.5)) is None
    assert frequent_fault(given_, Frequent(found.grams[:0], found.counts[:0]), FrequentStrings(tokens=5)) is None


def test_strings_do_not_cross_texts() -> None:
    """A string is in one text; a text of fewer tokens has none."""
    assert len(strings_of(["a b c", "d e f", "", "g"], [0, 0, 1, 1], 3).grams) == 2
    assert strings_of(["a b c d"], [7], 3).owners.tolist() == [7, 7]

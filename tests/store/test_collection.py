"""Batches of a collection while its sources are being read."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from tracemill.store import Collection, Growth, RawShard, Shard

SOURCES = ("a", "b", "c")


def raw(source: str, number: int) -> RawShard:
    return RawShard(source=source, file="rows.jsonl", shard=Shard(path="p", rows=9, size=9, sha256=f"{source}{number}"))


SHARDS = st.builds(raw, st.sampled_from(SOURCES), st.integers(0, 5))
PUBLISHED = st.lists(st.lists(SHARDS, max_size=5, unique=True).map(tuple), max_size=3).map(tuple)


@given(PUBLISHED, st.lists(SHARDS, max_size=12), st.permutations(SOURCES), st.integers(0, 3))
def test_places_are_those_of_the_grown_collection(
    batches: tuple[tuple[RawShard, ...], ...], found: list[RawShard], order: list[str], n_read: int
) -> None:
    """Whatever was published, left or came, each shard is given out once, in the place that it has in the end."""
    before, sources = Collection(batches=batches), order[:n_read]
    growth = Growth(before, sources)
    present = [shard for source in sources for shard in found if shard.source == source]
    given_out: list[RawShard] = []
    for source in sources:
        for shard in (shard for shard in present if shard.source == source):
            given_out += growth.add(shard)
        given_out += growth.end(source)
    assert given_out == before.grown(present, {}).shards()


@given(st.lists(SHARDS, max_size=12, unique=True))
def test_nothing_waits_where_nothing_was_published(found: list[RawShard]) -> None:
    """The first time, every shard has its place as soon as it is there."""
    growth = Growth(Collection(), SOURCES)
    assert [list(growth.add(shard)) for shard in found] == [[shard] for shard in found]


def test_a_published_shard_holds_up_those_behind_it() -> None:
    """A new shard of the first source waits for the second, whose published shards may be there or gone."""
    before = Collection(batches=((raw("a", 0), raw("b", 0)), (raw("a", 1),)))
    growth = Growth(before, SOURCES)
    steps = [growth.add(raw("a", number)) for number in range(3)]
    assert list(itertools.chain(*steps)) == [raw("a", 0)]
    assert list(growth.end("a")) == []
    assert list(growth.end("b")) == [raw("a", 1), raw("a", 2)]

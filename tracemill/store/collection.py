"""What has been published: the raw shards of every batch, kept so that the dataset only grows.

Written when a publication is complete. Its shards keep their boundaries and their place; what a source has beyond them
is the next batch, in which nothing can displace a published row.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from tracemill.core import digest
from tracemill.store.manifest import Shard

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tracemill.store.store import Store


class RawShard(BaseModel):
    """A chunk of one source.

    Attributes:
        source: name in the recipe.
        file: base name of the file that it was read from.
    """

    model_config = ConfigDict(frozen=True)

    source: str
    file: str
    shard: Shard


class Collection(BaseModel):
    """The published batches, oldest first.

    Attributes:
        snapshots: by the state of a source's files, the snapshot that it was published from.
    """

    model_config = ConfigDict(frozen=True)

    batches: tuple[tuple[RawShard, ...], ...] = ()
    snapshots: dict[str, str] = {}

    def chunk_lengths(self, source: str) -> dict[str, list[int]]:
        """Return published chunk lengths of a source, by file, in order."""
        lengths: dict[str, list[int]] = {}
        for raw in self.shards():
            if raw.source == source:
                lengths.setdefault(raw.file, []).append(raw.shard.rows)
        return lengths

    def shards(self) -> list[RawShard]:
        """Return all published shards, oldest batch first."""
        return [raw for batch in self.batches for raw in batch]

    def grown(self, present: Sequence[RawShard], snapshots: dict[str, str]) -> Collection:
        """Return the batches as the sources stand now: what is gone leaves its batch, what is new is one more batch."""
        known = set(self.shards())
        here = set(present)
        kept = [tuple(raw for raw in batch if raw in here) for batch in self.batches]
        new = tuple(raw for raw in present if raw not in known)
        return Collection(batches=tuple(batch for batch in [*kept, new] if batch), snapshots=snapshots)


class Growth:
    """Which place a shard will have in :meth:`Collection.grown`, while its sources are read one after the other.

    A published shard keeps its place, so that one which is not read yet holds up those behind it; new ones come last.

    Args:
        before: what was published.
        sources: names of those that will be read.
    """

    def __init__(self, before: Collection, sources: Iterable[str]) -> None:
        self._published = deque(before.shards())
        self._known = frozenset(self._published)
        self._unread = set(sources)
        self._here: set[RawShard] = set()
        self._new: list[RawShard] = []

    def add(self, raw: RawShard) -> Iterator[RawShard]:
        """One more shard is there: yield the shards whose place is certain now, in the order of the collection."""
        if raw in self._known:
            self._here.add(raw)
        else:
            self._new.append(raw)
        yield from self._certain()

    def end(self, source: str) -> Iterator[RawShard]:
        """A source has no further shards: yield likewise."""
        self._unread.remove(source)
        yield from self._certain()

    def _certain(self) -> Iterator[RawShard]:
        while self._published and (self._published[0] in self._here or self._published[0].source not in self._unread):
            raw = self._published.popleft()
            if raw in self._here:
                yield raw
        if not self._published:
            yield from self._new
            self._new.clear()


def load_collection(store: Store, recipe_name: str) -> Collection:
    """Return what was published under a recipe's name; empty before the first time."""
    path = _path(recipe_name)
    return Collection.model_validate_json(store.read_bytes(path)) if store.exists(path) else Collection()


def save_collection(store: Store, recipe_name: str, collection: Collection) -> None:
    """Record what is published now."""
    store.write_bytes(_path(recipe_name), collection.model_dump_json().encode())


def _path(recipe_name: str) -> str:
    return f"collections/{recipe_name}-{digest(recipe_name)[:8]}.json"

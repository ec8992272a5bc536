"""What has been published: the raw shards of every batch, kept so that the dataset only grows.

Written when a publication is complete. Its shards keep their boundaries and their place; what a source has beyond them
is the next batch, in which nothing can displace a published row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from tracemill.core import digest
from tracemill.store.manifest import Shard

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def load_collection(store: Store, recipe_name: str) -> Collection:
    """Return what was published under a recipe's name; empty before the first time."""
    path = _path(recipe_name)
    return Collection.model_validate_json(store.read_bytes(path)) if store.exists(path) else Collection()


def save_collection(store: Store, recipe_name: str, collection: Collection) -> None:
    """Record what is published now."""
    store.write_bytes(_path(recipe_name), collection.model_dump_json().encode())


def _path(recipe_name: str) -> str:
    return f"collections/{recipe_name}-{digest(recipe_name)[:8]}.json"

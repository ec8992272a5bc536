"""Content-addressed Parquet and manifests, in a folder or on S3, and the claims that keep two processes apart."""

from __future__ import annotations

from tracemill.store.claims import claimed, sweep_claims
from tracemill.store.collection import Collection, Growth, RawShard, load_collection, save_collection
from tracemill.store.manifest import Manifest, Shard, stage_key
from tracemill.store.store import Store, files_at

__all__ = [
    "Collection",
    "Growth",
    "Manifest",
    "RawShard",
    "Shard",
    "Store",
    "claimed",
    "files_at",
    "load_collection",
    "save_collection",
    "stage_key",
    "sweep_claims",
]

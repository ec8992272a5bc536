"""Results that Prefect remembers from older versions name their class by this path."""

from tracemill.store.manifest import Manifest, Shard

__all__ = ["Manifest", "Shard"]

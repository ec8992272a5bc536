"""Responses without a verdict because the sandbox failed: what a run says of them, so that nobody misses them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tasks.verify import UNJUDGED

if TYPE_CHECKING:
    from flows.run_context import RunContext
    from flows.shard_dag import ShardHistory


def warn_of_unjudged(context: RunContext, shards: list[ShardHistory]) -> int:
    """Says how many responses await their verdict, and why; the next run judges them. Returns how many."""
    reasons: Counter[str] = Counter()
    for manifest in [manifest for history in shards for manifest in history.manifests]:
        reasons.update(manifest.facts.get(UNJUDGED, {}))
    for reason, n_responses in reasons.most_common(3):
        context.logger.warning("%s responses were not judged: %s", f"{n_responses:,}", reason)
    return reasons.total()

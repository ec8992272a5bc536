"""Finished steps on an object store: looked up for many shards at once, before the turn of each comes.

A look takes a few round trips, and the next one's key is known only by what the one before has found. So a shard's
look-ups come one after the other, and those of many shards side by side: the same function that takes a shard through
its phase is given a step that looks and does nothing, as far as it is finished. In a folder a look takes a tenth of a
millisecond of this process's own time, and nothing would be gained.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from flows.engine.steps import Found, Step, nothing_found
from tasks.engine.quarantine import find_finished
from tasks.engine.stage import StageTask, key_of
from tracemill.core import Section, StoreError
from tracemill.store import Manifest, Shard, Store

# Begins to look, given the function of a shard; what comes of it is waited for when a step asks.
Look = Callable[[Callable[[Step], Any]], Found]
SHARDS_AT_ONCE: Final = 32  # the client keeps as many connections


class _Unfinished(Exception):  # noqa: N818 - no error: the look ends here
    """A step is not finished."""


@contextlib.contextmanager
def looked_ahead(store: Store, poison_share: float) -> Iterator[Look]:
    """Give a look at what is finished of a shard, which begins at once and is waited for when a step asks.

    It is given the function of the shard, and finds nothing in a folder, where looking ahead gains nothing. The shards
    are looked at in the order in which they are given, so that it is best that in which they begin.

    Args:
        store: where finished steps are.
        poison_share: of a task's rows that may be set aside.
    """
    if store.is_local:
        yield lambda _: nothing_found
        return
    with ThreadPoolExecutor(SHARDS_AT_ONCE, thread_name_prefix="look") as pool:
        try:
            yield lambda through: _found_by(pool.submit(_look, store, through, poison_share))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _look(store: Store, work: Callable[[Step], Any], poison_share: float) -> dict[tuple[str, str], Manifest]:
    """Return the finished steps of one shard, by stage and key."""
    found: dict[tuple[str, str], Manifest] = {}

    def look(stage: StageTask, section: Section, inputs: Mapping[str, Shard]) -> Manifest:
        key = key_of(stage, section, inputs)
        manifest = find_finished(store, stage.name, key, poison_share)
        if manifest is None:
            raise _Unfinished
        found[stage.name, key] = manifest
        return manifest

    with contextlib.suppress(_Unfinished, StoreError):  # whoever takes the shard through meets the error again
        work(look)
    return found


def _found_by(look: Future[dict[tuple[str, str], Manifest]]) -> Found:
    return lambda stage, key: look.result().pop((stage, key), None)

"""Finished steps, looked up before the turn of their shard comes; a shard that is finished needs no turn.

The same function that takes a shard through its phase is given a step that looks and does nothing, as far as it is
finished: where it comes to its end, its result is there, without a thread, a subflow or a task run. On an object store
a look takes a few round trips, and the next one's key is known only by what the one before has found. So a shard's
look-ups come one after the other, and those of many shards side by side. In a folder a look takes a tenth of a
millisecond of this process's own time, and one after the other is fastest.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from flows.engine.steps import Step
from tasks.engine.quarantine import find_finished
from tasks.engine.stage import StageTask, key_of
from tracemill.core import Section
from tracemill.store import Manifest, Shard, Store

SHARDS_AT_ONCE: Final = 32  # the client keeps as many connections

Result = TypeVar("Result")


@dataclass(frozen=True)
class Looked:
    """What is finished of a shard.

    Attributes:
        steps: by stage and key.
        is_whole: whether these are all of its steps.
        result: what its function has come to, if so.
    """

    steps: dict[tuple[str, str], Manifest]
    is_whole: bool = False
    result: Any = None


# A shard's label, and the function that takes it through the phase.
Turn = tuple[str, Callable[[Step], Result]]
# Begins to look, given the function of a shard.
Look = Callable[[Callable[[Step], Any]], Future[Looked]]


class Ahead(Generic[Result]):
    """The shards of a phase before their turn: those that are finished pass at once, the others are left.

    Args:
        look: begins to look at a shard.
        counts: is given the steps of a shard that is finished; whether it passes.

    Attributes:
        results: of the shards that have passed, by label.
    """

    def __init__(self, look: Look, counts: Callable[[Collection[Manifest]], bool]) -> None:
        self._look, self._counts = look, counts
        self._looks: dict[str, Future[Looked]] = {}
        self.results: dict[str, Result] = {}

    def left(self, shards: Iterable[Turn[Result]]) -> list[Turn[Result]]:
        """Return the shards that are left of these, all of which are looked at side by side."""
        begun = [(label, through, self._begin(label, through)) for label, through in shards]
        return [(label, through) for label, through, _ in begun if not self._passes(label)]

    def is_left(self, label: str, through: Callable[[Step], Result]) -> bool:
        """Tell whether a shard is left, as far as that is known without a wait."""
        return not (self._begin(label, through).done() and self._passes(label))

    def steps(self, label: str) -> Mapping[tuple[str, str], Manifest]:
        """Return the finished steps of a shard that is left, by stage and key."""
        return self._looks[label].result().steps

    def _begin(self, label: str, through: Callable[[Step], Result]) -> Future[Looked]:
        self._looks[label] = self._look(through)
        return self._looks[label]

    def _passes(self, label: str) -> bool:
        looked = self._looks[label].result()
        if not looked.is_whole or not self._counts(looked.steps.values()):
            return False
        self.results[label] = looked.result
        return True


class _Unfinished(Exception):  # noqa: N818 - no error: the look ends here
    """A step is not finished."""


@contextlib.contextmanager
def looked_ahead(store: Store, poison_share: float) -> Iterator[Look]:
    """Give a look at what is finished of a shard, which begins at once.

    It is given the function of the shard. The shards are looked at in the order in which they are given, so that it is
    best that in which they begin.

    Args:
        store: where finished steps are.
        poison_share: of a task's rows that may be set aside.
    """
    if store.is_local:
        yield lambda through: _done(_look(store, through, poison_share))
        return
    with ThreadPoolExecutor(SHARDS_AT_ONCE, thread_name_prefix="look") as pool:
        try:
            yield lambda through: pool.submit(_look, store, through, poison_share)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _done(looked: Looked) -> Future[Looked]:
    future: Future[Looked] = Future()
    future.set_result(looked)
    return future


def _look(store: Store, through: Callable[[Step], Any], poison_share: float) -> Looked:
    steps: dict[tuple[str, str], Manifest] = {}

    def look(stage: StageTask, section: Section, inputs: Mapping[str, Shard]) -> Manifest:
        key = key_of(stage, section, inputs)
        manifest = find_finished(store, stage.name, key, poison_share)
        if manifest is None:
            raise _Unfinished
        steps[stage.name, key] = manifest
        return manifest

    try:
        result = through(look)
    except Exception:  # noqa: BLE001 - not finished; or an error, which whoever takes the shard through meets again
        return Looked(steps)
    return Looked(steps, is_whole=True, result=result)

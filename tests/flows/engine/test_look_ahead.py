"""Finished steps on an object store: looked up for many shards at once, and nothing is done by looking."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from flows.engine import look_ahead
from flows.engine.look_ahead import Ahead, Looked, looked_ahead
from flows.engine.progress import Progress
from flows.engine.steps import Step
from tasks.engine.quarantine import find_finished
from tasks.engine.stage import StageTask, key_of, perform
from tests.support.runs.computing_stages import Told, fails, where
from tracemill.core import Section, StoreError
from tracemill.store import Manifest, Shard, Store

N_SHARDS = 12
PATIENCE_S = 60.0


def two_steps(step: Step, label: str) -> Manifest:
    """A shard's way: the second step is known by what the first has made."""
    first = step(where, Told(folder=label), {})
    return step(where, Told(folder=label, deaths=1), first.outputs)


def done_in(store: Store, stage: StageTask, section: Section, inputs: Mapping[str, Shard]) -> Manifest:
    """A step without Prefect."""
    return perform(stage, store, section, inputs)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"memory://looks/{tmp_path.name}")


def test_many_shards_are_looked_up_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Side by side, step after step as far as each is finished; one that is finished is there with its result."""
    labels = [f"shard {number}" for number in range(N_SHARDS)]
    firsts = {label: perform(where, store, Told(folder=label), {}) for label in labels}
    second = perform(where, store, Told(folder=labels[0], deaths=1), firsts[labels[0]].outputs)
    together = threading.Barrier(N_SHARDS)

    def looking(place: Store, stage: str, key: str, share: float) -> Manifest | None:
        if key in {manifest.key for manifest in firsts.values()}:
            together.wait(PATIENCE_S)
        return find_finished(place, stage, key, share)

    monkeypatch.setattr(look_ahead, "find_finished", looking)
    work = {label: lambda step, label=label: two_steps(step, label) for label in labels}
    with looked_ahead(store, 0.0) as look:
        found = {label: look(work[label]) for label in labels}
        for label in labels:
            assert found[label].result().steps["where", firsts[label].key] == firsts[label]
        assert found[labels[0]].result().steps["where", second.key] == second
        assert (found[labels[0]].result().is_whole, found[labels[0]].result().result) == (True, second)
        assert not found[labels[1]].result().is_whole
    unfinished = key_of(where, Told(folder=labels[1], deaths=1), firsts[labels[1]].outputs)
    assert store.find("where", unfinished) is None


def test_a_look_that_fails_finds_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shard's own step meets the error again, and its words are those of the step."""

    def broken(*_: object) -> None:
        raise StoreError("the store is away")

    monkeypatch.setattr(look_ahead, "find_finished", broken)
    with looked_ahead(store, 0.0) as look:
        assert look(lambda step: step(fails, Told(), {})).result() == Looked({})


def test_finished_shards_pass_but_for_the_first_few(tmp_path: Path) -> None:
    """In a folder, too: one is left to be shown, one since a step of it is not finished; the others have passed."""
    store = Store(str(tmp_path))
    labels = [f"shard {number}" for number in range(4)]
    made = {label: two_steps(partial(done_in, store), label) for label in labels[:3]}
    perform(where, store, Told(folder=labels[3]), {})
    progress = Progress("phase", 4, "where")
    work = {label: partial(two_steps, label=label) for label in labels}
    with looked_ahead(store, 0.0) as look:
        ahead: Ahead[Manifest] = Ahead(look, lambda found: progress.passed(found, 2))
        left = ahead.left(work.items())
    assert [label for label, _ in left] == [labels[0], labels[3]]
    assert ahead.results == {label: made[label] for label in labels[1:3]}
    assert len(ahead.steps(labels[3])) == 1
    assert (progress.n_cached, progress.finished["where"]) == (4, 4)


def test_shards_that_nobody_waits_for_are_not_looked_up(store: Store) -> None:
    """When the phase is interrupted, looks that have not begun never do."""
    begun: list[str] = []
    stop = threading.Event()

    def slow(step: Step, label: str) -> Manifest:
        begun.append(label)
        assert stop.wait(PATIENCE_S)
        return two_steps(step, label)

    labels = [f"shard {number}" for number in range(200)]
    work = {label: lambda step, label=label: slow(step, label) for label in labels}
    interrupted = pytest.raises(KeyboardInterrupt)
    with interrupted, looked_ahead(store, 0.0) as look:
        for label in labels:
            look(work[label])
        threading.Timer(0.5, stop.set).start()
        raise KeyboardInterrupt
    assert len(begun) <= look_ahead.SHARDS_AT_ONCE

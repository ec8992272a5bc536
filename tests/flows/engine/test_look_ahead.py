"""Finished steps on an object store: looked up for many shards at once, and nothing is done by looking."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from flows.engine import look_ahead
from flows.engine.look_ahead import looked_ahead
from flows.engine.steps import Step
from tasks.engine.quarantine import find_finished
from tasks.engine.stage import key_of, perform
from tests.support.runs.computing_stages import Told, fails, where
from tracemill.core import StoreError
from tracemill.store import Manifest, Store

N_SHARDS = 12
PATIENCE_S = 60.0


def two_steps(step: Step, label: str) -> Manifest:
    """A shard's way: the second step is known by what the first has made."""
    first = step(where, Told(folder=label), {})
    return step(where, Told(folder=label, deaths=1), first.outputs)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"memory://looks/{tmp_path.name}")


def test_many_shards_are_looked_up_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Side by side, step after step as far as each is finished; what was found is given once."""
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
            assert found[label]("where", firsts[label].key) == firsts[label]
            assert found[label]("where", firsts[label].key) is None
        assert found[labels[0]]("where", second.key) == second
        unfinished = key_of(where, Told(folder=labels[1], deaths=1), firsts[labels[1]].outputs)
        assert found[labels[1]]("where", unfinished) is None
    assert store.find("where", unfinished) is None


def test_a_look_that_fails_finds_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shard's own step meets the error again, and its words are those of the step."""

    def broken(*_: object) -> None:
        raise StoreError("the store is away")

    monkeypatch.setattr(look_ahead, "find_finished", broken)
    with looked_ahead(store, 0.0) as look:
        found = look(lambda step: step(fails, Told(), {}))
        assert found("fails", key_of(fails, Told(), {})) is None


def test_in_a_folder_nothing_is_looked_up_ahead(tmp_path: Path) -> None:
    """A look there takes less than a thread."""
    store = Store(str(tmp_path))
    manifest = perform(where, store, Told(folder="x"), {})
    with looked_ahead(store, 0.0) as look:
        found = look(lambda step: two_steps(step, "x"))
        assert found("where", manifest.key) is None


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

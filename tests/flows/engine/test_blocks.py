"""Blocks of shards: subflows that overlap, one bound on all of them, and what becomes of them when something fails."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from prefect import flow, get_run_logger, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
from prefect.client.schemas.objects import FlowRun
from prefect.runtime import flow_run as current

from flows.engine.blocks import UNKNOWN
from flows.engine.context import RunContext
from flows.engine.failures import ShardsFailedError
from flows.engine.steps import Step
from tasks.engine.stage import BY_KEY, STORED, stage
from tasks.engine.work import Produced, Work
from tests.support.runs.small_run import SmallRun
from tests.support.servers.chat_server import ChatServer
from tracemill.core import RecipeError, Section, SourceError
from tracemill.recipe import load_recipe
from tracemill.store import Store

pytestmark = pytest.mark.usefixtures("prefect_flows")

PATIENCE_S = 120.0


class Shard(Section):
    """Which shard it is."""

    label: str


class Script:
    """What happens in each shard, and what has happened.

    Attributes:
        acts: by label; nothing where none is given.
        peak: most shards at once.
    """

    def __init__(self, **acts: Callable[[], object]) -> None:
        self.acts = acts
        self.begun = {label: threading.Event() for label in acts}
        self.order: list[str] = []
        self.peak = self._n_now = 0
        self._lock = threading.Lock()

    def play(self, label: str) -> None:
        """One shard."""
        with self._lock:
            self.order.append(label)
            self._n_now += 1
            self.peak = max(self.peak, self._n_now)
        self.begun.setdefault(label, threading.Event()).set()
        try:
            self.acts.get(label, lambda: None)()
        finally:
            with self._lock:
                self._n_now -= 1

    def until(self, label: str) -> Callable[[], None]:
        """Waits until a shard has begun."""
        event = self.begun.setdefault(label, threading.Event())

        def wait() -> None:
            assert event.wait(PATIENCE_S), f"{label} does not begin while this shard is under way"

        return wait


SCRIPTS: dict[str, Script] = {}


@task(name="act", version="1", task_run_name="act {label}", retries=0, cache_policy=BY_KEY, **STORED)
@stage()
def act_shard(work: Work) -> Produced:
    """Plays a shard of the script."""
    SCRIPTS["now"].play(work.section.label)
    return Produced({}, 1, 1)


def act(step: Step, label: str) -> str:
    step(act_shard, Shard(label=label), {})
    return label


def acting(labels: Generator[str, None, None]) -> Generator[tuple[str, Callable[[Step], str]], None, None]:
    """Shards as they come, until the phase wants no more."""
    with contextlib.closing(labels):
        for label in labels:
            yield label, partial(act, label=label)


def played(
    script: Script, labels: list[str] | Generator[str, None, None], folder: Path, **run: Any
) -> tuple[dict[str, str], list[FlowRun]]:
    """Runs a phase over shards, which may come one after the other; results, and the subflows as they started."""
    small = SmallRun(folder, "http://127.0.0.1:9/v1", sections={"run": {"show_cached": 0, **run}})
    small.write()
    SCRIPTS["now"] = script
    parents: list[str] = []

    @flow
    def play() -> dict[str, str]:
        parents.append(str(current.id))
        context = RunContext(load_recipe(small.recipe_path), Store(str(folder / "store")), get_run_logger())
        if isinstance(labels, list):
            return context.phase("play", "act", {label: partial(act, label=label) for label in labels})
        return context.phase("play", "act", acting(labels))

    try:
        return play(), subflows(parents)
    except ShardsFailedError as error:
        error.add_note("subflows: " + ", ".join(f"{run.name} {run.state_name}" for run in subflows(parents)))
        raise


def subflows(parents: list[str]) -> list[FlowRun]:
    parent = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=parents))
    with get_client(sync_client=True) as client:
        return sorted(client.read_flow_runs(flow_run_filter=parent), key=lambda run: run.created)


def labels(n: int) -> list[str]:
    return [f"{number:05d}-{'even' if number % 2 == 0 else 'odd'}" for number in range(n)]


def test_the_next_block_begins_during_the_tail_of_the_one_before(tmp_path: Path) -> None:
    """While the last shard of a block is under way, shards of the next one run, in a subflow of their own."""
    names = labels(5)
    script = Script()
    script.acts[names[0]] = script.until(names[4])  # outlasts its own block and the whole next one
    results, runs = played(script, names, tmp_path, workers=2, shards_per_flow=2)
    assert list(results) == list(results.values()) == names
    assert [run.name for run in runs] == [f"play {a} to {b}" for a, b in (names[:2], names[2:4], names[4:] * 2)]
    assert {run.state_name for run in runs} == {"Completed"}
    assert all(set(run.tags) == {"play", *(label.partition("-")[2] for label in names[:2])} for run in runs[:2])
    assert script.peak == 2


def test_a_block_is_opened_with_the_first_shard_that_comes(tmp_path: Path) -> None:
    """Shards that come one after the other begin as they come; their block has its whole name when it is full."""
    names = labels(5)
    script = Script()

    def coming() -> Generator[str, None, None]:
        for label in names:
            yield label
            script.until(label)()

    results, runs = played(script, coming(), tmp_path, workers=2, shards_per_flow=3)
    assert list(results) == list(results.values()) == script.order == names
    assert [run.name for run in runs] == [f"play {a} to {b}" for a, b in ((names[0], names[2]), names[3:])]
    assert {run.state_name for run in runs} == {"Completed"}
    assert all(set(run.tags) == {"play", "even", "odd"} for run in runs)
    assert runs[0].parameters["last"] == UNKNOWN


def test_shards_that_come_go_on_after_a_failure(tmp_path: Path) -> None:
    """A shard that fails fails its block, and all that come later are finished."""
    names = labels(6)

    def fail() -> None:
        raise KeyError("broken")

    script = Script(**{names[1]: fail})
    with pytest.raises(ShardsFailedError, match="play: 1 of 6 shards failed") as failed:
        played(script, (label for label in names), tmp_path, workers=2, shards_per_flow=2)
    states = [f"play {a} to {b}" for a, b in (names[:2], names[2:4], names[4:])]
    assert failed.value.__notes__ == [f"subflows: {states[0]} Failed, {states[1]} Completed, {states[2]} Completed"]
    assert sorted(script.order) == names


def test_no_shard_is_waited_for_after_a_fatal_failure(tmp_path: Path) -> None:
    """What makes the shards is closed, though it would go on for ever, and the block is not left open."""
    closed = threading.Event()

    def fail() -> None:
        raise RecipeError("nothing can work")

    script = Script(**{"00002-even": fail})

    def coming() -> Generator[str, None, None]:
        try:
            for number in itertools.count():
                yield f"{number:05d}-even"
                time.sleep(0.01)
        finally:
            closed.set()

    with pytest.raises(ShardsFailedError, match="nothing can work"):
        played(script, coming(), tmp_path, workers=1, shards_per_flow=1000)
    assert closed.is_set()
    assert script.order == [f"{number:05d}-even" for number in range(3)]


def test_what_makes_the_shards_fails(tmp_path: Path) -> None:
    """Its own error ends the phase; the shard under way is not begun anew, and no thread is left behind."""

    def coming() -> Generator[str, None, None]:
        yield "00000-even"
        script.until("00000-even")()
        raise SourceError("the file is damaged")

    script = Script()
    with pytest.raises(SourceError, match="the file is damaged"):
        played(script, coming(), tmp_path, workers=2, shards_per_flow=2)
    assert script.order == ["00000-even"]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("block", "shard"))]


def test_one_bound_on_all_blocks(tmp_path: Path) -> None:
    """Blocks that overlap share ``run.workers``: never are more shards under way, and as many as that are."""
    names = labels(12)
    together = threading.Barrier(3)

    def meet() -> None:
        together.wait(PATIENCE_S)

    script = Script(**dict.fromkeys(names, meet))
    results, runs = played(script, names, tmp_path, workers=3, shards_per_flow=2)
    assert list(results) == names
    assert script.peak == 3
    assert len(runs) == 6


def test_a_failed_shard_fails_its_own_block(tmp_path: Path) -> None:
    """The subflow of a failed shard shows Failed, the others Completed, and every other shard is finished."""
    names = labels(6)

    def fail() -> None:
        raise KeyError("broken")

    script = Script(**{names[2]: fail})
    with pytest.raises(ShardsFailedError, match="play: 1 of 6 shards failed") as failed:
        played(script, names, tmp_path, workers=2, shards_per_flow=2)
    states = [f"play {a} to {b}" for a, b in (names[:2], names[2:4], names[4:])]
    assert failed.value.__notes__ == [f"subflows: {states[0]} Completed, {states[1]} Failed, {states[2]} Completed"]
    assert sorted(script.order) == names


def test_a_fatal_failure_starts_nothing_more(tmp_path: Path) -> None:
    """What is wrong for all shards starts no further shard of an open block and no further block."""
    names = labels(8)

    def fail() -> None:
        raise RecipeError("nothing can work")

    script = Script(**{names[2]: fail})
    script.acts[names[0]] = script.until(names[2])
    with pytest.raises(ShardsFailedError, match="nothing can work") as failed:
        played(script, names, tmp_path, workers=2, shards_per_flow=2)
    assert len(script.order) <= 4  # the first shard may end just before the failure is heard of
    shown = [f"play {names[0]} to {names[1]} Completed", f"play {names[2]} to {names[3]} Failed"]
    assert failed.value.__notes__ == [f"subflows: {', '.join(shown)}"]


def test_an_interrupt_ends_every_open_block(tmp_path: Path) -> None:
    """Ctrl-C while shards of two blocks are under way ends both, begins no shard more, and leaves no thread behind."""
    names = labels(6)
    script = Script()
    script.acts[names[0]] = script.until(names[2])
    script.acts[names[2]] = lambda: os.kill(os.getpid(), signal.SIGINT)  # to the process, as a terminal does
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            played(script, names, tmp_path, workers=2, shards_per_flow=2)
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(script.order) <= 4
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("block", "shard"))]


class PartingServer(ChatServer):
    """Holds the answer to one question back until another one has come in."""

    def __init__(self, held: str, awaited: str) -> None:
        super().__init__()
        self._held, self._awaited = held, awaited
        self.was_awaited = False

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        prompt = (await request.json())["messages"][-1]["content"]
        with contextlib.suppress(TimeoutError):
            if self._held in prompt:
                await asyncio.wait_for(self._seen.wait(), PATIENCE_S)
                self.was_awaited = True
        if self._awaited in prompt:
            self._seen.set()
        return await super()._chat(request)

    async def _serve(self, ready: threading.Event) -> None:
        self._seen = asyncio.Event()
        await super()._serve(ready)


@pytest.fixture
def server() -> Iterator[PartingServer]:
    with PartingServer(held="Note 5 ", awaited="Note 45 ") as running:
        yield running


def test_the_teacher_is_asked_by_the_next_block_meanwhile(server: PartingServer, tmp_path: Path) -> None:
    """Requests of a later block are sent while a request of the first one is unanswered; the result is the same."""
    blocks = SmallRun(tmp_path / "blocks", server.url, sections={"run": {"shards_per_flow": 1, "workers": 2}})
    blocks.build_by_flow()
    assert server.was_awaited
    whole = SmallRun(tmp_path / "whole", server.url)
    whole.build()
    digests = [
        {name: it for name, it in run.digests().items() if name.endswith((".parquet", ".zst"))}
        for run in (blocks, whole)
    ]
    assert digests[0] == digests[1]

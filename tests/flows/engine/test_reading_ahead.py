"""Curating while the sources are being read: what it overlaps with, what it leaves as it is, and how it may end."""

from __future__ import annotations

import itertools
import json
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from prefect import flow

from benchmarks.engine.measured_run import OneByOne
from flows.build_dataset import build
from flows.engine.context import RunContext
from flows.engine.failures import ShardsFailedError
from flows.engine.plain_run import PlainRun
from flows.phases.duplicates import curate
from flows.phases.shards import ShardHistory, curate_one
from tests.support.runs.held_source import N_READ, PATIENCE_S, HeldSource, n_curated
from tests.support.runs.killed_run import kill, launch, n_manifests
from tests.support.runs.small_run import SmallRun, digests_of, question
from tests.support.servers.chat_server import ChatServer
from tracemill.core import RecipeError, SourceError
from tracemill.recipe import load_recipe
from tracemill.store import Store, save_collection

if TYPE_CHECKING:
    from flows.engine.steps import Step
    from tracemill.store import Collection

N_SHARDS = 10  # of the source that is held, and 20 rows each
NOBODY = "http://127.0.0.1:9/v1"


class Made(NamedTuple):
    """What reading and curating have come to.

    Attributes:
        n_cached: tasks that were found finished.
    """

    collection: Collection
    curated: dict[str, ShardHistory]
    n_cached: int


@pytest.fixture
def run(tmp_path: Path) -> SmallRun:
    """A run of two sources: one shard, and ten that are curated in threads as soon as the first is there."""
    rows = [question(number) for number in range(20 * N_SHARDS)]
    return SmallRun(tmp_path / "run", NOBODY, rows=rows, sections={"run": {"runner": {"kind": "threads"}}})


def by(kind: type[RunContext[Any]], run: SmallRun, store: str = "store") -> Made:
    run.write()
    recipe = load_recipe(run.recipe_path, [f"run.store={run.folder / store}"])
    context = kind(recipe, Store(recipe.run.store), logging.getLogger("tests"))
    context.store.prepare()
    made = Made(*curate(context), context.n_cached)
    save_collection(context.store, recipe.name, made.collection)
    return made


def by_flow(run: SmallRun) -> Made:
    made: list[Made] = []

    @flow
    def curating() -> None:
        made.append(by(RunContext, run))

    curating()
    return made[0]


@pytest.fixture(params=["plain", "flow"])
def built(request: pytest.FixtureRequest, run: SmallRun) -> Callable[[], Made]:
    """Read and curate without Prefect, and in a flow run."""
    if request.param == "flow":
        request.getfixturevalue("prefect_flows")
        return partial(by_flow, run)
    return partial(by, PlainRun, run)


def is_curating(run: SmallRun) -> bool:
    """Whether a shard of the second source is curated."""
    return n_curated(run) >= 2


def assert_equal(run: SmallRun, made: Made) -> None:
    """The same shards in the same places, with the same keys and bytes, as where every source is read first."""
    expected = by(OneByOne, run, "first")
    assert made.collection == expected.collection
    assert list(made.curated.items()) == list(expected.curated.items())


def test_shards_are_curated_while_their_source_is_read(
    run: SmallRun, built: Callable[[], Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source that is read on only when a shard of it is curated is read, with the same keys and bytes."""
    held = HeldSource("rows", lambda: is_curating(run)).take_effect(monkeypatch)
    made = built()
    assert held.n_read == N_SHARDS
    monkeypatch.undo()
    assert_equal(run, made)


def test_the_dataset_is_the_same(run: SmallRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every published byte, and every key in the store."""
    with ChatServer() as teacher:
        run.teacher_url = teacher.url
        run.rows = run.rows[: 20 * (N_READ + 1)]
        HeldSource("rows", lambda: is_curating(run)).take_effect(monkeypatch)
        run.build()
        monkeypatch.undo()
        recipe = load_recipe(run.recipe_path, [f"run.store={run.folder / 'first'}"])
        build(OneByOne(recipe, Store(recipe.run.store), logging.getLogger("tests")), str(run.folder / "other"))
    data = [
        {name: digest for name, digest in digests_of(out).items() if name.endswith((".parquet", ".zst"))}
        for out in (run.out, run.folder / "other")
    ]
    assert data[0] == data[1] != {}
    keys = [
        {str(path.relative_to(run.folder / store)) for path in (run.folder / store / "manifests").rglob("*.json")}
        for store in ("store", "first")
    ]
    assert keys[0] == keys[1] != set()


def test_what_has_grown_has_the_same_batches(run: SmallRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that were added to both sources are the next batch, in chunks and places as if all had been read first."""
    run.sections["sources"] = [{"name": name, "path": f"{name}.jsonl", "layout": "gsm8k"} for name in ("more", "rows")]
    more = run.folder / "more.jsonl"
    run.folder.mkdir()
    lines = [json.dumps(question(number)) + "\n" for number in range(1000, 1070)]
    more.write_text("".join(lines[:45]))
    assert_equal(run, by(PlainRun, run))
    more.write_text("".join(lines))
    run.rows = run.rows + [question(number) for number in range(2000, 2030)]
    # What is new of the first source has to wait for the published shards of the second.
    HeldSource("rows", lambda: True, pace_s=0.05).take_effect(monkeypatch)
    made = by(PlainRun, run)
    monkeypatch.undo()
    assert_equal(run, made)
    batches = [[raw.shard.rows for raw in batch] for batch in made.collection.batches]
    assert batches == [[20, 20, 5] + [20] * 10, [20, 5, 20, 10]]


def test_many_small_sources(run: SmallRun, built: Callable[[], Made]) -> None:
    """Sources of a shard and less share blocks, and one of them that has no rows and may not is named."""
    names = [f"part{number:02d}" for number in range(12)]
    sources = [{"name": name, "path": f"{name}.jsonl", "layout": "gsm8k"} for name in names]
    run.sections["sources"] = sources
    run.sections["run"] |= {"shards_per_flow": 5}
    run.folder.mkdir()
    for place, name in enumerate(names):
        rows = [question(100 * place + number) for number in range(place % 4 + 20)]
        (run.folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert_equal(run, built())
    (run.folder / "part10.jsonl").write_text("")
    with pytest.raises(SourceError, match="source part10 has no rows"):
        by(PlainRun, run)
    (run.folder / "part11.jsonl").unlink()
    with pytest.raises(SourceError, match="part11"):
        by(PlainRun, run)


def damaged(run: SmallRun, n_before: int = 2) -> bool:
    """Fail as a damaged file does, once so many shards are curated."""
    if n_curated(run) >= n_before:
        raise SourceError("rows.jsonl is damaged", got="no more of it")
    return False


def fails(monkeypatch: pytest.MonkeyPatch, error: Exception) -> threading.Event:
    """Have the third shard that is begun fail; it is among those that come before the source is held."""
    failing, number = threading.Event(), itertools.count()

    def one(step: Step, **given: Any) -> ShardHistory:
        if next(number) == 2:
            failing.set()
            raise error
        return curate_one(step, **given)

    monkeypatch.setattr("flows.phases.duplicates.curate_one", one)
    return failing


def until(moment: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not moment():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_source_that_ends_in_the_middle(
    run: SmallRun, built: Callable[[], Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run ends with the reader's own error; what is curated is found by the next run, and no byte is different."""
    HeldSource("rows", lambda: damaged(run)).take_effect(monkeypatch)
    with pytest.raises(SourceError, match=r"^rows\.jsonl is damaged"):
        built()
    monkeypatch.undo()
    curated = n_curated(run)
    assert 2 <= curated <= N_READ + 1
    made = built()
    assert made.n_cached >= 3 * curated  # collected, cleaned and signed
    assert_equal(run, made)


def test_no_later_source_is_read_after_one_that_fails(run: SmallRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """One source after the other: none is begun whose predecessor cannot be read."""
    run.sections["sources"] = [
        {"name": "rows", "path": "rows.jsonl", "layout": "gsm8k"},
        {"name": "traced", "path": "traced.jsonl", "layout": "am"},
    ]
    later = HeldSource("traced", lambda: True)
    monkeypatch.setattr("tasks.snapshot.raw_tables", both(HeldSource("rows", lambda: damaged(run, 1)), later))
    with pytest.raises(SourceError, match="is damaged"):
        by(PlainRun, run)
    assert later.n_read == 0


def both(*held: HeldSource) -> Callable[..., Any]:
    by_name = {one.name: one for one in held}
    return lambda source, *arguments: by_name[source.name].tables(source, *arguments)


def test_a_shard_that_fails_meanwhile(
    run: SmallRun, built: Callable[[], Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything else is read and curated, and the phase tells of the shard as it does otherwise."""
    failing = fails(monkeypatch, KeyError("broken"))
    held = HeldSource("rows", failing.is_set).take_effect(monkeypatch)
    with pytest.raises(ShardsFailedError, match="curate: 1 of 11 shards failed"):
        built()
    assert held.n_read == N_SHARDS
    assert n_curated(run) == N_SHARDS
    monkeypatch.undo()
    assert_equal(run, built())


def test_a_fatal_failure_ends_the_reading(run: SmallRun, built: partial[Made], monkeypatch: pytest.MonkeyPatch) -> None:
    """What would hit all shards is told of, and the source is not read to its end for shards that nobody will begin."""
    failing = fails(monkeypatch, RecipeError("nothing can work"))
    held = HeldSource("rows", failing.is_set, pace_s=0.05).take_effect(monkeypatch)
    run.rows = [question(number) for number in range(20 * 100)]
    with pytest.raises(ShardsFailedError, match="nothing can work"):
        built()
    if built.func is by_flow:  # without Prefect the other shards go on, as they do in every phase
        assert held.n_read < 100


@pytest.mark.usefixtures("prefect_flows")
def test_an_interrupt_ends_the_reading(run: SmallRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in mid-reading: no shard more is begun, the reading ends with the shard at hand, the next run goes on."""
    run.rows = [question(number) for number in range(20 * 100)]

    def interrupted() -> bool:
        if is_curating(run):
            os.kill(os.getpid(), signal.SIGINT)
        return is_curating(run)

    held = HeldSource("rows", interrupted, pace_s=0.05).take_effect(monkeypatch)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            by_flow(run)
    finally:
        signal.signal(signal.SIGINT, before)
    assert held.n_read < 100
    monkeypatch.undo()
    curated = n_curated(run)
    run.rows = run.rows[: 20 * N_SHARDS]
    assert by_flow(run).n_cached >= 3 * min(curated, N_SHARDS)


@pytest.mark.usefixtures("prefect_flows")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_is_killed_while_it_reads(run: SmallRun, number: int) -> None:
    """What was curated until then is found, nothing temporary is left, and the bytes are the same."""
    run.write()
    process = launch(run.folder, "tests.support.runs.held_source", str(run.recipe_path), "--out", str(run.out))
    if number == signal.SIGKILL:
        kill(process, run.folder, lambda: is_curating(run))
    else:
        until(lambda: is_curating(run))
        process.send_signal(number)
        process.wait(PATIENCE_S)
    assert n_manifests(run, "snapshot") == 1  # that of the other source
    curated = n_curated(run)
    assert 2 <= curated <= N_READ + 1
    made = by(PlainRun, run)
    assert made.n_cached >= 3 * curated
    assert not list((run.folder / "store" / ".tmp").iterdir())
    assert_equal(run, made)

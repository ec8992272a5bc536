"""Curating while the sources are being read: what it overlaps with, what it leaves as it is, and how it may end."""

from __future__ import annotations

import itertools
import json
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.engine.measured_run import OneByOne
from flows.build_dataset import build
from flows.engine.failures import ShardsFailedError
from flows.phases.shards import ShardHistory, curate_one
from tests.support.runs.held_source import N_READ, PATIENCE_S, HeldSource, n_curated
from tests.support.runs.killed_run import kill, launch, n_manifests
from tests.support.runs.small_run import SmallRun, digests_of, question
from tests.support.servers.chat_server import ChatServer
from tracemill.core import RecipeError, SourceError
from tracemill.recipe import load_recipe
from tracemill.store import Store

if TYPE_CHECKING:
    from flows.build_dataset import Built
    from flows.engine.steps import Step

N_SHARDS = 10  # of the source that is held, and 20 rows each
WAYS = ("plain", "flow")


@pytest.fixture
def teacher() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


@pytest.fixture
def run(teacher: ChatServer, tmp_path: Path) -> SmallRun:
    """A run of two sources: one shard, and ten that are curated in threads as soon as the first is there."""
    rows = [question(number) for number in range(20 * N_SHARDS)]
    return SmallRun(tmp_path / "run", teacher.url, rows=rows, sections={"run": {"runner": {"kind": "threads"}}})


@pytest.fixture(params=WAYS)
def built(request: pytest.FixtureRequest, run: SmallRun) -> Callable[[], Built]:
    """Build without Prefect, and by a flow."""
    if request.param == "flow":
        request.getfixturevalue("prefect_flows")
        return run.build_by_flow
    return run.build


def is_curating(run: SmallRun) -> bool:
    """Whether a shard of the second source is curated."""
    return n_curated(run) >= 2


def read_first(run: SmallRun, name: str = "first") -> tuple[Built, Path]:
    """Build the same in a store of its own, every source read before any shard is curated."""
    run.write()
    recipe = load_recipe(run.recipe_path, [f"run.store={run.folder / name}"])
    context = OneByOne(recipe, Store(recipe.run.store), logging.getLogger("tests"))
    return build(context, str(run.folder / f"{name}-out")), run.folder / name


def keys(store: Path) -> set[str]:
    """The keys of everything that is finished."""
    return {str(path.relative_to(store)) for path in (store / "manifests").rglob("*.json")}


def data(out: Path) -> dict[str, str]:
    return {name: digest for name, digest in digests_of(out).items() if name.endswith((".parquet", ".zst"))}


def assert_equal(run: SmallRun, built: Built) -> None:
    """The run is what it is when every source is read first: bytes, keys, collection and counts."""
    expected, store = read_first(run)
    assert data(run.out) == data(run.folder / "first-out") != {}
    assert keys(run.folder / "store") == keys(store)
    collections = [next((at / "collections").glob("*.json")).read_bytes() for at in (run.folder / "store", store)]
    assert collections[0] == collections[1]
    assert built.n_executed + built.n_cached == expected.n_executed + expected.n_cached


def test_shards_are_curated_while_their_source_is_read(
    run: SmallRun, built: Callable[[], Built], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source that is read on only when a shard of it is curated is read; the bytes and keys are the same."""
    held = HeldSource("rows", lambda: is_curating(run)).take_effect(monkeypatch)
    made = built()
    assert held.n_read == N_SHARDS
    monkeypatch.undo()
    assert_equal(run, made)


def test_what_has_grown_has_the_same_batches(run: SmallRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that were added to both sources are the next batch, in chunks and places as if all had been read first."""
    run.sections["sources"] = [{"name": name, "path": f"{name}.jsonl", "layout": "gsm8k"} for name in ("more", "rows")]
    more = run.folder / "more.jsonl"
    run.folder.mkdir()
    lines = [json.dumps(question(number)) + "\n" for number in range(1000, 1070)]
    more.write_text("".join(lines[:45]))
    run.build()
    read_first(run)
    more.write_text("".join(lines))
    run.rows = run.rows + [question(number) for number in range(2000, 2030)]
    HeldSource("rows", lambda: True, pace_s=0.05).take_effect(monkeypatch)
    made = run.build()
    monkeypatch.undo()
    assert_equal(run, made)
    batches = json.loads(next((run.folder / "store" / "collections").glob("*.json")).read_text())["batches"]
    assert [[raw["shard"]["rows"] for raw in batch] for batch in batches] == [[20, 20, 5] + [20] * 10, [20, 5, 20, 10]]


def test_many_small_sources(run: SmallRun) -> None:
    """Sources of a shard and less share blocks, and one of them that has no rows and may not is named."""
    names = [f"part{number:02d}" for number in range(30)]
    sources = [{"name": name, "path": f"{name}.jsonl", "layout": "gsm8k"} for name in names]
    run.sections["sources"] = sources
    run.sections["run"] |= {"shards_per_flow": 7}
    run.folder.mkdir()
    for place, name in enumerate(names):
        rows = [question(100 * place + number) for number in range(place % 4 + 20)]
        (run.folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = run.build()
    assert_equal(run, made)
    (run.folder / "part28.jsonl").write_text("")
    with pytest.raises(SourceError, match="source part28 has no rows"):
        run.build()
    (run.folder / "part29.jsonl").unlink()
    with pytest.raises(SourceError, match="part29"):
        run.build()


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
    run: SmallRun, built: Callable[[], Built], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run ends with the reader's own error; what is curated is found by the next run, and no byte is different."""
    HeldSource("rows", lambda: damaged(run)).take_effect(monkeypatch)
    with pytest.raises(SourceError, match=r"^rows\.jsonl is damaged"):
        built()
    monkeypatch.undo()
    curated = n_curated(run)
    assert 2 <= curated <= N_READ + 1
    assert not list((run.folder / "store" / "manifests" / "select").glob("*.json"))
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
        run.build()
    assert later.n_read == 0


def both(*held: HeldSource) -> Callable[..., Any]:
    by_name = {one.name: one for one in held}
    return lambda source, *arguments: by_name[source.name].tables(source, *arguments)


def test_a_shard_that_fails_meanwhile(
    run: SmallRun, built: Callable[[], Built], monkeypatch: pytest.MonkeyPatch
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


def test_a_fatal_failure_ends_the_reading(
    run: SmallRun, built: Callable[[], Built], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would hit all shards is told of, and the source is not read to its end for shards that nobody will begin."""
    failing = fails(monkeypatch, RecipeError("nothing can work"))
    held = HeldSource("rows", failing.is_set, pace_s=0.05).take_effect(monkeypatch)
    run.rows = [question(number) for number in range(20 * 100)]
    with pytest.raises(ShardsFailedError, match="nothing can work"):
        built()
    if built == run.build_by_flow:  # without Prefect the other shards go on, as they do in every phase
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
            run.build_by_flow()
    finally:
        signal.signal(signal.SIGINT, before)
    assert held.n_read < 100
    monkeypatch.undo()
    curated = n_curated(run)
    run.rows = run.rows[: 20 * N_SHARDS]
    assert run.build_by_flow().n_cached >= 3 * min(curated, N_SHARDS)


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
    made = run.build_by_flow()
    assert made.n_cached >= 3 * curated
    assert not list((run.folder / "store" / ".tmp").iterdir())
    assert_equal(run, made)

"""The sources of a run as raw shards: read once, and not again while their files are as they were.

What is done with a shard begins as soon as it is stored, while its source is read on (:func:`read_through`): the task
that reads tells of each (``tasks.snapshot.STORED_SHARD``), and the phase opens its blocks with the first that has come.
How far the reading is ahead matters to nobody: the shards lie in the store, and only their handles are in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from flows.engine.context import Begun, RunContext
from flows.engine.lineage import finished
from flows.engine.runners import WORTH_PROCESSES
from flows.engine.steps import Step
from flows.phases.shards import ShardHistory
from tasks.engine.stage import key_of
from tasks.snapshot import STORED_SHARD, Snapshot, raw_shards, snapshot_source
from tracemill.core import Dropped, rows_of
from tracemill.sources import Source, fingerprint
from tracemill.sources.lost_sources import COLUMNS, EXAMPLES, MALFORMED, Collected, much_lost, refuse_empty, refuse_lost
from tracemill.store import Collection, Growth, Manifest, RawShard, Shard, load_collection

Result = TypeVar("Result")
_LARGE_ROW = 20_000  # bytes in a file: rows with traces, compressed or not, have fewer


@dataclass(frozen=True)
class _Snapshot:
    """One source.

    Attributes:
        plan: how it is read.
        state: key of the state that its files are in.
        standing: what it was published from, where its files are as they were then.
        task: that reads it, otherwise.
        stored: what the task has stored so far, and None at its end.
    """

    source: Source
    plan: Snapshot
    state: str
    standing: Manifest | None = None
    task: Begun | None = None
    stored: queue.SimpleQueue[RawShard | None] = field(default_factory=queue.SimpleQueue)


class Reading:
    """Sources that are read one after the other, in a thread beside the run's; each shard is there when it is stored.

    A source whose files have not been touched since the last time is not read again.

    Args:
        context: of the run.
        limit: at most so many rows of each source, from its beginning.

    Attributes:
        collection: every source as raw shards, and in which batch each shard is; once all were given out.
        tasks: that read, as nodes of the run's own page.
        goes_on: whether a source has to be read; False where all was read before.

    Raises:
        SourceError: there is no file of a source.
    """

    def __init__(self, context: RunContext[Any], limit: int | None = None) -> None:
        self.collection = Collection()
        self.goes_on = False
        self._context, self._limit = context, limit
        self._before = load_collection(context.store, context.recipe.name)
        self._n_rows = self._n_at_least = 0
        self._stopped = threading.Event()
        planned = [self._planned(source) for source in context.recipe.sources]
        self._snapshots: list[_Snapshot] = []
        for one in planned:  # once none of them is missing
            earlier = next((before.task for before in reversed(self._snapshots) if before.task is not None), None)
            self._snapshots.append(one if one.standing is not None else self._begun(one, earlier))
        begun = [found.task.task_run_id for found in self._snapshots if found.task is not None]
        # A shard hangs on the task that reads its source, which may still be at others: Prefect draws the edge from the
        # run's id, and is told of a state that nobody has to wait for.
        self.tasks = [finished(one) for one in begun if one is not None]
        is_read = any(found.standing is None for found in self._snapshots)
        context.compute_with(self._n_at_least, soon=is_read)

    def _planned(self, source: Source) -> _Snapshot:
        """Return how a source is read, or what stands of it."""
        recipe, store = self._context.recipe, self._context.store
        plan = Snapshot(
            source=source,
            shard_rows=recipe.collect.shard_rows,
            fingerprint=fingerprint(source, recipe.data_dir),
            published={},
            limit=self._limit,
            data_dir=recipe.data_dir,
        )
        state = key_of(snapshot_source, plan, {})
        standing = store.find("snapshot", self._before.snapshots.get(state, ""))
        found = _Snapshot(source, plan, state, standing)
        if standing is not None:
            self._context.n_cached += 1
            self._n_at_least += standing.rows_in
            found.stored.put(None)
            return found
        self._n_at_least += _rows_at_least(plan)
        plan = plan.model_copy(update={"published": self._before.chunk_lengths(source.name)})
        self.goes_on |= store.find("snapshot", key_of(snapshot_source, plan, {})) is None
        return replace(found, plan=plan)

    def _begun(self, found: _Snapshot, earlier: Begun | None) -> _Snapshot:
        """Return a snapshot with the task that reads its source after those of the sources before."""
        told = STORED_SHARD.set(partial(self._is_stored, found))
        try:
            task = self._context.begun(snapshot_source, found.plan, {}, found.source.name, after=earlier)
        finally:
            STORED_SHARD.reset(told)
        task.future.add_done_callback(lambda _: found.stored.put(None))
        return replace(found, task=task)

    def _is_stored(self, found: _Snapshot, raw: RawShard) -> None:
        """Note a shard, in the thread that reads; ends the reading where nobody waits for it any more."""
        if self._stopped.is_set():
            raise asyncio.CancelledError("the run is being ended")  # Prefect's task: Crashed, not Failed
        found.stored.put(raw)

    def close(self) -> None:
        """Have the reading end with the next shard, unless it has ended."""
        self._stopped.set()

    def shards(self) -> Iterator[tuple[str, RawShard]]:
        """Yield every shard with its label, in the order of the collection, as soon as its place in that is certain.

        Raises:
            SourceError: a source cannot be read, or has no rows.
        """
        waiting: list[tuple[str, RawShard]] = []
        for number, raw in enumerate(self._placed()):
            waiting.append((_label(number, raw), raw))
            if self._is_decided():
                yield from waiting
                waiting.clear()
        self._context.compute_with(self._n_rows)
        yield from waiting

    def _is_decided(self) -> bool:
        """Whether it is certain by now that the run has worker processes, or that it has none.

        A block of shards computes where it was told to when it was opened; and what a few thousand rows take in this
        process they would take from the reading.
        """
        if self._context.recipe.run.runner.kind != "auto" or self._n_at_least >= WORTH_PROCESSES:
            return True
        if self._n_rows < WORTH_PROCESSES:
            return False
        self._n_at_least = self._n_rows
        self._context.compute_with(self._n_rows, soon=True)
        return True

    def _placed(self) -> Iterator[RawShard]:
        """Yield every shard in the order of the collection; the collection is there after the last one."""
        growth = Growth(self._before, [found.source.name for found in self._snapshots])
        present: list[RawShard] = []
        keys: dict[str, str] = {}
        for found in self._snapshots:
            for raw in self._stored(found, keys):
                present.append(raw)
                self._n_rows += raw.shard.rows
                yield from growth.add(raw)
            yield from growth.end(found.source.name)
        self.collection = self._before.grown(present, keys)
        self._context.logger.info(
            "%d sources, %s rows in %d shards, batch %d",
            len(self._snapshots),
            f"{self._n_rows:,}",
            len(present),
            len(self.collection.batches),
        )

    def _stored(self, found: _Snapshot, keys: dict[str, str]) -> Iterator[RawShard]:
        """Yield the shards of a source as they are stored, and note its snapshot's key by the state of its files."""
        n_told = 0
        for raw in iter(found.stored.get, None):
            if found.task is not None and found.task.task_run_id is not None:
                self._context.lineage.add_task("", [raw.shard], found.task.task_run_id)
            n_told += 1
            yield raw
        manifest = found.standing if found.task is None else self._context.ended(found.task)
        assert manifest is not None  # noqa: S101 - it stands where there is no task
        for note in manifest.facts.get("notes", []):
            self._context.logger.warning("source %s: %s", found.source.name, note)
        refuse_empty(found.source, self._context.recipe.data_dir, manifest.rows_in)
        keys[found.state] = manifest.key
        yield from raw_shards(found.source, manifest)[n_told:]


def read_sources(context: RunContext[Any], limit: int | None = None) -> Collection:
    """Return every source as raw shards, and in which batch each shard is, once all are read; see :class:`Reading`."""
    with contextlib.closing(Reading(context, limit)) as reading:
        deque(reading.shards(), maxlen=0)
        return reading.collection


def read_through(
    context: RunContext[Any],
    name: str,
    last_stage: str,
    through: Callable[..., Result],
    limit: int | None = None,
) -> tuple[Collection, dict[str, Result]]:
    """Take every raw shard through a phase, while the sources are still being read.

    Args:
        context: of the run.
        name: of the phase.
        last_stage: the stage that ends a shard.
        through: takes one shard through: given a step, and ``raw`` and ``source`` by name.
        limit: at most so many rows of each source, from its beginning.

    Returns:
        The collection, and the results by label, in the order of the collection.

    Raises:
        SourceError: a source cannot be read, or has no rows; what was finished until then is kept.
        TracemillError: see :meth:`RunContext.phase`.
    """
    sources = {source.name: source for source in context.recipe.sources}
    reading = Reading(context, limit)

    def shards() -> Generator[tuple[str, Callable[[Step], Result]], None, None]:
        with contextlib.closing(reading):
            for label, raw in reading.shards():
                yield label, partial(through, raw=raw, source=sources[raw.source])

    with contextlib.closing(reading), contextlib.closing(shards()) as coming:
        work = coming if reading.goes_on else dict(coming)
        results = context.phase(name, last_stage, work, after=reading.tasks)
    return reading.collection, results


def _rows_at_least(plan: Snapshot) -> int:
    """So many rows are in the files of a source for certain, by their sizes; 0 where these are not known."""
    if plan.source.hub is not None:
        return 0
    n_rows = sum(int(size) for _, size, *_ in plan.fingerprint) // _LARGE_ROW
    return n_rows if plan.limit is None else min(n_rows, plan.limit)


def refuse_lost_sources(context: RunContext[Any], histories: Iterable[ShardHistory]) -> None:
    """Stop the run where nothing is left of a source, or a column that it names is in no row.

    Args:
        context: of the run.
        histories: of all shards; the first step of each is the one that collects.

    Raises:
        SourceError: see :func:`tracemill.sources.lost_sources.refuse_lost`.
    """
    found: dict[str, Collected] = {}
    dropped: dict[str, list[Shard]] = {}
    for history in histories:
        first = history.manifests[0]
        found[history.source] = found.get(history.source, Collected()) + _collected(first)
        dropped.setdefault(history.source, []).append(first.outputs["dropped"])
    for source in context.recipe.sources:
        total = found.get(source.name, Collected())
        tables = dropped.get(source.name, [])[:1] if total.rows and not total.kept else []
        examples = [row for table in tables for row in rows_of(Dropped, context.store.read_table(table))]
        refuse_lost(source, total, examples[:EXAMPLES])
        told = much_lost(source, total)
        if told:
            context.logger.warning(told)


def _collected(manifest: Manifest) -> Collected:
    return Collected(
        rows=manifest.rows_in,
        kept=manifest.rows_kept,
        dropped=Counter({reason.partition("/")[2]: count for reason, count in manifest.dropped.items()}),
        malformed=manifest.facts.get(MALFORMED, 0),
        columns=frozenset(manifest.facts.get(COLUMNS, [])),
    )


def shard_labels(collection: Collection) -> list[str]:
    """Return what each shard is called in the UI, in the order of the collection."""
    return [_label(number, raw) for number, raw in enumerate(collection.shards())]


def _label(number: int, raw: RawShard) -> str:
    return f"{number:05d}-{raw.source}"

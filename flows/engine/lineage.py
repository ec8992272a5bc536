"""The edges of the DAG: which run made a table. What works on it waits for that run, and Prefect draws the edge.

A step waits for the task runs that made its inputs, also where they were made in another subflow. A task of the run
itself (clustering, tallies, export) works on tables of thousands of tasks: it waits for the blocks that made them, one
edge a block, which is also what the run's own page can draw, since tasks of subflows are no nodes of it. So 1,400
shards in blocks of 200 are 7 edges into the clustering; one a table would be 1,400, and thousands into the export.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from prefect import State
from prefect.client.schemas.objects import StateDetails
from prefect.states import Completed

from tracemill.store import Shard


@dataclass(frozen=True)
class BlockEnd:
    """What the subflow of a block returns: Prefect knows the run by it, so that others can wait for the block."""

    first: str
    last: str


# What can be waited for: a task run, by its state, or the subflow of a block, by what it returned.
Node = State[Any] | BlockEnd


def finished(task_run_id: UUID) -> State[Any]:
    """Return a task run that others can wait for; its future, with the result in it, need not be kept."""
    return Completed(data=True, state_details=StateDetails(task_run_id=task_run_id))


class Lineage:
    """Who made which table in this run; safe to use from many threads.

    Tables are known by their digests. Equal ones (an empty one, mostly) may come of many shards, so that a shard's own
    go first.
    """

    def __init__(self) -> None:
        self._tasks: dict[tuple[str, str], State[Any]] = {}
        self._nodes: dict[str, Node] = {}
        self._lock = threading.Lock()

    def add_task(self, label: str, outputs: Iterable[Shard], task_run_id: UUID) -> None:
        """A task run of the shard ``label`` has made tables; it may be at further ones, which it is drawn as."""
        state = finished(task_run_id)
        with self._lock:
            for shard in outputs:
                self._tasks[label, shard.sha256] = self._tasks["", shard.sha256] = state

    def add_node(self, outputs: Iterable[Shard], node: Node) -> None:
        """A node of the run's own graph has made tables."""
        with self._lock:
            self._nodes.update((shard.sha256, node) for shard in outputs)

    def tasks(self, label: str, inputs: Iterable[Shard]) -> list[State[Any]]:
        """Return the task runs that made the inputs of a step of the shard ``label``, each once."""
        with self._lock:
            found = [self._tasks.get((label, one.sha256)) or self._tasks.get(("", one.sha256)) for one in inputs]
        return list({state.state_details.task_run_id: state for state in found if state is not None}.values())

    def nodes(self, tables: Iterable[Shard | Node]) -> list[Node]:
        """Return the nodes of the run's own graph that made tables, and those that are given as such, each once."""
        with self._lock:
            found = [self._nodes.get(one.sha256) if isinstance(one, Shard) else one for one in tables]
        return list({id(node): node for node in found if node is not None}.values())

"""A block of shards: a subflow that is held open while somebody else submits its tasks.

Prefect's UI stays usable up to 2-3k task runs in one flow run, so a phase over many shards is several subflows. If
each drove its own shards, the next could begin only when the last shard of the one before has ended, and the teacher
would idle through every tail. So each block has a thread that enters its flow run and waits there, and the one thread
that drives all chains submits every task in the context of its block.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from prefect import tags
from prefect.context import TagsContext

from flows.clusters import Tasks
from flows.task_runners import PhaseFlow

Value = TypeVar("Value")

MOST_TAGS = 20  # sources that a flow run is tagged by; a recipe may have hundreds


class Block:
    """One subflow of the flow run in whose context it is made.

    Args:
        name: of the flow.
        labels: of its shards, in the order in which they start.
        task_runner: what runs its tasks.

    Attributes:
        is_open: tasks can be submitted.
        error: what ended the subflow, unless it was given to :meth:`end`.
    """

    def __init__(self, name: str, labels: Sequence[str], task_runner: Tasks) -> None:
        self.name, self.labels, self._task_runner = name, labels, task_runner
        self.is_open = False
        self.error: BaseException | None = None
        self._outcome: BaseException | None = None
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self, tell: Callable[[Block], None]) -> None:
        """Starts the subflow; ``tell`` is called from another thread when it is open, or could not be opened."""
        within = contextvars.copy_context()
        self._thread = threading.Thread(target=within.run, args=(self._hold, tell), name=f"block {self.labels[0]}")
        self._thread.start()

    def submit(self, work: Callable[[], Value]) -> Value:
        """Calls ``work`` in the context of the subflow; from one thread at a time."""
        return self._context.run(work)

    def end(self, outcome: BaseException | None) -> None:
        """Lets the subflow end, well or with an error; does not wait for it."""
        self._outcome = outcome
        self._over.set()

    def join(self) -> None:
        """Waits for the end.

        Raises:
            BaseException: what ended the subflow, unless it was given to :meth:`end`.
        """
        if self._thread is not None:
            self._thread.join()
        if self.error is not None:
            raise self.error

    def _hold(self, tell: Callable[[Block], None]) -> None:
        def shards(first: str, last: str) -> None:  # noqa: ARG001 - parameters are what the UI shows
            # The flow run's tags are not for its tasks: each tag makes a task ask for a concurrency slot.
            with TagsContext(current_tags=set()):
                self._context = contextvars.copy_context()
            self.is_open = True
            tell(self)
            self._over.wait()
            if self._outcome is not None:
                raise self._outcome

        try:
            with tags(self.name, *sorted({source_of(label) for label in self.labels})[:MOST_TAGS]):
                PhaseFlow(
                    shards,
                    name=self.name,
                    flow_run_name=f"{self.name} {min(self.labels)} to {max(self.labels)}",
                    task_runner=self._task_runner,
                    validate_parameters=False,
                )(min(self.labels), max(self.labels))
        except BaseException as error:  # noqa: BLE001 - whatever it is, the thread that drives must hear of it
            if error is not self._outcome:
                self.error = error
                tell(self)


def source_of(label: str) -> str:
    """The source in a shard's label, such as "00002-rows"."""
    return label.partition("-")[2] or label

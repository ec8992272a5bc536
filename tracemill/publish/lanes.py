"""Parts of a publication that are written side by side, each by one thread, in order: bytes do not depend on threads.

Arrow, zstd, SHA-256 and the disk work without Python's lock.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

Item = TypeVar("Item")

MOST_FOLDERS: Final = 4  # written at once; each holds one shard, some 50 MB
_READ_AHEAD: Final = 2  # pieces of at most a thousand rows
_END: Final = object()


class Lane:
    """Does what it is given, one after the other; of several threads, as many at once.

    Args:
        executor: without one everything is done at once.
    """

    def __init__(self, executor: ThreadPoolExecutor | None = None) -> None:
        self._executor = executor
        self._given: deque[Future[None]] = deque()

    def do(self, work: Callable[[], None], most_waiting: int | None = None) -> None:
        """Do it, now or later; raises what earlier work has raised.

        Args:
            work: what is done.
            most_waiting: waits until not more than that is left to do.
        """
        if self._executor is None:
            work()
            return
        self._given.append(self._executor.submit(work))
        self.check()
        while most_waiting is not None and len(self._given) > most_waiting:
            self._given.popleft().result()

    def check(self) -> None:
        """Raise what finished work has raised."""
        finished = [future for future in self._given if future.done()]
        self._given = deque(future for future in self._given if future not in finished)
        for future in finished:
            future.result()

    def finish(self) -> None:
        """Wait until everything is done; raises what it has raised."""
        while self._given:
            self._given.popleft().result()


@dataclass(frozen=True)
class Lanes:
    """What is written beside the dataset's Parquet files, which are the caller's own.

    Attributes:
        lines: of JSON, in order.
        folders: beside the dataset's, several at once.
        reader: one thread that makes what the caller writes; none where the caller is the only thread.
    """

    lines: Lane
    folders: Lane
    reader: ThreadPoolExecutor | None = None

    def ahead(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items, of which a few are made before they are wanted."""
        if self.reader is None:
            yield from items
            return
        left = iter(items)
        waiting: deque[Future[object]] = deque(self.reader.submit(next, left, _END) for _ in range(_READ_AHEAD))
        while (item := waiting.popleft().result()) is not _END:
            waiting.append(self.reader.submit(next, left, _END))
            yield item  # type: ignore[misc]  # an Item, as it is not the end


def n_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def side_by_side(n_threads: int, stop: threading.Event) -> Iterator[Lanes]:
    """Lanes in threads of their own; whatever happens, nothing runs in them afterwards.

    Args:
        n_threads: that the machine has cores for. Of one everything is done in the caller's; otherwise every lane has
            a thread of its own, also where there are fewer cores: so the folders keep nobody from the dataset's rows.
        stop: is set where the block fails; long work then ends by itself.
    """
    sizes = (1, min(max(1, n_threads - 2), MOST_FOLDERS), 1) if n_threads > 1 else ()
    executors = [ThreadPoolExecutor(size, thread_name_prefix="publish") for size in sizes]
    lanes = Lanes(Lane(executors[0]), Lane(executors[1]), executors[2]) if executors else Lanes(Lane(), Lane())
    try:
        yield lanes
        lanes.lines.finish()
        lanes.folders.finish()
    except BaseException:
        stop.set()
        raise
    finally:
        for executor in executors:
            executor.shutdown(cancel_futures=True)

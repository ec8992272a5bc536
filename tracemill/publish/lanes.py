"""Parts of a publication that are written side by side, each by one thread, in order: bytes do not depend on threads.

Arrow, zstd, SHA-256 and the disk work without Python's lock.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

MOST_THREADS: Final = 3  # the caller's, and a lane each for lines of JSON and for the folders beside


class Lane:
    """Does what it is given, one after the other.

    Args:
        executor: of one thread; without one everything is done at once.
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
        while self._given and self._given[0].done():
            self._given.popleft().result()

    def finish(self) -> None:
        """Wait until everything is done; raises what it has raised."""
        while self._given:
            self._given.popleft().result()


class Lanes(NamedTuple):
    """What is written beside the dataset's Parquet files, which are the caller's own."""

    lines: Lane
    folders: Lane


def n_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def side_by_side(n_threads: int, stop: threading.Event) -> Iterator[Lanes]:
    """Lanes in threads of their own; whatever happens, nothing runs in them afterwards.

    Args:
        n_threads: with the caller's; of one everything is done in it, of two all lanes are one.
        stop: is set where the block fails; long work then ends by itself.
    """
    executors = [ThreadPoolExecutor(1, thread_name_prefix="publish") for _ in range(min(n_threads, MOST_THREADS) - 1)]
    lanes = [Lane(executor) for executor in executors] or [Lane()]
    try:
        yield Lanes(lanes[0], lanes[-1])
        for lane in lanes:
            lane.finish()
    except BaseException:
        stop.set()
        raise
    finally:
        for executor in executors:
            executor.shutdown(cancel_futures=True)

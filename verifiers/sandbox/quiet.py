"""Programs run side by side; one that the clock stopped while others had the processor is run again alone."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Quiet:
    """Who runs something on one engine. Whoever wants to be alone waits for the others, and they for it.

    Those who wait to be alone run nothing meanwhile, so that two of them do not wait for each other.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._n_running = self._n_waiting = 0
        self._is_taken = False

    @contextmanager
    def beside_others(self) -> Iterator[None]:
        """While it is open, others run too; begins once nobody is alone, or waits to be."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_taken and not self._n_waiting)
            self._n_running += 1
        try:
            yield
        finally:
            self._count(-1)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While it is open, nobody else runs; for use within :meth:`beside_others`."""
        with self._changed:
            self._n_running -= 1
            self._n_waiting += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._is_taken and not self._n_running)
            self._n_waiting -= 1
            self._is_taken = True
        try:
            yield
        finally:
            with self._changed:
                self._is_taken = False
            self._count(1)

    def _count(self, change: int) -> None:
        with self._changed:
            self._n_running += change
            self._changed.notify_all()

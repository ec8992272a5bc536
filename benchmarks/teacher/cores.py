"""Two machines in one: a model's server and what asks it, each on processors of its own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


def split_cores() -> tuple[set[int], set[int]]:
    """Processors of the model's server, and those of all else: both would have their own, were they two machines.

    Where they share them, whatever a build computes is taken from the server, and what is compared is not the client.
    """
    cores = sorted(os.sched_getaffinity(0))
    half = len(cores) // 2
    return (set(cores[:half]), set(cores[half:])) if half else (set(cores), set(cores))


@contextlib.contextmanager
def on_cores(cores: set[int]) -> Iterator[None]:
    """Give what is started meanwhile runs on these processors."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)

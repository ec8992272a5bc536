"""What is written side by side: in order, to its end or not at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from tracemill.publish.lanes import MOST_FOLDERS, n_cores, side_by_side


@pytest.mark.parametrize("n_threads", [1, 2, 3, 16])
def test_a_lane_keeps_its_order(n_threads: int) -> None:
    """Lines are written in order, folders side by side, and all of it when the block ends."""
    lines: list[int] = []
    folders: list[int] = []
    threads: set[int] = {threading.get_ident()}
    with side_by_side(n_threads, threading.Event()) as lanes:
        for number in range(50):
            lanes.lines.do(lambda number=number: lines.append(number), 2)  # type: ignore[misc]
            lanes.folders.do(lambda number=number: folders.append(number) or threads.add(threading.get_ident()))  # type: ignore[misc]
            lanes.folders.check()
    assert lines == sorted(folders) == list(range(50))
    assert (threads == {threading.get_ident()}) is (n_threads == 1)
    assert len(threads) <= 1 + MOST_FOLDERS
    assert n_cores() >= 1


@pytest.mark.parametrize("n_threads", [1, 2, 16])
def test_items_are_made_ahead_in_order(n_threads: int) -> None:
    """All items come in order, at most two of them before they are wanted, and none where nobody goes on."""
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(20):
            made.append(number)
            yield number

    with side_by_side(n_threads, threading.Event()) as lanes:
        for number in lanes.ahead(items()):
            assert len(made) <= number + 4
    assert made == list(range(20))
    with pytest.raises(OSError, match="full"), side_by_side(n_threads, threading.Event()) as lanes:  # noqa: PT012
        next(lanes.ahead(items()))
        raise OSError("full")
    assert len(made) <= 24


def test_what_fails_ahead_fails_where_it_is_wanted() -> None:
    """An error of the one who makes the items comes in its place."""

    def items() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"), side_by_side(2, threading.Event()) as lanes:
        assert list(lanes.ahead(items())) == []


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize("lane", ["lines", "folders"])
def test_an_error_ends_everything(n_threads: int, lane: str) -> None:
    """What fails in a lane is raised where the block is, which tells the others to stop; nothing runs afterwards."""
    stop = threading.Event()

    def fail() -> None:
        raise OSError(lane)

    def wait() -> None:
        if n_threads > 1:
            assert stop.wait(60)

    with pytest.raises(OSError, match=lane), side_by_side(n_threads, stop) as lanes:  # noqa: PT012 - it fails later
        getattr(lanes, lane).do(fail)
        lanes.folders.do(wait)
        while True:
            lanes.lines.do(lambda: time.sleep(0.001), 2)
            lanes.folders.check()
    assert stop.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("publish")]


def test_an_error_of_the_block_ends_the_lanes() -> None:
    """Whoever interrupts the block waits for nothing but what is at work, which is told to stop."""
    stop, began = threading.Event(), threading.Event()
    done: list[str] = []

    def work() -> None:
        began.set()
        assert stop.wait(60)
        done.append("first")

    with pytest.raises(KeyboardInterrupt), side_by_side(2, stop) as lanes:  # noqa: PT012 - as above
        lanes.folders.do(work)
        lanes.folders.do(lambda: done.append("second"))
        assert began.wait(60)
        raise KeyboardInterrupt
    assert done == ["first"]

"""What is written side by side: in order, to its end or not at all."""

from __future__ import annotations

import threading
import time

import pytest

from tracemill.publish.lanes import n_cores, side_by_side


@pytest.mark.parametrize("n_threads", [1, 2, 3, 16])
def test_a_lane_keeps_its_order(n_threads: int) -> None:
    """Of one lane everything is done in order, and all of it when the block ends, in three threads at most."""
    lines: list[int] = []
    folders: list[int] = []
    threads: set[int] = {threading.get_ident()}
    with side_by_side(n_threads, threading.Event()) as lanes:
        for number in range(50):
            lanes.lines.do(lambda number=number: lines.append(number), 2)  # type: ignore[misc]
            lanes.folders.do(lambda number=number: folders.append(number) or threads.add(threading.get_ident()))  # type: ignore[misc]
    assert lines == folders == list(range(50))
    assert len(threads) == min(n_threads, 2)
    assert n_cores() >= 1


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

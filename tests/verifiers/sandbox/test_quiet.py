"""Being alone on an engine: who wants it waits for the others, and they for it; nobody waits for ever."""

from __future__ import annotations

import threading
import time

import pytest

from verifiers.sandbox.quiet import Quiet

SOON = 5.0  # s; what happens at all happens long before


class Worker(threading.Thread):
    """Runs beside the others, asks to be alone once it is told to, and ends when it may."""

    def __init__(self, quiet: Quiet, *, wants_alone: bool = False) -> None:
        super().__init__(daemon=True)
        self.quiet, self.wants_alone = quiet, wants_alone
        self.running, self.alone, self.ask, self.may_end = (threading.Event() for _ in range(4))
        self.start()

    def run(self) -> None:
        with self.quiet.beside_others():
            self.running.set()
            if self.wants_alone:
                self.ask.wait(SOON)
                with self.quiet.alone():
                    self.alone.set()
                    self.may_end.wait(SOON)
            self.may_end.wait(SOON)

    def end(self) -> None:
        self.may_end.set()
        self.join(SOON)
        assert not self.is_alive()


def is_held(event: threading.Event) -> bool:
    """Whether it is still not set after a while."""
    return not event.wait(0.1)


def test_many_run_beside_each_other() -> None:
    """Nobody waits while nobody wants to be alone."""
    quiet = Quiet()
    workers = [Worker(quiet) for _ in range(4)]
    assert all(worker.running.wait(SOON) for worker in workers)
    for worker in workers:
        worker.end()


def test_whoever_is_alone_has_waited_for_the_rest_and_holds_up_newcomers() -> None:
    """It begins when the last of the others has ended; who comes meanwhile begins when it is done."""
    quiet = Quiet()
    other, one = Worker(quiet), Worker(quiet, wants_alone=True)
    assert other.running.wait(SOON)
    assert one.running.wait(SOON)
    one.ask.set()
    assert is_held(one.alone)
    newcomer = Worker(quiet)
    assert is_held(newcomer.running)
    other.end()
    assert one.alone.wait(SOON)
    assert is_held(newcomer.running)
    one.end()
    assert newcomer.running.wait(SOON)
    newcomer.end()


def test_several_who_want_to_be_alone_have_their_turns() -> None:
    """Two that want it at once do not wait for each other, and are never alone together."""
    quiet = Quiet()
    n_inside = n_most = 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal n_inside, n_most
        with quiet.beside_others(), quiet.alone():
            with lock:
                n_inside += 1
                n_most = max(n_most, n_inside)
            time.sleep(0.01)
            with lock:
                n_inside -= 1

    threads = [threading.Thread(target=work, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON)
    assert not any(thread.is_alive() for thread in threads)
    assert n_most == 1


def test_a_failure_gives_the_engine_back() -> None:
    """What raises, alone or beside others, holds nobody up."""
    quiet = Quiet()
    with pytest.raises(KeyError), quiet.beside_others(), quiet.alone():
        raise KeyError
    with pytest.raises(ValueError, match="beside"), quiet.beside_others():
        raise ValueError("beside")
    one = Worker(quiet, wants_alone=True)
    one.ask.set()
    assert one.alone.wait(SOON)
    one.end()

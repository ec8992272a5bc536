"""Keeps servers up: waits until all answer, starts again those that die or hang, and ends all of them.

A server that ends before it has ever answered is set up wrongly, and so is one that ends again and again soon after it
answered: then all end, with the last lines of its log. Any other death is an accident, and it is started again after a
second, and after twice as long each time that it does not stay up.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracemill.core import ModelServerError
from tracemill.serve.process import ServerProcess, is_healthy, is_taken

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from threading import Event
    from types import TracebackType
    from typing import Self

    from tracemill.serve.plan import PlannedServer

_LOOK_EVERY_S: Final = 1.0
_STOP_S: Final = 20.0  # vLLM ends within a few seconds of SIGTERM
_HUNG_S: Final = 120.0  # without an answer to /health, of a server that has answered
_STAYED_UP_S: Final = 300.0  # after that long, a death is the first one again
_DEATHS: Final = 5  # in a row, none of which came later than that
_LONGEST_PAUSE_S: Final = 60.0


@dataclass
class _Kept:
    """A server that is kept up.

    Attributes:
        planned: what it is.
        process: None between a death and the next start.
        started: when, in seconds of the monotonic clock.
        answered: when last; None since its start.
        n_deaths: in a row, each soon after its start.
        restart: when it is to be started again.
        has_answered: whether it ever has.
    """

    planned: PlannedServer
    process: ServerProcess | None = None
    started: float = 0.0
    answered: float | None = None
    n_deaths: int = 0
    restart: float = 0.0
    has_answered: bool = False

    @property
    def label(self) -> str:
        """Name it in messages."""
        gpus = f", GPU {','.join(map(str, self.planned.gpus))}" if self.planned.gpus else ""
        return f"{self.planned.model} at {self.planned.base_url}{gpus}"


class Supervisor:
    """Servers for the length of a ``with`` block; on Linux they also end when this process is killed."""

    def __init__(
        self,
        planned: Sequence[PlannedServer],
        *,
        python: str,
        logs: Path,
        more: Sequence[str] = (),
        start_s: float = 1_800.0,
        say: Callable[[str], None] = print,
    ) -> None:
        """Start nothing yet.

        Args:
            planned: the servers.
            python: interpreter of the environment that has vLLM.
            logs: folder for a log file of each server.
            more: further options of vLLM, for each of them.
            start_s: how long one may take until it answers: large weights load for many minutes.
            say: takes lines for people.
        """
        self._kept = [_Kept(server) for server in planned]
        self._python, self._more, self._logs, self._start_s, self._say = python, more, logs, start_s, say

    def __enter__(self) -> Self:
        """Start all of them.

        Raises:
            ModelServerError: a port is in use, or the interpreter is not there.
        """
        for kept in self._kept:
            if is_taken(kept.planned.host, kept.planned.port):
                raise ModelServerError(
                    f"{kept.label} cannot be started\n"
                    f"  got       port {kept.planned.port} is another program's\n"
                    "  expected  a free port\n"
                    "  remedy    end that program, or set other base_urls"
                )
        try:
            for kept in self._kept:
                self._start(kept)
        except BaseException:
            self._end_all()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End all of them, whatever they are doing."""
        self._end_all()

    @property
    def pids(self) -> list[int]:
        """Process ids of those that run."""
        return [kept.process.pid for kept in self._kept if kept.process]

    def wait_until_all_answer(self, stopped: Event) -> bool:
        """Return True when each has answered, and False when we are to stop.

        Raises:
            ModelServerError: one does not come up.
        """
        while not all(kept.has_answered for kept in self._kept):
            if stopped.wait(_LOOK_EVERY_S):
                return False
            self._look()
        return True

    def keep_up(self, stopped: Event) -> None:
        """Look after them until we are to stop.

        Raises:
            ModelServerError: one does not stay up.
        """
        while not stopped.wait(_LOOK_EVERY_S):
            self._look()

    def _look(self) -> None:
        now = time.monotonic()
        for kept in self._kept:
            if kept.process is None:
                if now >= kept.restart:
                    self._start(kept)
            elif kept.process.exit_status is not None:
                self._died(kept, f"ended with status {kept.process.exit_status}", now)
            elif is_healthy(kept.planned.host, kept.planned.port):
                self._answers(kept, now)
            elif now - (kept.answered or kept.started) > (_HUNG_S if kept.answered else self._start_s):
                since = f"for {now - (kept.answered or kept.started):.0f} s"
                self._died(kept, f"did not answer /health {since}", now)

    def _start(self, kept: _Kept) -> None:
        server = kept.planned
        log = self._logs / f"{server.model.replace('/', '--')}-{server.port}.log"
        try:
            kept.process = ServerProcess(server.command(self._python, self._more), server.environment(os.environ), log)
        except OSError as error:
            raise ModelServerError(
                f"{kept.label} cannot be started\n"
                f"  got       {self._python}: {error.strerror or error}\n"
                "  expected  the Python of an environment that has vLLM\n"
                "  remedy    make teacher (a build for the CPU), or --vllm-python with your own"
            ) from error
        kept.started, kept.answered = time.monotonic(), None
        self._say(f"starting {kept.label}; log: {log}")

    def _answers(self, kept: _Kept, now: float) -> None:
        if kept.answered is None:
            self._say(f"{kept.label} answers after {now - kept.started:.0f} s")
        kept.answered, kept.has_answered = now, True
        if now - kept.started > _STAYED_UP_S:
            kept.n_deaths = 0

    def _died(self, kept: _Kept, how: str, now: float) -> None:
        """Plan its next start.

        Raises:
            ModelServerError: there is none, since it would die again.
        """
        process = kept.process
        assert process is not None  # noqa: S101 - who has none cannot die
        tail = process.log_tail()
        process.ask_to_end()
        process.end(_STOP_S)
        kept.process = None
        kept.n_deaths = 1 if now - kept.started > _STAYED_UP_S else kept.n_deaths + 1
        if not kept.has_answered or kept.n_deaths >= _DEATHS:
            times = "before it had answered" if not kept.has_answered else f"{kept.n_deaths} times in a row"
            raise ModelServerError(
                f"{kept.label} {how}, {times}\n"
                f"  got       {process.log}, its end:\n{tail}\n"
                "  expected  a server that answers /health\n"
                "  remedy    mend what the log says; --vllm sets its options"
            )
        pause = min(_LONGEST_PAUSE_S, 2.0 ** (kept.n_deaths - 1))
        kept.restart = now + pause
        self._say(f"{kept.label} {how}; it is started again in {pause:.0f} s (log: {process.log})")

    def _end_all(self) -> None:
        running = [kept.process for kept in self._kept if kept.process]
        for process in running:
            process.ask_to_end()
        deadline = time.monotonic() + _STOP_S
        for process in running:
            process.end(max(0.0, deadline - time.monotonic()))
        for kept in self._kept:
            kept.process = None

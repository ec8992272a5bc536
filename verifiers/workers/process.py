"""One worker process as its parent sees it: start, hand over a batch, wait for each answer, kill."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from tracemill.core import VerifierError
from verifiers.workers.main import EXIT_MEMORY, HEADER

if TYPE_CHECKING:
    from collections.abc import Callable

_ROOT = str(Path(__file__).resolve().parents[2])
# -P: the parent's working directory does not come before the standard library.
_START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from verifiers.workers.main import main; main()"


class WorkerDied(Exception):  # noqa: N818 - an event that the pool handles, not an error that leaves it
    """The process ended by itself, or was ended by someone else; ``reason`` says how."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class WorkerProcess:
    """A started process. Used by one thread at a time, but for :meth:`interrupt`.

    Started as a plain subprocess: nothing is forked from a threaded parent and nobody's ``__main__`` is imported
    again, so it does not matter whether that is pytest, a Prefect worker or ``python -m``.
    """

    def __init__(self, memory_mb: int) -> None:
        self.n_jobs = 0
        self.function = ""
        self._memory_mb = memory_mb
        self._buffer = bytearray()
        lifeline, self._lifeline = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own code
                [sys.executable, "-P", "-c", _START, _ROOT, str(lifeline), str(memory_mb)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                pass_fds=(lifeline,),
                # The order of sets must not differ from one worker to the next: verdicts would.
                env={**os.environ, "PYTHONHASHSEED": "0"},
            )
        except OSError:
            os.close(self._lifeline)
            raise
        finally:
            os.close(lifeline)
        self._jobs, self._answers = cast("IO[bytes]", self._process.stdin), cast("IO[bytes]", self._process.stdout)
        self._poll = select.poll()
        self._poll.register(self._answers, select.POLLIN)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def load(self, function: str) -> None:
        """Has the process load a function, unless it has; then the answer is one frame.

        Raises:
            WorkerDied: nobody reads.
        """
        self.function = function
        self._send({"function": function})

    def give(self, jobs: list[list[Any]]) -> None:
        """Hand over jobs of the function that is loaded; the answers are one frame each.

        Raises:
            WorkerDied: nobody reads, or it died of what it read.
        """
        self._send({"jobs": jobs})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps(message).encode()
        view = memoryview(HEADER.pack(len(body)) + body)
        try:
            while view:
                view = view[os.write(self._jobs.fileno(), view) :]
        except BrokenPipeError:
            raise WorkerDied(self._death()) from None

    def receive(self, seconds: float) -> dict[str, Any] | None:
        """Return the next frame, or None when it has not come whole within ``seconds``.

        Raises:
            WorkerDied: the process ended first.
        """
        deadline = time.monotonic() + seconds
        while (frame := self._frame()) is None:
            left = deadline - time.monotonic()
            if not self._poll.poll(max(0.0, left) * 1000):
                return None
            chunk = os.read(self._answers.fileno(), 1 << 16)
            if not chunk:
                raise WorkerDied(self._death())
            self._buffer += chunk
        return frame

    def interrupt(self) -> None:
        """SIGKILL, from any thread; whoever waits in :meth:`receive` then sees the death."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def discard(self) -> None:
        """Kill and reaps the process, and closes what leads to it."""
        self.interrupt()
        self._process.wait()
        self._jobs.close()
        self._answers.close()
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

    def _frame(self) -> dict[str, Any] | None:
        if len(self._buffer) < HEADER.size:
            return None
        end = HEADER.size + HEADER.unpack_from(self._buffer)[0]
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[HEADER.size : end])
        del self._buffer[:end]
        frame: dict[str, Any] = json.loads(body)
        return frame

    def _death(self) -> str:
        self.interrupt()  # the pipe is closed; if the process itself is not gone, it is of no more use
        status = self._process.wait()
        if status == EXIT_MEMORY:
            return f"memory limit of {self._memory_mb} MB reached"
        if status < 0:
            return f"killed by {signal.Signals(-status).name}"
        return f"exited with status {status}"


def function_path(function: str | Callable[..., Any]) -> str:
    """``module:qualname`` of an importable function.

    Raises:
        VerifierError: another process cannot import it.
    """
    if isinstance(function, str):
        return function
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "<")
    if module in (None, "__main__") or "<" in name:
        raise VerifierError(
            "a worker process cannot import this function",
            got=f"{module}:{name}",
            expected="a function at the top of an importable module, or its module:qualname",
        )
    return f"{module}:{name}"

"""One server's process: started in a group of its own, asked whether it answers, and ended with all its children."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Final

from tracemill.core.child_process import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_ANSWER_S: Final = 2.0
_TAIL_BYTES: Final = 3_000


class ServerProcess:
    """A server that was started; its output goes behind what a log file holds."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        """Start it.

        Raises:
            OSError: there is no such program.
        """
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as sink:
            self._log_start = sink.tell()
            self._process = subprocess.Popen(  # noqa: S603 - our own command, no shell
                command,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent(),  # noqa: PLW1509 - the child calls prctl and getppid, nothing that locks
            )

    @property
    def pid(self) -> int:
        """The process id, which is also that of its group."""
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def log_tail(self) -> str:
        """Return the end of what this process has printed."""
        with self.log.open("rb") as written:
            n_bytes = written.seek(0, os.SEEK_END)
            written.seek(max(self._log_start, n_bytes - _TAIL_BYTES))
            return written.read().decode(errors="replace").strip() or "(it printed nothing)"

    def ask_to_end(self) -> None:
        """Send SIGTERM to the whole group."""
        self._signal(signal.SIGTERM)

    def end(self, patience_s: float) -> None:
        """Wait for its end, and kill what is left of the group after that."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience_s)
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def is_healthy(host: str, port: int) -> bool:
    """Tell whether a server answers ``/health`` well; vLLM's does while its engine lives."""
    try:
        with contextlib.closing(HTTPConnection(_reached(host), port, timeout=_ANSWER_S)) as connection:
            connection.request("GET", "/health")
            return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False


def is_taken(host: str, port: int) -> bool:
    """Tell whether a program listens on a port already."""
    with socket.socket() as probe:
        probe.settimeout(_ANSWER_S)
        return probe.connect_ex((_reached(host), port)) == 0


def _reached(host: str) -> str:
    return "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 - compared, not bound

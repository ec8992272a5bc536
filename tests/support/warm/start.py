"""Starting programs, with what :mod:`subprocess` offers as far as tests use it."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tests.support.needs import ROOT
from tests.support.warm import client

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping


class Started:
    """A program, with the attributes and methods of :class:`subprocess.Popen` that tests use."""

    def __init__(self, pid: int, connection: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._connection = connection

    def poll(self) -> int | None:
        """Its status, if it has ended."""
        return self._status(0)

    def wait(self, timeout: float | None = None) -> int:
        """Its status, once it has ended."""
        status = self._status(timeout)
        if status is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return status

    def send_signal(self, number: int) -> None:
        """Unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def _status(self, patience_s: float | None) -> int | None:
        if self.returncode is None and select.select([self._connection], [], [], patience_s)[0]:
            self.returncode = client.number_on(self._connection)
            self._connection.close()
        return self.returncode


class Script(Started):
    """``python -c`` with pipes of text to its input and from its output; its errors are in a file."""

    def __init__(self, code: str, arguments: tuple[object, ...]) -> None:
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - communicate closes it
        given = [theirs_in, theirs_out, self._errors.fileno()]
        words = ["tests.support.warm.script", code, *map(str, arguments)]
        super().__init__(*client.request(place(), words, str(ROOT), dict(os.environ), given))
        os.close(theirs_in), os.close(theirs_out)
        self.stdin, self.stdout = os.fdopen(ours_in, "w"), os.fdopen(ours_out)

    def communicate(self, text: str = "", timeout: float = 240) -> tuple[str, str]:
        """Gives it its last input, and waits for its end; what else it printed, and its errors."""
        with self.stdin, self.stdout, self._errors:
            with contextlib.suppress(BrokenPipeError):  # it has ended
                self.stdin.write(text)
                self.stdin.close()
            output = self.stdout.read()
            self.wait(timeout)
            self._errors.seek(0)
            return output, self._errors.read()


def start(
    module: str,
    *arguments: str,
    stdout: IO[bytes] | int,
    stderr: IO[bytes] | int,
    stdin: IO[bytes] | int | None = None,
    cwd: Path = ROOT,
    environment: Mapping[str, str] | None = None,
) -> Started:
    """Starts ``python -m module``; files and descriptors as for :class:`subprocess.Popen`, without its constants."""
    with Path(os.devnull).open("rb") as nothing:
        given = [stdin if stdin is not None else nothing, stdout, stderr]
        descriptors = [one if isinstance(one, int) else one.fileno() for one in given]
        settings = dict(os.environ if environment is None else environment)
        return Started(*client.request(place(), [module, *arguments], str(cwd), settings, descriptors))


def script(code: str, *arguments: object) -> Script:
    """Starts ``python -c code`` in this environment and folder of this project."""
    return Script(code, arguments)


def run(
    module: str,
    *arguments: str,
    cwd: Path = ROOT,
    environment: Mapping[str, str] | None = None,
    timeout: float = 240,
) -> subprocess.CompletedProcess[str]:
    """Does ``python -m module``, and returns what it printed."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        program = start(module, *arguments, stdout=output, stderr=errors, cwd=cwd, environment=environment)
        try:
            status = program.wait(timeout)
        finally:
            program.kill()
        texts = []
        for file in (output, errors):
            file.seek(0)
            texts.append(file.read().decode())
    return subprocess.CompletedProcess([module, *arguments], status, *texts)


def as_python(folder: Path) -> dict[str, str]:
    """Makes a ``python`` in a new folder, to be found first; returns the environment variable that it needs."""
    folder.mkdir()
    script = folder / "python"
    # Neither the environment nor site-packages are read, so that it starts in a hundredth of a second.
    script.write_text(f"#!{sys.executable} -ISE\n" + Path(client.__file__).read_text(encoding="utf-8"))
    script.chmod(0o755)
    return {client.PLACE: place()}


def share(place: str) -> None:
    """Takes the process of another one of these tests' processes, in place of one of its own."""
    _shared.append(place)


_shared: list[str] = []


@functools.cache
def place() -> str:
    """Where the process listens; started by the first who needs it, and ended with this one."""
    if _shared:
        return _shared[0]
    folder = tempfile.mkdtemp(prefix="tracemill-warm-")
    listening_at = f"{folder}/socket"
    parent = subprocess.Popen(
        [sys.executable, "-m", "tests.support.warm.parent", listening_at],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdin is not None
    assert parent.stdout is not None

    def end() -> None:
        parent.stdin.close()
        parent.wait()
        parent.stdout.close()
        shutil.rmtree(folder)

    atexit.register(end)
    assert parent.stdout.readline() == "ready\n", "it does not start"
    return listening_at

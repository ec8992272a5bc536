"""Starting programs, with what :mod:`subprocess` offers as far as tests use it."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

import pytest

from demo.teacher.serve import server_environment
from tests.support.needs import ROOT, VLLM_PYTHON
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
        words = ["-c", code, *map(str, arguments)]
        super().__init__(*client.request(str(place_of(PROGRAMS)), words, str(ROOT), dict(os.environ), given))
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
    kind: Kind | None = None,
    forks: bool = True,
) -> Started:
    """Starts ``python -m module``; files and descriptors as for :class:`subprocess.Popen`, without its constants.

    ``kind`` names the process that it is forked from, if that is to have imported more; ``forks`` as of
    :func:`tests.support.warm.client.request`.
    """
    with Path(os.devnull).open("rb") as nothing:
        given = [stdin if stdin is not None else nothing, stdout, stderr]
        descriptors = [one if isinstance(one, int) else one.fileno() for one in given]
        settings = dict(os.environ if environment is None else environment)
        place = str(place_of(kind or PROGRAMS))
        words = ["-m", module, *arguments]
        return Started(*client.request(place, words, str(cwd), settings, descriptors, forks=forks))


def script(code: str, *arguments: object) -> Script:
    """Starts ``python -c code`` in this environment and folder of this project."""
    return Script(code, arguments)


def run(
    module: str,
    *arguments: str,
    cwd: Path = ROOT,
    environment: Mapping[str, str] | None = None,
    timeout: float = 240,
    kind: Kind | None = None,
    forks: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Does ``python -m module``, and returns what it printed; ``kind`` and ``forks`` as of :func:`start`."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        program = start(
            *(module, *arguments),
            stdout=output,
            stderr=errors,
            cwd=cwd,
            environment=environment,
            kind=kind,
            forks=forks,
        )
        try:
            status = program.wait(timeout)
        finally:
            program.kill()
        texts = []
        for file in (output, errors):
            file.seek(0)
            texts.append(file.read().decode())
    return subprocess.CompletedProcess([module, *arguments], status, *texts)


def as_python(folder: Path) -> None:
    """Makes a ``python`` in a new folder, to be found first."""
    folder.mkdir()
    (folder / "python").symlink_to(python())


def python() -> Path:
    """A ``python`` that forks this project's programs."""
    return place_of(PROGRAMS).with_name("python")


def vllm_python() -> Path:
    """A ``python`` that is that of vLLM's environment; it forks vLLM's programs."""
    return place_of(VLLM).with_name("python")


@contextlib.contextmanager
def children_forked() -> Iterator[None]:
    """What this process starts by ``sys.executable`` meanwhile is forked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", str(python()))
        yield


class Kind(NamedTuple):
    """What is forked.

    Attributes:
        python: of its environment.
        parent: the process that they are forked from, in words of that Python's command line.
        forked: packages of the modules; ``-c`` for code, too.
        environment: of that process.
    """

    name: str
    python: Path
    parent: tuple[str, ...]
    forked: tuple[str, ...]
    environment: Callable[[], dict[str, str]] = os.environ.copy


def _vllm_environment() -> dict[str, str]:
    """As of vLLM's servers; with torch's OpenMP, and one thread, as its worker has them on two cores."""
    packages = next(VLLM_PYTHON.parent.parent.glob("lib/python*/site-packages"))
    found = [*packages.glob("torch/lib/libgomp*"), *packages.glob("torch.libs/libgomp*")]
    return server_environment() | {
        "LD_PRELOAD": ":".join(map(str, found[:1])),
        "OMP_NUM_THREADS": "1",
    }


PROGRAMS = Kind(
    "programs",
    Path(sys.executable),
    ("-m", "tests.support.warm.parent"),
    ("benchmarks", "demo", "flows", "prefect", "tasks", "tracemill", "uvicorn", "verifiers"),
)
EMBEDDERS = PROGRAMS._replace(name="embedders", parent=(*PROGRAMS.parent, "sentence_transformers"))
VLLM = Kind("vllm", VLLM_PYTHON, ("-m", "tests.support.warm.vllm_parent"), ("vllm", "-c"), _vllm_environment)


@functools.cache
def place_of(kind: Kind) -> Path:
    """Where the process listens, beside a ``python`` that asks it.

    It is one for all workers of a test session: the first who needs it starts it, and it ends when all have ended who
    had need of it, since it reads from a pipe that they hold open.
    """
    session = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    folder = Path(tempfile.gettempdir(), f"tracemill-warm-{session[:12]}-{kind.name}")
    with _alone():
        folder.mkdir(exist_ok=True)
        if not _hold(folder / "pipe"):
            _start(kind, folder)
    return folder / "socket"


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Of the workers on this tree."""
    here = os.open(Path(__file__).parent, os.O_RDONLY)
    try:
        fcntl.flock(here, fcntl.LOCK_EX)
        yield
    finally:
        os.close(here)


def _hold(pipe: Path) -> bool:
    """Keeps the process alive for as long as this one lives; whether it is there."""
    try:
        os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:  # no pipe, or nobody reads from it
        return False
    return True


def _start(kind: Kind, folder: Path) -> None:
    """Starts the process, and waits until it listens."""
    for name in ("pipe", "socket"):
        (folder / name).unlink(missing_ok=True)
    script = folder / "python"
    # Neither the environment nor site-packages are read, so that it starts in a hundredth of a second.
    call = f"main({str(kind.python)!r}, {kind.forked!r})"
    script.write_text(f"#!{sys.executable} -ISE\n{Path(client.__file__).read_text(encoding='utf-8')}\n\n{call}\n")
    script.chmod(0o755)
    os.mkfifo(folder / "pipe")
    reading = os.open(folder / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert _hold(folder / "pipe")
    parent = subprocess.Popen(
        [kind.python, *kind.parent, str(folder / "socket")],
        cwd=ROOT,
        env=kind.environment(),
        stdin=reading,
        stdout=subprocess.PIPE,
        start_new_session=True,  # who interrupts the tests does not mean it: it ends with the last of them
    )
    os.close(reading)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"ready\n", "it does not start"
    parent.stdout.close()
    parent.returncode = 0  # it may outlive this process, and nobody waits for it

"""What a sandbox is: the seam between judging a program and running it somewhere safe."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

T = TypeVar("T")


class SandboxFault(Exception):  # noqa: N818 - an event that the sandbox handles, not an error that leaves it
    """The container failed, not the program in it. Raised by sessions; the work is begun anew in another container."""


@dataclass(frozen=True, slots=True)
class SandboxFailure:
    """No container could do the work; says nothing about the program.

    Attributes:
        reason: what failed, and what to do about it.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process and all it starts may use.

    Attributes:
        cpu_s: CPU seconds, over all processes and threads.
        wall_s: seconds until it is killed, however little it has worked.
        memory_mb: resident memory of all processes, shared memory included.
        output_bytes: of standard output, and of standard error.
    """

    cpu_s: float
    wall_s: float
    memory_mb: int
    output_bytes: int


@dataclass(frozen=True, slots=True)
class Run:
    """How a process ended.

    Attributes:
        stdout: at most a little more than the limit.
        stderr: the end of it.
        status: exit status; 0 where a signal ended it.
        signal: number of the signal that ended it, or 0.
        stopped: why it was killed, if it was: a limit, or because nobody needed it any more (host).
        out_of_memory: a process was killed for memory, or the limit was passed.
        waited_s: seconds that it was ready to run and did not, or -1 where that is not known.
    """

    stdout: bytes
    stderr: str
    status: int
    signal: int
    stopped: Literal["cpu", "wall", "output", "host"] | None
    out_of_memory: bool
    cpu_s: float
    wall_s: float
    rss_mb: float
    waited_s: float = -1.0

    @property
    def was_starved(self) -> bool:
        """Whether the clock stopped it while it was at work, and others had the processor.

        Work is the CPU time that it had and the time that it waited for a processor; a program that sleeps does
        neither. Where nobody knows how long it waited, a tenth of the time at work must do.
        """
        at_work = self.cpu_s + max(self.waited_s, 0.0)
        return self.stopped == "wall" and at_work > (0.1 if self.waited_s < 0 else 0.5) * self.wall_s

    @property
    def ended_well(self) -> bool:
        """Whether it ran to its end with exit status 0."""
        return not (self.status or self.signal or self.stopped or self.out_of_memory)


class Compiled(NamedTuple):
    """Whether a program can be run at all; ``errors`` is the end of what the compiler said."""

    ok: bool
    errors: str


class Conversation(NamedTuple):
    """A program and tests that talked: how each ended, and what the tests reported."""

    program: Run
    tester: Run
    reports: list[dict[str, Any]]


class Session(Protocol):
    """A container of one's own, for one program.

    Every method raises SandboxFault when the container fails; whoever submitted the work need not catch it.
    """

    @property
    def provenance(self) -> str:
        """What runs the programs: the image's digest."""
        ...

    def alone(self) -> AbstractContextManager[None]:
        """While it is open, no other session on the same engine runs anything."""
        ...

    def compile(self, source: str, language: str, memory_mb: int) -> Compiled:
        """Make ``source`` the program that the other methods run; once for all of its tests."""
        ...

    def run(self, stdin: bytes, limits: Limits) -> Run:
        """Run it as a main program, in a process and under a uid of its own."""
        ...

    def call(self, request: Mapping[str, Any], limits: Limits) -> tuple[Run, dict[str, Any] | None]:
        """Load it as a module and makes one request of it: how it ended, and its reply if there was one.

        The reply was written by the program, and may be anything.
        """
        ...

    def converse(self, plan: Mapping[str, Any], limits: Limits) -> Conversation:
        """Load it as a module, and lets tests in another container talk with it."""
        ...

    def share(self, plan: Mapping[str, Any], limits: Limits) -> tuple[Run, list[dict[str, Any]]]:
        """Run tests in the program's own process. What they report, the program may have made up."""
        ...

    def examine(self, plan: Mapping[str, Any]) -> dict[str, Any]:
        """What the texts of program and tests say, read where no program runs: ``why_not``, ``form``, ``n_perturbed``.

        Why the program is not innocent ("" if it is), the form of the tests, and how many comparisons of theirs the
        control replaces; {} where that could not be told.
        """
        ...


class Sandbox(Protocol):
    """Containers, and the queue in front of them. Used by any number of threads."""

    def submit(self, work: Callable[[Session], T]) -> Future[T | SandboxFailure]:
        """Run ``work`` with a container of its own, again in another one if that fails, and then gives up."""
        ...

    def close(self) -> None:
        """Remove every container; work that is not done ends as a SandboxFailure."""
        ...


class NoSandbox:
    """Stands where there is no sandbox: every submission fails with the reason."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def submit(self, work: Callable[[Session], T]) -> Future[T | SandboxFailure]:  # noqa: ARG002 - the Sandbox contract
        """Fail at once."""
        future: Future[T | SandboxFailure] = Future()
        future.set_result(SandboxFailure(self._reason))
        return future

    def close(self) -> None:
        """Nothing to close."""

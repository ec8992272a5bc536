"""What a sandbox is: the seam between judging a program and running it somewhere safe."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SandboxFailure:
    """No container could run the program to its end; says nothing about the program.

    Attributes:
        reason: what failed, and what to do about it.
    """

    reason: str


class Sandbox(Protocol):
    """Containers, and the queue in front of them. Used by any number of threads."""

    def submit(self, work: Callable[[Any], T]) -> Future[T | SandboxFailure]:
        """Runs ``work`` with a container of its own, again in another one if that fails, and then gives up."""
        ...

    def close(self) -> None:
        """Removes every container; work that is not done ends as a SandboxFailure."""
        ...


class NoSandbox:
    """Stands where there is no sandbox: every submission fails with the reason."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def submit(self, work: Callable[[Any], T]) -> Future[T | SandboxFailure]:  # noqa: ARG002 - the Sandbox contract
        """Fails at once."""
        future: Future[T | SandboxFailure] = Future()
        future.set_result(SandboxFailure(self._reason))
        return future

    def close(self) -> None:
        """Nothing to close."""

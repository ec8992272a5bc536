"""Where batches are answered: what the engine asks of a provider, and of a folder of files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracemill.inference.batches.notes import Made


@dataclass(frozen=True)
class Ended:
    """How a batch has ended.

    Attributes:
        status: in the words of its place.
        files: names for :meth:`BatchPlace.read`, of what was answered and what was not.
        is_refused: the place took none of its requests, and nothing was paid.
        errors: why, as the place says it.
    """

    status: str
    files: tuple[str, ...] = ()
    is_refused: bool = False
    errors: Any = None


class BatchPlace(Protocol):
    """A provider, or a folder of files."""

    @property
    def name(self) -> str:
        """Tell places apart, in notes and messages."""
        ...

    async def check(self) -> None:
        """Refuse a place that would answer no batch.

        Raises:
            TeacherMisconfiguredError: it does not serve the model.
            ServerUnavailableError: nothing answers.
        """
        ...

    async def submit(self, made: Made, data: bytes) -> None:
        """Hand the lines of a batch in; sets its ``batch_id`` where the place gives one.

        Raises:
            TeacherMisconfiguredError: it was not taken.
            ServerUnavailableError: nothing answers.
        """
        ...

    async def found_again(self, noted: Iterable[Made]) -> list[Made]:
        """Return those of the noted batches that were handed in before a kill, with their ``batch_id``."""
        ...

    async def ended(self, made: Made) -> Ended:
        """Wait for a batch's end.

        Raises:
            TeacherMisconfiguredError: its state cannot be read.
            ServerUnavailableError: nothing answers.
        """
        ...

    async def read(self, file: str) -> bytes:
        """Return a file of an ended batch, as JSON lines."""
        ...

    def forget(self, made: Made) -> None:
        """Its answers are in the ledger: remove what was left for it."""
        ...

    def answers_of(self, made: Made) -> str:
        """Name a batch's answers in messages."""
        ...

    async def close(self) -> None:
        """Close connections; batches go on."""
        ...

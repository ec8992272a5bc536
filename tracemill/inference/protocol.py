"""What is said between the pipeline and a teacher: requests, what comes back, and the seam between the two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracemill.ledger import Completion


# vLLM's words for: the assistant's last turn is unfinished, go on with it.
CONTINUE: Final[Mapping[str, bool]] = {"continue_final_message": True, "add_generation_prompt": False}


@dataclass(frozen=True, slots=True)
class Request:
    """One generation to be had.

    Attributes:
        key: see ``ledger.request_key``; requests with one key are one generation.
        messages: the chat, oldest turn first, as ``{"role", "content"}``.
        sampling: what goes into the request's body beside model and messages.
    """

    key: str
    messages: Sequence[Mapping[str, str]]
    sampling: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that a server will not answer, or at which it fails again and again while it answers others.

    Data, not an error; and no answer: it is not in the ledger, and the next run asks again.

    Attributes:
        key: the request's.
        status: HTTP status, as in 400 for a prompt longer than the context; 0 where there was none.
        message: the server's words.
    """

    key: str
    status: int
    message: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a teacher is, over all threads, since the process began.

    Attributes:
        n_asked: generations that were wanted, those from the ledger included.
        n_done: those that were had: from the ledger, answered or refused.
        n_from_ledger: those that had been paid for before.
        n_retried: requests that were sent again, for whatever reason.
        n_refused: see :class:`Refusal`.
        n_in_flight: requests that a server is working on.
        prompt_tokens: read by the teacher for this process.
        completion_tokens: written by the teacher for this process.
        waiting_since: since when no server answers, in seconds since the epoch; None when all is well.
    """

    n_asked: int
    n_done: int
    n_from_ledger: int
    n_retried: int
    n_refused: int
    n_in_flight: int
    prompt_tokens: int
    completion_tokens: int
    waiting_since: float | None


class Record(Protocol):
    """Where a teacher looks first, and what it tells before anybody hears of an answer: a ``ledger.Ledger``."""

    def refresh(self) -> object:
        """Look at what other processes have added."""

    def get(self, key: str) -> Completion | None:
        """Return what is known under a key."""

    def get_many(self, keys: Iterable[str]) -> dict[str, Completion]:
        """Return what is known under keys."""

    def put(self, completion: Completion) -> object:
        """Take an answer down."""

    def require_room(self) -> None:
        """Raise where nothing more could be taken down."""

    def sync(self) -> None:
        """Make sure that it outlives the machine."""

    def close(self) -> None:
        """End it."""


class Teacher(Protocol):
    """Whoever answers requests: ``teacher.ModelClient``, or a fake in tests."""

    def check(self) -> None:
        """Raise TeacherError unless the teacher can be asked."""

    def complete(self, requests: Sequence[Request]) -> list[Completion | Refusal]:
        """Return what came of each request, in their order."""

    def progress(self) -> Progress:
        """Return how far it is; may be called from any thread."""

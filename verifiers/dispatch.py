"""Which verifier judges what, and the stream of verdicts."""

from __future__ import annotations

from collections import deque
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from tracemill.errors import UnknownKindError
from tracemill.schema import Category, Verdict
from verifiers.math_answer import MathVerifier
from verifiers.protocol import Judgement, Pending, unverifiable
from verifiers.worker_pool import WorkerPool

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tracemill.recipe import Verify
    from verifiers.protocol import Attempt, Verifier

_READ_AHEAD = 64  # attempts per worker: four batches, so that a slow one at the head leaves no worker idle


class NoVerifier:
    """Says of every attempt that nothing can judge it; never that it is right."""

    version: Final = "none@1"

    def __init__(self, category: Category) -> None:
        self._category = category

    def begin(self, attempt: Attempt, pool: WorkerPool) -> Judgement:  # noqa: ARG002 - the Verifier contract
        """Unverifiable, whatever it is."""
        return unverifiable(None, f"no verifier for {self._category}")


VERIFIERS: Final[Mapping[str, Verifier]] = {
    Category.MATH: MathVerifier(),
    Category.CODE: NoVerifier(Category.CODE),
    Category.CHOICE: NoVerifier(Category.CHOICE),
    Category.INSTRUCTION: NoVerifier(Category.INSTRUCTION),
    Category.OTHER: NoVerifier(Category.OTHER),
}


def verifier_versions() -> dict[str, str]:
    """Version of the verifier of every category: the part of a cache key that says who judged."""
    return {str(category): VERIFIERS[category].version for category in sorted(VERIFIERS)}


class Awaited:
    """One attempt on its way to its verdict."""

    def __init__(self, attempt: Attempt, pool: WorkerPool) -> None:
        """Starts judging.

        Raises:
            UnknownKindError: no verifier knows the attempt's category.
        """
        verifier = VERIFIERS.get(attempt.category)
        if verifier is None:
            raise UnknownKindError(
                f"attempt {attempt.id} is of an unknown category",
                got=repr(attempt.category),
                expected=f"one of {', '.join(sorted(VERIFIERS))}",
            )
        self._ids, self._version = (attempt.id, attempt.problem_id), verifier.version
        self._begun = verifier.begin(attempt, pool)

    def done(self) -> bool:
        """Whether :meth:`verdict` returns at once."""
        return not isinstance(self._begun, Pending) or self._begun.future.done()

    def verdict(self) -> Verdict:
        """Waits for the verdict.

        Raises:
            VerifierError: no worker can work at all.
        """
        begun = self._begun
        found = begun.conclude(begun.future.result()) if isinstance(begun, Pending) else begun
        return Verdict(*self._ids, found.outcome, found.score, self._version, found.extracted, found.detail)

    def cancel(self) -> None:
        """Gives up on a verdict that nobody waits for any more."""
        if isinstance(self._begun, Pending):
            self._begun.future.cancel()


def verify(attempts: Iterable[Attempt], settings: Verify, pool: WorkerPool | None = None) -> Iterator[Verdict]:
    """The verdict on each attempt, in order, as they come.

    Args:
        attempts: read at most 64 per worker ahead of the verdicts.
        settings: limits, for a pool of its own.
        pool: a pool to share with other threads instead; its own limits hold.

    Raises:
        UnknownKindError: an attempt is of a category that no verifier knows.
        VerifierError: no worker can work at all (an import fails, memory_mb is too small to start).
    """
    with ExitStack() as stack:
        if pool is None:
            pool = stack.enter_context(WorkerPool(settings.workers, settings.wall_s, settings.memory_mb))
        window: deque[Awaited] = deque()
        try:
            for attempt in attempts:
                window.append(Awaited(attempt, pool))
                while window and (len(window) >= _READ_AHEAD * pool.workers or window[0].done()):
                    yield window.popleft().verdict()
            while window:
                yield window.popleft().verdict()
        finally:
            for awaited in window:
                awaited.cancel()

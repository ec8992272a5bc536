"""Which verifier judges what, and the stream of verdicts."""

from __future__ import annotations

from collections import deque
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, Self

from tracemill.core import Category, TracemillError, UnknownKindError, Verdict
from tracemill.core.machine import cores
from tracemill.recipe.sections.verify import Verify
from tracemill.text import missing_answer
from verifiers.choice_answer import ChoiceVerifier
from verifiers.instructions.verifier import InstructionVerifier
from verifiers.maths.verifier import MathVerifier
from verifiers.programs.verifier import CodeVerifier
from verifiers.protocol import Judgement, Pending, VerifierResources, unjudged, unusable
from verifiers.sandbox.docker_sandbox import DockerSandbox
from verifiers.workers.main import describe
from verifiers.workers.pool import WorkerPool

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from verifiers.protocol import Attempt, Verifier
    from verifiers.sandbox.protocol import Sandbox

_READ_AHEAD = 64  # attempts per worker: four batches, so that a slow one at the head leaves no worker idle
_FEWEST = 2  # processes: while one is killed and started anew, another works


class NoVerifier:
    """Says of every attempt that nothing can judge it; never that it is right."""

    version: Final = "none@1"

    def __init__(self, category: Category) -> None:
        self._category = category

    def begin(self, attempt: Attempt, resources: VerifierResources) -> Judgement:  # noqa: ARG002 - the Verifier contract
        """Unverifiable, whatever it is; no other answer would be judged either."""
        return unusable(f"no verifier for {self._category}")


def verifiers_for(settings: Verify) -> dict[str, Verifier]:
    """Return the verifier of every category."""
    return {
        Category.MATH: MathVerifier(),
        Category.CODE: CodeVerifier(settings.code),
        Category.CHOICE: ChoiceVerifier(),
        Category.INSTRUCTION: InstructionVerifier(settings.instructions),
        Category.OTHER: NoVerifier(Category.OTHER),
    }


def verifier_versions() -> dict[str, str]:
    """Version of the verifier of every category: the part of a cache key that says who judged."""
    return {str(category): verifier.version for category, verifier in sorted(verifiers_for(Verify()).items())}


class VerifierSet:
    """The verifiers of one recipe section and what they work with; shared by any number of threads.

    Args:
        settings: section ``verify`` of the recipe.
        pool: worker processes to share; else the verifier_set has its own.
        sandbox: containers to share, or a NoSandbox; else the verifier_set has its own, made when a program comes.
    """

    def __init__(self, settings: Verify, *, pool: WorkerPool | None = None, sandbox: Sandbox | None = None) -> None:
        self.workers = pool.workers if pool else settings.workers or max(_FEWEST, cores())
        self._verifiers = verifiers_for(settings)
        self._owned = ExitStack()
        if pool is None:
            pool = self._owned.enter_context(WorkerPool(self.workers, settings.wall_s, settings.memory_mb))
        if sandbox is None:
            sandbox = DockerSandbox(settings.sandbox)
            self._owned.callback(sandbox.close)
        self._resources = VerifierResources(pool, sandbox)

    def begin(self, attempt: Attempt) -> PendingVerdict:
        """Start judging.

        Raises:
            UnknownKindError: no verifier knows the attempt's category.
        """
        verifier = self._verifiers.get(attempt.category)
        if verifier is None:
            raise UnknownKindError(
                f"attempt {attempt.id} is of an unknown category",
                got=repr(attempt.category),
                expected=f"one of {', '.join(sorted(self._verifiers))}",
            )
        if attempt.missing is not None:
            outcome, detail = attempt.missing
            return PendingVerdict(attempt, missing_answer.VERSION, Judgement(outcome, None, None, detail))
        try:
            begun = verifier.begin(attempt, self._resources)
        except Exception as error:  # noqa: BLE001 - one row must not end a run; see _broken
            begun = _broken(error)
        return PendingVerdict(attempt, verifier.version, begun)

    def close(self) -> None:
        """End what the verifier_set has started."""
        self._owned.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class PendingVerdict:
    """One attempt on its way to its verdict."""

    def __init__(self, attempt: Attempt, version: str, begun: Judgement | Pending) -> None:
        self._ids, self._version, self._begun = (attempt.id, attempt.problem_id), version, begun

    def done(self) -> bool:
        """Tell whether :meth:`verdict` returns at once."""
        return not isinstance(self._begun, Pending) or self._begun.future.done()

    def verdict(self) -> Verdict:
        """Wait for the verdict.

        Raises:
            VerifierError: no worker can work at all.
        """
        begun = self._begun
        try:
            found = begun.conclude(begun.future.result()) if isinstance(begun, Pending) else begun
        except Exception as error:  # noqa: BLE001 - as above
            found = _broken(error)
        return Verdict(
            *self._ids,
            outcome=found.outcome,
            score=found.score,
            verifier=self._version,
            extracted=found.extracted,
            detail=found.detail,
            provenance=found.provenance,
            cause=found.cause,
        )

    def cancel(self) -> None:
        """Give up on a verdict that nobody waits for any more."""
        if isinstance(self._begun, Pending):
            self._begun.future.cancel()


def _broken(error: Exception) -> Judgement:
    """Return the one place where a verifier's own fault over one row becomes data, so that the other rows are judged.

    Raises:
        TracemillError: it is not about this row: no worker can work at all.
    """
    if isinstance(error, TracemillError):
        raise error
    return unjudged(None, f"the verifier broke, which is a fault of its own: {describe(error)}")


def verify(attempts: Iterable[Attempt], verifier_set: VerifierSet) -> Iterator[Verdict]:
    """Yield the verdict on each attempt, in order, as they come.

    Args:
        attempts: read at most 64 per worker ahead of the verdicts.
        verifier_set: what judges them.

    Raises:
        UnknownKindError: an attempt is of a category that no verifier knows.
        VerifierError: no worker can work at all (an import fails, memory_mb is too small to start).
    """
    window: deque[PendingVerdict] = deque()
    try:
        for attempt in attempts:
            window.append(verifier_set.begin(attempt))
            while window and (len(window) >= _READ_AHEAD * verifier_set.workers or window[0].done()):
                yield window.popleft().verdict()
        while window:
            yield window.popleft().verdict()
    finally:
        for awaited in window:
            awaited.cancel()

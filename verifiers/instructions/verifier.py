"""The instruction verifier: every constraint of a row judged, and the share that holds against the mark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tracemill.core import Outcome
from tracemill.text.think import UNCLOSED_THINK
from verifiers.instructions.conflicts import why_exclusive
from verifiers.instructions.constraints import why_unusable
from verifiers.instructions.dialects import canonical
from verifiers.protocol import Judgement, Pending, incorrect, too_slow, unjudged, unreadable, unusable
from verifiers.workers.pool import TimedOut, Value

if TYPE_CHECKING:
    from tracemill.recipe.sections.verify import Instructions
    from verifiers.protocol import Attempt, VerifierResources
    from verifiers.workers.pool import JobResult

_JUDGE: Final = "verifiers.instructions.judgement:judge"


class InstructionVerifier:
    """See the module.

    Args:
        settings: section ``verify.instructions`` of the recipe.
    """

    version: Final = "instructions@5"

    def __init__(self, settings: Instructions) -> None:
        self._settings = settings

    def begin(self, attempt: Attempt, resources: VerifierResources) -> Judgement | Pending:
        """Refuses at once what cannot be judged, and hands the rest to a worker."""
        if not attempt.constraints:
            return unusable("the problem has no constraints")
        malformed = [constraint for constraint in attempt.constraints if not _is_laid_out(constraint)]
        if malformed:
            return unusable(f"a constraint is no object with id and kwargs; got: {malformed[0]!r:.120}")
        constraints = [canonical(constraint) for constraint in attempt.constraints]
        unknown = [why for name, arguments in constraints if (why := why_unusable(name, arguments))]
        fault = "; ".join(unknown) or why_exclusive(constraints)
        if fault:
            return unusable(fault)
        if attempt.fault == UNCLOSED_THINK:
            return incorrect(None, "the response ends inside its think part")
        if not attempt.answer.strip():
            return incorrect(None, "the response has no answer")
        listed = [[name, arguments] for name, arguments in constraints]
        future = resources.pool.submit(_JUDGE, attempt.answer, listed, self._settings.mode)
        return Pending(future, self._conclude)

    def _conclude(self, result: JobResult) -> Judgement:
        if isinstance(result, TimedOut):
            return too_slow(None, f"judging took more than {result.seconds:g} s")
        if not isinstance(result, Value):
            return unjudged(None, f"the answer was not judged, the worker crashed: {result.reason}")
        findings: list[dict[str, Any]] = result.value
        n_held = sum(finding["holds"] is True for finding in findings)
        n_open = sum(finding["holds"] is None for finding in findings)
        detail = f"{n_held}/{len(findings)} constraints hold{_reasons(findings)}"
        share, mark = n_held / len(findings), self._settings.pass_mark
        if share >= mark:
            return Judgement(Outcome.CORRECT, share, None, detail)
        if (n_held + n_open) / len(findings) >= mark:
            return unreadable(None, detail)
        return Judgement(Outcome.INCORRECT, share, None, detail)


def _is_laid_out(constraint: object) -> bool:
    return isinstance(constraint, dict) and isinstance(constraint.get("kwargs"), dict | None)


def _reasons(findings: list[dict[str, Any]]) -> str:
    failed = [
        f"; {finding['id']} {'fails' if finding['holds'] is False else 'cannot be told'}"
        + (f" ({finding['why']})" if finding["why"] else "")
        for finding in findings
        if finding["holds"] is not True
    ]
    return "".join(failed)

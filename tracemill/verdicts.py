"""Which of a response's verdicts holds: rules first, and models only where rules have not said that it is right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracemill.schema import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracemill.schema import Verdict

_CONCLUSIVE: Final = frozenset({Outcome.CORRECT, Outcome.INCORRECT})


def settled(verdicts: Iterable[Verdict]) -> dict[str, Verdict]:
    """The verdict that holds, by response id.

    Args:
        verdicts: of any number of responses; of each the rule's first, then those of models, each in its own right.

    A rule's ``correct`` stands. Otherwise the last model that came to a conclusion other than the standing one decides
    (the judge after the reward); where none did, the rule's verdict stands, whatever it is.
    """
    standing: dict[str, Verdict] = {}
    for verdict in verdicts:
        before = standing.get(verdict.response_id)
        if before is None or (
            before.outcome != Outcome.CORRECT and verdict.outcome in _CONCLUSIVE and verdict.outcome != before.outcome
        ):
            standing[verdict.response_id] = verdict
    return standing

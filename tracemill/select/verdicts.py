"""How the verdicts on one response combine: a rule's, a vote's where there is no reference, and what models say.

Models have a say where rule and vote leave room.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from tracemill.core import Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Verifiers that are models, and rules that judge by a reference which a vote has made, have names that begin so; every
# other verifier is a rule.
JUDGE: Final = "judge-"  # compares with the reference answer
SCORE: Final = "score-"  # knows no reference answer
VOTE: Final = "majority-"  # and then the rule, as in majority-math@8

_CONCLUSIVE = (Outcome.CORRECT, Outcome.INCORRECT)
# A rule's verdicts on which no model has a say.
_STANDING = (Outcome.CORRECT, Outcome.NO_ANSWER, Outcome.REFUSED, Outcome.UNFINISHED)


def settled(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the verdict that counts, of all verdicts on one response; their order does not matter.

    What a vote says stands for the rule's, which had no reference to judge by.
    A rule's ``correct`` stands, and so does that there is no answer to judge. Otherwise a judge that has come to a
    conclusion decides. Otherwise, where the rule can say nothing, scores do: all of them have to be above their cuts.
    Otherwise the rule's verdict stands; above all, a score never makes up for an answer that the rule has found wrong.
    """
    rule = next((verdict for verdict in verdicts if verdict.verifier.startswith(VOTE)), None) or rule_of(verdicts)
    if rule.outcome in _STANDING:
        return rule
    opinion = _agreed(verdicts, JUDGE)
    if opinion is None and rule.outcome == Outcome.UNVERIFIABLE:
        opinion = _agreed(verdicts, SCORE)
    return opinion or rule


def rule_of(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the rule's among the verdicts on one response, which always has one."""
    return next(verdict for verdict in verdicts if not verdict.verifier.startswith((JUDGE, SCORE, VOTE)))


def settled_by_response(verdicts: Iterable[Verdict]) -> dict[str, Verdict]:
    """Return the verdict that counts on every response, by its id."""
    return {response_id: settled(found) for response_id, found in by_response(verdicts).items()}


def by_response(verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    """Return all verdicts on every response, by its id."""
    found: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        found[verdict.response_id].append(verdict)
    return dict(found)


def _agreed(verdicts: Sequence[Verdict], kind: str) -> Verdict | None:
    """What the models of a kind conclude together: ``correct`` if none says otherwise; None if none concludes."""
    opinions = [v for v in verdicts if v.verifier.startswith(kind) and v.outcome in _CONCLUSIVE]
    return min(opinions, key=lambda verdict: (verdict.outcome == Outcome.CORRECT, verdict.verifier), default=None)

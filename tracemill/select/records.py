"""What a run keeps of every response beside the dataset: its measures and fate, preference pairs, rejected traces."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa

from tracemill.core import Messages, Outcome, Row, Text, digest, json_text
from tracemill.quality.filters import published_turn
from tracemill.quality.measures import TraceMeasures

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tracemill.core import Problem, Response, Verdict
    from tracemill.quality.filters import Fault

NOT_PREFERRED: Final = "not_preferred"
_MEASURED: Final = [field for field in TraceMeasures.arrow if field.name not in {"run_text", "repeated_text"}]

TRACES: Final = pa.schema(
    [
        *_MEASURED,
        ("perplexity", pa.float64()),
        ("model", pa.string()),
        ("origin", pa.string()),
        ("sample_index", pa.int32()),
        ("outcome", pa.string()),
        ("published", pa.bool_()),
        ("reason", pa.string()),
        ("fault", pa.string()),
        ("evidence", pa.large_string()),
    ]
)


class Judged(NamedTuple):
    """The responses to the problems of one shard, and what was found about them.

    Attributes:
        responses: in order.
        verdicts: the one that counts, by response id.
        faults: of responses that broke a rule of quality, by response id.
        published: ids of the responses that were chosen.
    """

    responses: Sequence[Response]
    verdicts: Mapping[str, Verdict]
    faults: Mapping[str, Fault]
    published: frozenset[str]

    def reason(self, response: Response) -> str | None:
        """Return why a response is not in the dataset: its verdict, its fault, or that another was preferred."""
        if response.id in self.published:
            return None
        outcome = self.verdicts[response.id].outcome
        if outcome != Outcome.CORRECT:
            return str(outcome)
        return self.fault(response) or NOT_PREFERRED

    def fault(self, response: Response) -> str | None:
        """Return the rule of quality that a response broke, whatever its verdict."""
        return self.faults[response.id].reason if response.id in self.faults else None

    def evidence(self, response: Response) -> str | None:
        """Return what shows the fault and the verdict that a response is not in the dataset for, as JSON."""
        if response.id in self.published:
            return None
        verdict = self.verdicts[response.id]
        shown: dict[str, Any] = {"cause": verdict.cause} if verdict.cause else {}
        shown |= {"fault": self.faults[response.id].evidence} if response.id in self.faults else {}
        return json_text({"verifier": verdict.verifier, "detail": verdict.detail, **shown})


def traces(judged: Judged, measures: Mapping[str, Mapping[str, Any]], perplexities: Mapping[str, float]) -> pa.Table:
    """Return one row a response, under ``TRACES``.

    Args:
        judged: the responses.
        measures: records of :class:`TraceMeasures` by response id.
        perplexities: by response id, where they were measured.
    """
    rows = [
        {
            **{field.name: measures[response.id][field.name] for field in _MEASURED},
            "perplexity": perplexities.get(response.id),
            "model": response.model,
            "origin": response.origin,
            "sample_index": response.sample_index,
            "outcome": judged.verdicts[response.id].outcome,
            "published": response.id in judged.published,
            "reason": judged.reason(response),
            "fault": judged.fault(response),
            "evidence": judged.evidence(response),
        }
        for response in judged.responses
    ]
    return pa.Table.from_pylist(rows, schema=TRACES)


@dataclass(frozen=True, slots=True)
class Pair(Row):
    """A right and a wrong response to one problem, in the conversational layout that preference trainers read."""

    id: Text
    source: Text
    category: Text
    prompt: Messages
    chosen: Messages
    rejected: Messages
    chosen_id: Text
    rejected_id: Text
    chosen_model: Text
    rejected_model: Text
    chosen_outcome: Text
    rejected_outcome: Text
    chosen_verifier: Text
    rejected_verifier: Text
    chosen_score: float | None
    rejected_score: float | None
    chosen_detail: Text
    rejected_detail: Text
    licence: Text
    non_commercial: bool


@dataclass(frozen=True, slots=True)
class Rejected(Row):
    """A response that is not in the dataset, with the reason."""

    id: Text
    response_id: Text
    source: Text
    category: Text
    prompt: Messages
    think: Text | None
    answer: Text
    model: Text
    origin: Text
    reason: Text
    fault: Text | None
    evidence: Text
    outcome: Text
    verifier: Text
    score: float | None
    licence: Text
    non_commercial: bool


def pairs(problems: Iterable[Problem], judged: Judged, most: int) -> Iterator[Pair]:
    """Yield every published response against up to ``most`` wrong ones to the same problem, first by content digest.

    Only responses that were judged incorrect and have no other fault are called wrong: one that timed out or could not
    be judged says nothing, and against one that was cut off or left the template the form alone would be learnt.
    """
    by_problem = _by_problem(judged)
    for problem in problems:
        given = by_problem[problem.id]
        chosen = next((response for response in given if response.id in judged.published), None)
        wrong = [r for r in given if judged.reason(r) == Outcome.INCORRECT and r.id not in judged.faults]
        if chosen is not None:
            for rejected in sorted(wrong, key=content_digest)[:most]:
                yield _pair(problem, chosen, rejected, judged.verdicts)


def content_digest(response: Response) -> str:
    """By what a response says, so that equal texts are equal wherever they came from."""
    return digest("trace", response.think, response.answer)


def _pair(problem: Problem, chosen: Response, rejected: Response, verdicts: Mapping[str, Verdict]) -> Pair:
    right, wrong = verdicts[chosen.id], verdicts[rejected.id]
    return Pair(
        id=problem.id,
        source=problem.source,
        category=problem.category,
        prompt=_asked(problem),
        chosen=[_turn(chosen)],
        rejected=[_turn(rejected)],
        chosen_id=chosen.id,
        rejected_id=rejected.id,
        chosen_model=chosen.model,
        rejected_model=rejected.model,
        chosen_outcome=right.outcome,
        rejected_outcome=wrong.outcome,
        chosen_verifier=right.verifier,
        rejected_verifier=wrong.verifier,
        chosen_score=right.score,
        rejected_score=wrong.score,
        chosen_detail=right.detail,
        rejected_detail=wrong.detail,
        licence=problem.licence,
        non_commercial=problem.non_commercial,
    )


def rejected_traces(problems: Iterable[Problem], judged: Judged) -> Iterator[Rejected]:
    """Yield every response that is not in the dataset, in the order of the problems."""
    by_problem = _by_problem(judged)
    for problem in problems:
        for response in by_problem[problem.id]:
            reason, verdict = judged.reason(response), judged.verdicts[response.id]
            if reason is not None:
                yield Rejected(
                    id=problem.id,
                    response_id=response.id,
                    source=problem.source,
                    category=problem.category,
                    prompt=_asked(problem),
                    think=response.think,
                    answer=response.answer,
                    model=response.model,
                    origin=response.origin,
                    reason=reason,
                    fault=judged.fault(response),
                    evidence=judged.evidence(response) or "{}",
                    outcome=verdict.outcome,
                    verifier=verdict.verifier,
                    score=verdict.score,
                    licence=problem.licence,
                    non_commercial=problem.non_commercial,
                )


def _by_problem(judged: Judged) -> dict[str, list[Response]]:
    found: dict[str, list[Response]] = defaultdict(list)
    for response in judged.responses:
        found[response.problem_id].append(response)
    return found


def _asked(problem: Problem) -> list[dict[str, str]]:
    return [*problem.history, {"role": "user", "content": problem.prompt}]


def _turn(response: Response) -> dict[str, str]:
    return {"role": "assistant", "content": published_turn(response.think or "", response.answer)}

"""An audited row: what a verdict says about a row of somebody's dataset, with what it takes to find that row again."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracemill.core import Dropped, Int32, Problem, ReferenceBy, Response, Row, Text, Verdict, dropped_problem
from tracemill.core.schema import REFERENCE_BY
from tracemill.select import source_traces
from tracemill.text.tokens import estimated_tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STAGE: Final = "audit"
NO_RESPONSE: Final = "no_response"
BY_MAJORITY: Final = " (reference by majority)"  # behind the source of rows that say so: they are counted apart
_HEAD_CHARS: Final = 300  # of a prompt, so that a person knows the row
_KIND_CHARS: Final = 80
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
_EXPECTED: Final = re.compile(r"expected\b")
_FAILED: Final = re.compile(r"\b(?:WA|TLE|MLE|OLE|RE|CE|IE|NOT_RUN)\b")  # the codes of the verification contract


@dataclass(frozen=True, slots=True)
class AuditedRow(Row):
    """One row of an input with its verdict.

    Attributes:
        id: content id of the problem.
        source: name of the input, or of the recipe's source.
        upstream_source: where the row says that it is from; the source where it says nothing.
        file, row: where it stands: row of the file from 0, blank lines not counted.
        cause: of an unverifiable or a timeout: reference, response or verifier.
        reason: what kind of detail it is: the detail without numbers, quotations and what is special to the row.
        reference_answer: what was expected; None where tests or constraints judge.
        prompt: its beginning.
        fault: why the response does not follow the think template, or None.
        n_tokens: of the response, think and answer, estimated.
        response_index: which of the row's responses it is, from 0.
        model: who wrote the response, as far as the row or its layout says.
    """

    id: str
    source: str
    upstream_source: str
    file: str
    row: int
    category: str
    outcome: str
    score: float | None
    verifier: str
    reason: str
    detail: Text
    reference_answer: Text | None
    extracted: Text | None
    fault: str | None
    n_tokens: int
    prompt: Text
    response_id: str
    provenance: str | None
    cause: str | None = None
    response_index: Int32 = 0
    model: str | None = None


def row_responses(
    problems: Iterable[Problem], *, last_only: bool
) -> tuple[list[Problem], list[Dropped], list[Response]]:
    """Split rows into those that bring responses and those that do not; and the responses.

    Args:
        problems: of one shard.
        last_only: the responses of a row are turns that follow each other, of which the last is what a reader would
            train on; otherwise they are several answers to one question, and each is judged.
    """
    kept: list[Problem] = []
    dropped: list[Dropped] = []
    responses: list[Response] = []
    for problem in problems:
        traces = source_traces(problem)[-1:] if last_only else source_traces(problem)
        if traces:
            kept.append(with_response(problem, *traces))
            responses += traces
        else:
            dropped.append(without_response(problem, NO_RESPONSE))
    return kept, dropped, responses


def without_response(problem: Problem, reason: str) -> Dropped:
    """Return the record of a row on which there is nothing to judge, with what it is counted by."""
    evidence = {
        "file": problem.info.get("file"),
        "category": problem.category,
        "upstream_source": upstream_source(problem),
    }
    return dropped_problem(problem, STAGE, reason, evidence)


def with_response(problem: Problem, *responses: Response) -> Problem:
    """The row, naming its responses: a dataset has many to one problem, in one row or each in a row of its own."""
    return dataclasses.replace(problem, info=problem.info | {"response_ids": [response.id for response in responses]})


def audited(
    problems: Iterable[Problem], responses: Mapping[str, Response], verdicts: Mapping[str, Verdict]
) -> list[AuditedRow]:
    """Return every response of every row with its verdict.

    Args:
        problems: of one shard, each naming its responses.
        responses: by id.
        verdicts: by response id.
    """
    return [
        _audited(problem, responses[name], verdicts[name], index)
        for problem in problems
        for index, name in enumerate(problem.info["response_ids"])
    ]


def _audited(problem: Problem, response: Response, verdict: Verdict, index: int) -> AuditedRow:
    return AuditedRow(
        id=problem.id,
        source=problem.source,
        upstream_source=upstream_source(problem),
        file=str(problem.info.get("file", "")),
        row=problem.row,
        category=problem.category,
        outcome=verdict.outcome,
        score=verdict.score,
        verifier=verdict.verifier,
        reason=reason_kind(verdict.detail),
        detail=verdict.detail,
        reference_answer=problem.reference_answer,
        extracted=verdict.extracted,
        fault=response.fault,
        n_tokens=estimated_tokens(response.think or "") + estimated_tokens(response.answer),
        prompt=problem.prompt[:_HEAD_CHARS],
        response_id=response.id,
        provenance=verdict.provenance,
        cause=verdict.cause,
        response_index=index,
        model=response.model,
    )


def upstream_source(problem: Problem) -> str:
    """Return where the row says that it is from, or the source's name; and whether samples made its reference."""
    label = problem.info.get("upstream_source")
    name = str(label) if label is not None and label != "" else problem.source
    return f"{name}{BY_MAJORITY}" if problem.info.get(REFERENCE_BY) == ReferenceBy.MAJORITY else name


def reason_kind(detail: str) -> str:
    """Return the kind of a verdict's detail, so that rows can be counted by it.

    "the units differ: 5 cm and 5 m" -> "the units differ"; "the reference is prose of 12 words" -> "… of N words".
    What precedes a colon names the kind, unless it is as short as a test's code ("IE: there are no tests").
    """
    if _EXPECTED.match(detail):
        return "another answer than expected"
    lines = detail.strip().splitlines()
    text = _NUMBER.sub("N", _QUOTED.sub("…", lines[0])) if lines else ""
    head, colon, codes = text.partition(": ")
    failed = _FAILED.search(codes)
    if head == "N/N tests passed" and failed:
        return f"tests failed, the first with {failed.group()}"
    kind = (head if colon and len(head) > len("NOT_RUN") else text).strip(" :;,")
    return kind if len(kind) <= _KIND_CHARS else f"{kind[:_KIND_CHARS].rsplit(' ', 1)[0]} …"

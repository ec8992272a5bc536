"""Responses that were cut off at ``max_tokens``: what is asked next, and what the pieces make together.

*continue* sends the conversation with the partial answer as the assistant's last turn, which vLLM lets the model go on
with (``continue_final_message``). Covered: answers that were cut off inside their reasoning. Not continued, because the
model would not see what it wrote: answers cut off after ``</think>`` (R1's chat template leaves the reasoning of former
turns out), and reasoning that the server splits off (``--reasoning-parser``). Those stay cut off.

*resample* asks anew with more room. Follow-ups are requests like any other: their key holds the text that they
continue, so they are in the ledger, and paid for once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from tracemill.core.schema import CUT_OFF
from tracemill.inference import Request
from tracemill.inference.protocol import CONTINUE
from tracemill.ledger import Completion, request_key
from tracemill.text.think import THINK_CLOSE, THINK_OPEN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracemill.inference import Refusal
    from tracemill.recipe.sections.distill import Truncation
    from tracemill.recipe.sections.server import Teacher


Count = TypeVar("Count", int, float)


@dataclass
class Completer:
    """Asks for responses, and for what follows where they were cut off.

    Attributes:
        teacher: who is asked.
        rules: the recipe's.
        ask: what comes of requests, in their order.
        n_follow_ups: so many were asked so far.
    """

    teacher: Teacher
    rules: Truncation
    ask: Callable[[Sequence[Request]], Sequence[Completion | Refusal]]
    n_follow_ups: int = 0

    def complete(self, requests: Sequence[Request], sample_indices: Sequence[int]) -> list[Completion | Refusal]:
        """Return what came of each request, in their order; a refused follow-up leaves a response as it was."""
        results = list(self.ask(requests))
        grown = {place: [answer] for place, answer in enumerate(results) if isinstance(answer, Completion)}
        while grown:
            asked = {
                place: follow_up(requests[place], pieces, sample_indices[place], self.teacher, self.rules)
                for place, pieces in grown.items()
            }
            due = {place: request for place, request in asked.items() if request is not None}
            self.n_follow_ups += len(due)
            answers = zip(due, self.ask(list(due.values())), strict=True)
            grown = {place: [*grown[place], answer] for place, answer in answers if isinstance(answer, Completion)}
            for place, pieces in grown.items():
                results[place] = joined(pieces, self.rules)
        return results


def follow_up(
    request: Request, pieces: Sequence[Completion], sample_index: int, teacher: Teacher, rules: Truncation
) -> Request | None:
    """Return what to ask after the pieces that were had so far, or None if they are all there will be.

    Args:
        request: the first one.
        pieces: its answer, and those of the follow-ups.
        sample_index: of the first request.
        teacher: who is asked.
        rules: the recipe's.
    """
    if pieces[-1].finish_reason != CUT_OFF or len(pieces) > rules.times:
        return None
    if rules.policy == "resample":
        return _keyed(
            list(request.messages), {**request.sampling, "max_tokens": rules.max_tokens}, sample_index, teacher
        )
    if rules.policy == "continue" and _goes_on_thinking(pieces):
        room = rules.max_tokens or teacher.max_tokens
        sampling = {**request.sampling, **CONTINUE, "max_tokens": room}
        return _keyed(_continued(request, pieces), sampling, sample_index, teacher)
    return None


def joined(pieces: Sequence[Completion], rules: Truncation) -> Completion:
    """Return one completion of all pieces: their texts one after the other, or the last one where it was asked anew.

    Its key is the last piece's. Tokens are those of the text that stays, also where more were paid for.
    """
    last = pieces[-1]
    if len(pieces) == 1 or rules.policy == "resample":
        return last
    return replace(
        last,
        content="".join(piece.content for piece in pieces),
        reasoning=None,
        prompt_tokens=pieces[0].prompt_tokens,
        completion_tokens=_total([piece.completion_tokens for piece in pieces]),
        cached_tokens=pieces[0].cached_tokens,
        reasoning_tokens=_total([piece.reasoning_tokens for piece in pieces]),
        cost=_total([piece.cost for piece in pieces]),
    )


def _total(counts: Sequence[Count | None]) -> Count | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _goes_on_thinking(pieces: Sequence[Completion]) -> bool:
    text = "".join(piece.content for piece in pieces)
    return bool(text) and THINK_CLOSE not in text and not any(piece.reasoning for piece in pieces)


def _continued(request: Request, pieces: Sequence[Completion]) -> list[dict[str, str]]:
    """The conversation with the assistant's unfinished turn at its end, and in it all that the model has seen."""
    messages = [dict(message) for message in request.messages]
    begun = messages.pop()["content"] if messages[-1]["role"] == "assistant" else ""
    text = begun + "".join(piece.content for piece in pieces)
    opened = text if THINK_OPEN in text else f"{THINK_OPEN}\n{text}"  # R1's chat template wrote it into the prompt
    return [*messages, {"role": "assistant", "content": opened}]


def _keyed(messages: list[Any], sampling: dict[str, Any], sample_index: int, teacher: Teacher) -> Request:
    key = request_key(messages, teacher.model, teacher.revision, teacher.template_version, sampling, sample_index)
    return Request(key, messages, sampling)

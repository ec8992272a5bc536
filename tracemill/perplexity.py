"""Perplexity of a question with its answer: what is asked of a model, and the number that comes of its reply.

    perplexity = exp(-(1/m) * sum of log p(t_i | t_1 … t_(i-1)) for i = 2 … m + 1)

over all tokens of question and answer but the first, whose probability depends on nothing (DD section 2.5: "query and
answer"). The ledger keeps the sum and m, from which it follows.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from tracemill.ledger import request_key
from tracemill.logprob_dialect import LogprobDialect
from tracemill.quality import Fault, published_turn
from tracemill.teacher import Completion, Refusal, Request

if TYPE_CHECKING:
    from tracemill.recipe_perplexity import Perplexity
    from tracemill.schema import Problem, Response

PERPLEXITIES: Final = pa.schema(
    [("response_id", pa.string()), ("problem_id", pa.string()), ("perplexity", pa.float64()), ("n_tokens", pa.int64())]
)
_LARGEST_EXPONENT: Final = 700.0  # e^710 is beyond a float


def perplexity_request(problem: Problem, response: Response, settings: Perplexity) -> Request:
    """The text as a whole: earlier turns and question with blank lines between them, then the turn as published."""
    turns = [turn["content"] for turn in problem.history]
    text = "\n\n".join([*turns, problem.prompt, published_turn(response.think or "", response.answer)])
    messages = [{"role": "user", "content": text}]
    sampling = dict(LogprobDialect.sampling)
    key = request_key(messages, settings.model, settings.revision, f"perplexity/{settings.template}", sampling, 0)
    return Request(key, messages, sampling)


def perplexity_of(answer: Completion | Refusal) -> float | None:
    """The perplexity in a reply; None if there is none, as of a text beyond the model's context."""
    if isinstance(answer, Refusal):
        return None
    try:
        found = json.loads(answer.content)
        total, n_tokens = float(found["sum_logprob"]), int(found["n_tokens"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return math.exp(min(_LARGEST_EXPONENT, -total / n_tokens)) if n_tokens > 0 else None


def perplexity_fault(answer: Completion | Refusal, settings: Perplexity) -> Fault | None:
    """Above the threshold; or not measurable, since what cannot be measured has not passed."""
    perplexity = perplexity_of(answer)
    if settings.threshold is None:
        return None
    if perplexity is None:
        message = answer.message if isinstance(answer, Refusal) else "the text is one token"
        return Fault("no_perplexity", {"model": settings.named, "message": message})
    if perplexity > settings.threshold:
        evidence = {"perplexity": round(perplexity, 4), "threshold": settings.threshold, "model": settings.named}
        return Fault("perplexity", evidence)
    return None

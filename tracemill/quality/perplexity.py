"""Perplexity of a question with its answer: what is asked of a model, and the number that comes of its reply.

    perplexity = exp(-(1/m) * sum of log p(t_i | t_1 … t_(i-1)) for i = 2 … m + 1)

over all tokens of question and answer but the first, whose probability depends on nothing (DD section 2.5: "query and
answer"). The ledger keeps the sum and m, from which it follows.

How a vLLM server is asked how likely a text is: its completions endpoint with ``prompt_logprobs``.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pyarrow as pa

from tracemill.core import TeacherMisconfiguredError, json_text
from tracemill.inference import Refusal, Request
from tracemill.inference.chat_reply import mapping, model_in, usage_in
from tracemill.inference.dialects import Trouble, encoded, parsed, server_words
from tracemill.ledger import Completion, request_key
from tracemill.quality.filters import Fault, published_turn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracemill.core import Problem, Response
    from tracemill.recipe.sections.quality import Perplexity
    from tracemill.recipe.sections.server import ModelServer


@dataclass(frozen=True)
class LogprobDialect:
    """The OpenAI completions protocol with vLLM's ``prompt_logprobs``: one log probability a token of the text.

    Text, not messages: chat templates of reasoning models cut the reasoning out of earlier turns. With
    ``prompt_logprobs: 0`` the reply has the text's own tokens and no alternatives (vLLM 0.32); one token has to be
    generated, since ``max_tokens`` must be at least 1.
    """

    server: ModelServer

    sampling: ClassVar[Mapping[str, Any]] = {"prompt_logprobs": 0, "max_tokens": 1, "temperature": 0}

    def url(self, base_url: str) -> str:
        """Return the text completions."""
        return base_url + "/completions"

    def body(self, request: Request) -> bytes:
        """Return one text."""
        text = "\n\n".join(message["content"] for message in request.messages)
        return encoded({"model": self.server.model, "prompt": text, **request.sampling})

    def read(self, request: Request, raw: bytes) -> Completion | Trouble:
        """Sum and number of the log probabilities as JSON text, which is what the ledger keeps."""
        try:
            payload = mapping(parsed(raw), "the reply")
            entries = mapping(payload["choices"][0], "the choice").get("prompt_logprobs")
            tokens, model = usage_in(payload).prompt_tokens, model_in(payload, self.server.model)
            logprobs = None if entries is None else [_own(entry) for entry in entries if entry is not None]
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, StopIteration, OverflowError) as error:
            return Trouble(f"the reply holds no log probabilities ({error!r}): {server_words(raw)}")
        if logprobs is None:
            raise TeacherMisconfiguredError(
                f"the {self.server.role} gives no log probabilities of the text",
                got="a reply without prompt_logprobs",
                expected="a vLLM server, which has them",
                remedy=f"point {self.server.place}.base_urls at vLLM's OpenAI server",
            )
        if not all(math.isfinite(logprob) for logprob in logprobs):
            return Trouble("the reply holds log probabilities that are no numbers")
        found = {"sum_logprob": math.fsum(logprobs), "n_tokens": len(logprobs)}
        return Completion(request.key, json_text(found), None, None, tokens, 0, model)


def _own(entry: Mapping[str, Any]) -> float:
    """Return the log probability of the text's own token, which comes first where a server adds alternatives."""
    return float(next(iter(entry.values()))["logprob"])


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
    """Return the perplexity in a reply; None if there is none, as of a text beyond the model's context."""
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

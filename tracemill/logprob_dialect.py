"""How a vLLM server is asked how likely a text is: its completions endpoint with ``prompt_logprobs``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tracemill.chat_reply import mapping, model_in, usage_in
from tracemill.errors import TeacherMisconfiguredError
from tracemill.ledger import Completion
from tracemill.schema import json_text
from tracemill.teacher_replies import Trouble, encoded, parsed, server_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracemill.recipe_server import ModelServer
    from tracemill.teacher_protocol import Request


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
        """The text completions."""
        return base_url + "/completions"

    def body(self, request: Request) -> bytes:
        """One text."""
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
    """The log probability of the text's own token, which comes first where a server adds alternatives."""
    return float(next(iter(entry.values()))["logprob"])

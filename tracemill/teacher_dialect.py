"""How a request is put to a server, and how its answer is read: the chat protocol, and vLLM's scores."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from tracemill.chat_reply import mapping, model_in, usage_in
from tracemill.errors import TeacherMisconfiguredError
from tracemill.ledger import Completion
from tracemill.recipe_server import ModelServer
from tracemill.schema import json_text
from tracemill.teacher_replies import Trouble, completion_of, encoded, parsed, server_words

if TYPE_CHECKING:
    from tracemill.teacher_protocol import Request

_V1 = "/v1"


class Dialect(Protocol):
    """What a teacher says to its servers and understands; equal dialects may share a teacher."""

    @property
    def server(self) -> ModelServer:
        """The servers that speak it."""

    def url(self, base_url: str) -> str:
        """Where requests are posted."""

    def body(self, request: Request) -> bytes:
        """What is posted."""

    def read(self, request: Request, raw: bytes) -> Completion | Trouble:
        """What a reply of status 200 says.

        Raises:
            TeacherMisconfiguredError: the server answers, but never what this recipe needs.
        """


@dataclass(frozen=True)
class ChatDialect:
    """The OpenAI chat protocol.

    Attributes:
        extra: further fields of every body; in no key.
    """

    server: ModelServer
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def url(self, base_url: str) -> str:
        """The chat completions."""
        return base_url + "/chat/completions"

    def body(self, request: Request) -> bytes:
        """Without ``seed`` and ``n``: the vLLM CPU build dies of them."""
        body = {"model": self.server.model, "messages": request.messages, **request.sampling, "stream": False}
        return encoded({**body, **self.extra})

    def read(self, request: Request, raw: bytes) -> Completion | Trouble:
        """The message as it came."""
        return completion_of(request, self.server.model, raw)


@dataclass(frozen=True)
class PoolingDialect:
    """A vLLM server of a reward model (``--runner pooling``): one number per output of the model.

    Always raw outputs (``use_activation: false``): by default vLLM 0.32 puts several outputs through a softmax, after
    which helpfulness says nothing but how it compares with verbosity.

    Attributes:
        endpoint: ``/classify`` or ``/pooling``; both beside ``/v1``, not below it.
        n_outputs: how many numbers are expected.
        as_text: send the messages' contents as one text, for models without a chat template.
    """

    server: ModelServer
    endpoint: Literal["classify", "pooling"]
    n_outputs: int
    as_text: bool = False

    sampling: ClassVar[Mapping[str, Any]] = {"use_activation": False}

    def url(self, base_url: str) -> str:
        """Beside the OpenAI paths."""
        return f"{base_url.removesuffix(_V1)}/{self.endpoint}"

    def body(self, request: Request) -> bytes:
        """Messages, which the server renders by the model's own template; or text."""
        if self.as_text:
            asked: dict[str, Any] = {"input": "\n\n".join(message["content"] for message in request.messages)}
        else:
            asked = {"messages": request.messages}
        return encoded({"model": self.server.model, **asked, **request.sampling})

    def read(self, request: Request, raw: bytes) -> Completion | Trouble:
        """The numbers as JSON text, which is what the ledger keeps."""
        try:
            payload = mapping(parsed(raw), "the reply")
            item = payload["data"][0]
            numbers = item["probs"] if self.endpoint == "classify" else item["data"]
            tokens, model = usage_in(payload).prompt_tokens, model_in(payload, self.server.model)
        except (ValueError, KeyError, IndexError, TypeError) as error:
            return Trouble(f"the reply holds no scores ({error!r}): {server_words(raw)}")
        if not self._fits(numbers):
            raise TeacherMisconfiguredError(
                f"the {self.server.role} does not give the outputs that the recipe names",
                got=json_text(numbers)[:200],
                expected=f"{self.n_outputs} numbers",
                remedy=f"name the model's outputs in {self.server.place}.attributes; serve it with --runner pooling",
            )
        if not all(number is not None and _is_finite(number) for number in numbers):
            return Trouble(f"the reply holds scores that are no numbers: {server_words(raw)}")
        return Completion(request.key, json_text(numbers), None, None, tokens, 0, model)

    def _fits(self, numbers: object) -> bool:
        """Whether the shape is right; null is a number that the server could not compute."""
        return (
            isinstance(numbers, list)
            and len(numbers) == self.n_outputs
            and all(isinstance(number, int | float | None) and not isinstance(number, bool) for number in numbers)
        )


def outputs_in(content: str, n_outputs: int) -> list[float] | None:
    """The numbers that the ledger keeps of a reply; None if they are not as many, or none.

    A key does not say how many outputs the model has: a recipe that names others finds the answers of the first.
    """
    try:
        numbers = json.loads(content)
    except (ValueError, RecursionError):
        return None
    fits = isinstance(numbers, list) and len(numbers) == n_outputs
    return numbers if fits and all(type(number) in {int, float} for number in numbers) else None


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer beyond every float
        return False

"""What a server's reply means: an answer, a refusal, trouble that passes, or a wrong set-up. Pure functions.

How a request is put to a server, and how its answer is read: the chat protocol, and vLLM's scores.
"""

from __future__ import annotations

import difflib
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import orjson

from tracemill.core import TeacherMisconfiguredError, json_text
from tracemill.core.finish_reasons import Finish, finish_of
from tracemill.inference.chat_reply import completion_from, mapping, model_in, usage_in
from tracemill.inference.protocol import Refusal
from tracemill.ledger import Completion
from tracemill.ledger.record import count_of
from tracemill.recipe.sections.server import ChatServer, ModelServer

if TYPE_CHECKING:
    from tracemill.inference.protocol import Request

# The request itself is wrong, and will be at the next attempt: vLLM answers 400 to a prompt longer than the context.
_REFUSED = frozenset({400, 413, 422})
# The server has no time for any request just now: says nothing against this one.
_BUSY = frozenset({408, 409, 425, 429, 503})
# Messages that cannot be rendered: refused, or a template that breaks down.
_UNRENDERED = frozenset({400, 422, 500})
# An error's own words for 400, where it names no status.
_REFUSING = frozenset({"invalid_request_error", "badrequesterror", "invalid_request", "context_length_exceeded"})
_WORDS = 500


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why an attempt failed that may be repeated.

    Attributes:
        message: for people.
        status: HTTP status, or 0 where there was none.
        wait_s: how long the server asked us to wait, in seconds.
        weight: how much it speaks against the request itself, out of ``Patience.n_attempts``; 0 if not at all.
        at_once: whether to try again without a pause.
    """

    message: str
    status: int = 0
    wait_s: float = 0.0
    weight: int = 1
    at_once: bool = False


def encoded(body: Mapping[str, Any]) -> bytes:
    """Return a request's body as JSON."""
    try:
        return orjson.dumps(body)
    except TypeError:  # a lone surrogate in a prompt; json writes it as an escape
        return json.dumps(body).encode()


def read_reply(
    request: Request, dialect: Dialect, status: int, headers: Mapping[str, str], raw: bytes
) -> Completion | Refusal | Trouble:
    """Return what a reply to ``request`` says.

    Raises:
        TeacherMisconfiguredError: the server will answer no request like this (wrong key, model or path).
    """
    if status == 200:
        return error_within(request, raw) or dialect.read(request, raw)
    message = f"HTTP {status}: {server_words(raw)}"
    if status in _REFUSED:
        return Refusal(request.key, status, message)
    if status in _BUSY or status >= 500:
        wait_s = retry_after(headers.get("Retry-After"), time.time())
        return Trouble(message, status, wait_s, weight=int(status not in _BUSY))
    raise TeacherMisconfiguredError(
        f"the {dialect.server.role} does not take requests for model {dialect.server.model}",
        got=message,
        expected="an answer, or a refusal of this one request",
        remedy=f"check {dialect.server.place}.base_urls (with /v1), .model and .api_key",
    )


def error_within(request: Request, raw: bytes) -> Refusal | Trouble | None:
    """Return what an error says that came with status 200, or None where there is none.

    Gateways answer so when what is behind them fails: the body has an ``error`` beside the choices or instead of them,
    or the choice has one (OpenRouter), or all of it is one (older vLLM). The server itself took the request, so that
    what is not said of this request is trouble that may pass, never a wrong set-up.
    """
    if b'"error"' not in raw:  # in a text the quotes would be escaped
        return None
    try:
        error = _error_in(parsed(raw))
    except ValueError:
        return None
    if not error:
        return None
    status = _status_of(error)
    message = f"HTTP 200 with error {status or 'of no number'}: {server_words(raw)}"
    if status in _REFUSED:
        return Refusal(request.key, status, message)
    return Trouble(message, status, weight=int(status not in _BUSY))


def _error_in(payload: object) -> object:
    if not isinstance(payload, dict):
        return None
    if payload.get("object") == "error":
        return payload
    choices = payload.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    return payload.get("error") or (choice.get("error") if isinstance(choice, dict) else None)


def _status_of(error: object) -> int:
    """Return the HTTP status that an error names, or means; 0 for none."""
    if not isinstance(error, dict):
        return 0
    for name in ("code", "status", "status_code"):
        status = count_of(error.get(name))
        if status is not None and 400 <= status <= 599:
            return status
    return 400 if {str(error.get(name)).lower() for name in ("code", "type")} & _REFUSING else 0


def completion_of(request: Request, model: str, raw: bytes) -> Completion | Trouble:
    """Return the completion in a reply of the chat protocol."""
    try:
        completion = completion_from(parsed(raw), request.key, model)
    except (ValueError, RecursionError) as error:
        return Trouble(f"the reply is no chat completion ({error}): {server_words(raw)}")
    if finish_of(completion.finish_reason) is Finish.BROKEN_OFF:
        return Trouble(f"the server broke the generation off: finish_reason {completion.finish_reason}")
    return completion


def parsed(raw: bytes) -> Any:
    """Return JSON bytes as values; raises ValueError."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:  # orjson refuses lone surrogates, which a model may well write
        pass
    try:
        return json.loads(raw)
    except RecursionError as error:
        raise ValueError("JSON that is nested too deep") from error


def server_words(raw: bytes) -> str:
    """Return the error message in a body, in OpenAI's layout, vLLM's older one, or none."""
    try:
        payload = parsed(raw)
        error = _error_in(payload) or payload.get("error") or payload
        words = str(error["message"] if isinstance(error, dict) else error)
    except (ValueError, KeyError, AttributeError, RecursionError):
        words = raw.decode("utf-8", "replace")
    return words.strip()[:_WORDS] or "(empty body)"


def retry_after(value: str | None, now: float) -> float:
    """Return seconds to wait by a ``Retry-After`` header, which is a number of seconds or a date (RFC 9110 §10.2.3)."""
    if value is None:
        return 0.0
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except ValueError:
        return 0.0


def judge_models(url: str, status: int, raw: bytes, settings: ModelServer) -> TeacherMisconfiguredError | None:
    """Return what is wrong with the server that gave this reply to ``GET /models``, or None."""
    if status in {401, 403}:
        remedy = f"set {settings.place}.api_key"
        return _misfit(f"the {settings.role} at {url} refuses the key", server_words(raw), "", remedy)
    try:
        models = {str(model["id"]): model for model in parsed(raw)["data"]}
    except (ValueError, KeyError, TypeError):
        got = f"HTTP {status}: {server_words(raw)}"
        remedy = f"end {settings.place}.base_urls in /v1"
        return _misfit(f"what answers at {url} does not speak the OpenAI protocol", got, "a list of models", remedy)
    if settings.model not in models:
        near = difflib.get_close_matches(settings.model, models, n=1, cutoff=0.4)
        remedy = f"did you mean {near[0]}? " if near else ""
        remedy += f"set {settings.place}.model, or start vLLM with --served-model-name"
        return _misfit(f"the model is not served at {url}", f"served: {', '.join(models)}", settings.model, remedy)
    length = models[settings.model].get("max_model_len")
    if isinstance(length, int) and length < settings.answer_tokens:
        remedy = f"lower {settings.place}.max_tokens, or start vLLM with a larger --max-model-len"
        got = f"max_model_len {length}"
        return _misfit(f"answers do not fit the model at {url}", got, f"at least {settings.answer_tokens}", remedy)
    return None


def judge_template(url: str, status: int, raw: bytes, settings: ModelServer) -> TeacherMisconfiguredError | None:
    """Return what is wrong with the chat template, by the reply to ``POST /tokenize`` with messages, or None.

    vLLM renders the messages there as it would for an answer; without a template it says (0.32) that "default chat
    template is no longer allowed". A server without that endpoint, or with another under its name, speaks of none.
    """
    words = server_words(raw)
    if status not in _UNRENDERED or "template" not in words.lower():
        return None
    remedy = "start vLLM with --chat-template FILE, or serve the model that was tuned to chat"
    return _misfit(f"{settings.model} at {url} cannot be asked as a chat", words, "a usable chat template", remedy)


def _misfit(what: str, got: str, expected: str, remedy: str) -> TeacherMisconfiguredError:
    return TeacherMisconfiguredError(what, got=got, expected=expected, remedy=remedy)


_V1 = "/v1"


class Dialect(Protocol):
    """What a teacher says to its servers and understands; equal dialects may share a teacher."""

    @property
    def server(self) -> ModelServer:
        """The servers that speak it."""

    def url(self, base_url: str) -> str:
        """Return where requests are posted."""

    def body(self, request: Request) -> bytes:
        """Return what is posted."""

    def read(self, request: Request, raw: bytes) -> Completion | Trouble:
        """Return what a reply of status 200 says.

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
        """Return the chat completions."""
        return base_url + "/chat/completions"

    def body(self, request: Request) -> bytes:
        """Without ``seed`` and ``n``: the vLLM CPU build dies of them."""
        named = {self._names.get(name, name): value for name, value in request.sampling.items()}
        body = {"model": self.server.model, "messages": request.messages, **named, "stream": False}
        return encoded({**body, **self.extra})

    @property
    def _names(self) -> Mapping[str, str]:
        """Fields that this server calls by another name."""
        return {"max_tokens": self.server.max_tokens_field} if isinstance(self.server, ChatServer) else {}

    def read(self, request: Request, raw: bytes) -> Completion | Trouble:
        """Return the message as it came."""
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
        """Return the numbers as JSON text, which is what the ledger keeps."""
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
        """Tell whether the shape is right; null is a number that the server could not compute."""
        return (
            isinstance(numbers, list)
            and len(numbers) == self.n_outputs
            and all(isinstance(number, int | float | None) and not isinstance(number, bool) for number in numbers)
        )


def outputs_in(content: str, n_outputs: int) -> list[float] | None:
    """Return the numbers that the ledger keeps of a reply; None if they are not as many, or none.

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

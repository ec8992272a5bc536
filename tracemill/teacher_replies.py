"""What a server's reply means: an answer, a refusal, trouble that passes, or a wrong set-up. Pure functions."""

from __future__ import annotations

import difflib
import json
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import orjson

from tracemill.errors import TeacherMisconfiguredError
from tracemill.ledger import Completion
from tracemill.teacher_protocol import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracemill.recipe import Teacher as TeacherSettings
    from tracemill.teacher_protocol import Request

# The request itself is wrong, and will be at the next attempt: vLLM answers 400 to a prompt longer than the context.
_REFUSED = frozenset({400, 413, 422})
# The server has no time for any request just now: says nothing against this one.
_BUSY = frozenset({408, 409, 425, 429, 503})
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


def request_body(request: Request, model: str, extra: Mapping[str, Any] | None = None) -> bytes:
    """The body of the chat request. Without ``seed`` and ``n``: the vLLM CPU build dies of them."""
    body = {"model": model, "messages": request.messages, **request.sampling, "stream": False, **(extra or {})}
    try:
        return orjson.dumps(body)
    except TypeError:  # a lone surrogate in a prompt; json writes it as an escape
        return json.dumps(body).encode()


def read_reply(
    request: Request, model: str, status: int, headers: Mapping[str, str], raw: bytes
) -> Completion | Refusal | Trouble:
    """What a reply to ``request`` says.

    Raises:
        TeacherMisconfiguredError: the server will answer no request like this (wrong key, model or path).
    """
    if status == 200:
        return _completion(request, model, raw)
    message = f"HTTP {status}: {_server_words(raw)}"
    if status in _REFUSED:
        return Refusal(request.key, status, message)
    if status in _BUSY or status >= 500:
        wait_s = retry_after(headers.get("Retry-After"), time.time())
        return Trouble(message, status, wait_s, weight=int(status not in _BUSY))
    raise TeacherMisconfiguredError(
        f"the teacher does not take requests for model {model}",
        got=message,
        expected="an answer, or a refusal of this one request",
        remedy="check distill.teacher.base_urls (with /v1), .model and .api_key",
    )


def _completion(request: Request, model: str, raw: bytes) -> Completion | Trouble:
    try:
        payload = _parsed(raw)
        choice = payload["choices"][0]
        message = choice["message"]
        usage = payload.get("usage") or {}
        finish_reason = choice.get("finish_reason")
        completion = Completion(
            key=request.key,
            content=message.get("content") or "",
            reasoning=message.get("reasoning") or message.get("reasoning_content"),
            finish_reason=finish_reason,
            prompt_tokens=usage.get("prompt_tokens"),
            completion_tokens=usage.get("completion_tokens"),
            model=payload.get("model") or model,
        )
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        return Trouble(f"the reply is no chat completion ({error!r}): {_server_words(raw)}")
    if finish_reason in {"abort", "error"}:  # vLLM's words for a generation that it gave up
        return Trouble(f"the server broke the generation off: finish_reason {finish_reason}")
    return completion


def _parsed(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:  # orjson refuses lone surrogates, which a model may well write
        return json.loads(raw)


def _server_words(raw: bytes) -> str:
    """The error message in a body, in OpenAI's layout, vLLM's older one, or none."""
    try:
        payload = _parsed(raw)
        error = payload.get("error", payload)
        words = str(error["message"] if isinstance(error, dict) else error)
    except (ValueError, KeyError, AttributeError):
        words = raw.decode("utf-8", "replace")
    return words.strip()[:_WORDS] or "(empty body)"


def retry_after(value: str | None, now: float) -> float:
    """Seconds to wait by a ``Retry-After`` header, which is a number of seconds or a date (RFC 9110 §10.2.3)."""
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


def judge_models(url: str, status: int, raw: bytes, settings: TeacherSettings) -> TeacherMisconfiguredError | None:
    """What is wrong with the server that gave this reply to ``GET /models``, or None."""
    if status in {401, 403}:
        return _misfit(f"the teacher at {url} refuses the key", _server_words(raw), "", "set distill.teacher.api_key")
    try:
        models = {str(model["id"]): model for model in _parsed(raw)["data"]}
    except (ValueError, KeyError, TypeError):
        got = f"HTTP {status}: {_server_words(raw)}"
        remedy = "end distill.teacher.base_urls in /v1"
        return _misfit(f"what answers at {url} does not speak the OpenAI protocol", got, "a list of models", remedy)
    if settings.model not in models:
        near = difflib.get_close_matches(settings.model, models, n=1, cutoff=0.4)
        remedy = f"did you mean {near[0]}? " if near else ""
        remedy += "set distill.teacher.model, or start vLLM with --served-model-name"
        return _misfit(f"the model is not served at {url}", f"served: {', '.join(models)}", settings.model, remedy)
    length = models[settings.model].get("max_model_len")
    if isinstance(length, int) and length < settings.max_tokens:
        remedy = "lower distill.teacher.max_tokens, or start vLLM with a larger --max-model-len"
        got = f"max_model_len {length}"
        return _misfit(f"answers do not fit the model at {url}", got, f"at least {settings.max_tokens}", remedy)
    return None


def _misfit(what: str, got: str, expected: str, remedy: str) -> TeacherMisconfiguredError:
    return TeacherMisconfiguredError(what, got=got, expected=expected, remedy=remedy)

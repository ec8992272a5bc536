"""A reply of the chat protocol, read and typed: what goes into the ledger has the types that everybody relies on.

Understood are a message's content as text, null or a list of parts (``text``; ``thinking`` and ``reasoning``, as
Mistral and gateways to Anthropic send them; ``refusal``), reasoning beside it (``reasoning``, ``reasoning_content``,
OpenRouter's ``reasoning_details``), a refusal and calls of tools. Whatever has another type or shape is no chat
completion: a guess would be recorded for good. Of several choices the first counts, since one was asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tracemill.core import json_text
from tracemill.core.finish_reasons import Finish, finish_of
from tracemill.core.schema import CUT_OFF
from tracemill.ledger import Completion
from tracemill.ledger.record import amount_of, count_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TEXT_PARTS: Final = frozenset({"text", "output_text"})
_THOUGHT_PARTS: Final = frozenset({"thinking", "reasoning", "reasoning_text", "reasoning_content"})
_THOUGHT_FIELDS: Final = ("thinking", "reasoning", "text", "content", "summary")
_ENCRYPTED: Final = "reasoning.encrypted"


class NoCompletionError(ValueError):
    """A reply is not what the protocol says; the message says where."""


class Usage(NamedTuple):
    """Tokens as the server counts them, and the cost that it names; None where it does not."""

    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost: float | None = None


def completion_from(payload: object, key: str, model: str) -> Completion:
    """Return the completion in a reply.

    Args:
        payload: the reply's JSON.
        key: the request's.
        model: that was asked, for servers that do not say.

    Raises:
        NoCompletionError: it holds none.
    """
    reply = mapping(payload, "the reply")
    choices = reply.get("choices")
    if not isinstance(choices, list) or not choices:
        raise NoCompletionError("it has no choices")
    choice = mapping(choices[0], "the choice")
    message = mapping(choice.get("message"), "message")
    if "finish_reason" not in choice:
        raise NoCompletionError("it has no finish_reason")  # without one, nothing was finished
    content, thought, refused = _content(message.get("content"))
    usage = usage_in(reply)
    return Completion(
        key=key,
        content=content,
        reasoning=_reasoning(message, thought),
        finish_reason=_finish_reason(choice["finish_reason"]),
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        model=model_in(reply, model),
        refusal=_said(text(message.get("refusal"), "refusal")) or _said(refused),
        tool_calls=_tool_calls(message),
        cached_tokens=usage.cached_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        system_fingerprint=_name(reply.get("system_fingerprint")),
        provider=_name(reply.get("provider")),
        cost=usage.cost,
    )


def usage_in(reply: Mapping[str, Any]) -> Usage:
    """Return the tokens that a reply names; what is no number of tokens is none, and loses no answer.

    Tokens of the cache stand in ``prompt_tokens_details`` (OpenAI, OpenRouter, vLLM) or as
    ``prompt_cache_hit_tokens`` (DeepSeek), those of reasoning in ``completion_tokens_details``, OpenRouter's price of
    the answer in ``cost``.
    """
    usage = _object(reply.get("usage"))
    cached = _object(usage.get("prompt_tokens_details")).get("cached_tokens")
    return Usage(
        count_of(usage.get("prompt_tokens")),
        count_of(usage.get("completion_tokens")),
        count_of(usage.get("prompt_cache_hit_tokens") if cached is None else cached),
        count_of(_object(usage.get("completion_tokens_details")).get("reasoning_tokens")),
        amount_of(usage.get("cost")),
    )


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _name(value: object) -> str | None:
    """Return a name, where it is one; what else stands there loses no answer."""
    return value if isinstance(value, str) and value else None


def model_in(reply: Mapping[str, Any], asked: str) -> str:
    """Return the model that a reply names, or the one that was asked.

    Raises:
        NoCompletionError: what stands there is no name.
    """
    return text(reply.get("model"), "model") or asked


def mapping(value: object, name: str) -> dict[str, Any]:
    """``value`` if it is an object.

    Raises:
        NoCompletionError: it is not.
    """
    if not isinstance(value, dict):
        raise NoCompletionError(f"{name} is {_kind(value)}, not an object")
    return value


def text(value: object, name: str) -> str | None:
    """``value`` if it is text or null.

    Raises:
        NoCompletionError: it is not.
    """
    if value is not None and not isinstance(value, str):
        raise NoCompletionError(f"{name} is {_kind(value)}, not text")
    return value


def _kind(value: object) -> str:
    return "missing" if value is None else f"of type {type(value).__name__}"


def _said(value: str | None) -> str | None:
    return value if value and value.strip() else None


def _finish_reason(value: object) -> str | None:
    reason = text(value, "finish_reason")
    return CUT_OFF if finish_of(reason) is Finish.CUT_OFF else _said(reason)


def _content(content: object) -> tuple[str, str, str]:
    """Text, reasoning and refusal that a message's content holds."""
    if not isinstance(content, list):
        return text(content, "content") or "", "", ""
    texts: list[str] = []
    thoughts: list[str] = []
    refusals: list[str] = []
    for part in content:
        kind = text(mapping(part, "a part of content").get("type"), "the type of a part")
        if kind in _TEXT_PARTS:
            texts.append(_present(part.get("text"), "the text of a part"))
        elif kind in _THOUGHT_PARTS:
            thoughts.extend(_thoughts(part))
        elif kind == "refusal":
            refusals.append(_present(part.get("refusal"), "the refusal of a part"))
        else:
            raise NoCompletionError(f"content has a part of type {str(kind)[:40]!r}")
    return "".join(texts), "".join(thoughts), "".join(refusals)


def _thoughts(part: Mapping[str, Any]) -> Iterator[str]:
    """Yield the texts of a part of reasoning: one, or a list of parts with one each (Mistral)."""
    held = next((part[name] for name in _THOUGHT_FIELDS if part.get(name) is not None), None)
    for each in held if isinstance(held, list) else [{"text": held}]:
        yield _present(mapping(each, "a part of reasoning").get("text"), "the text of a part of reasoning")


def _present(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise NoCompletionError(f"{name} is {_kind(value)}, not text")
    return value


def _reasoning(message: Mapping[str, Any], thought: str) -> str | None:
    """Return the reasoning that is said first of: its own field by either name, parts of the content, details."""
    named = [text(message.get(name), name) for name in ("reasoning", "reasoning_content")]
    found = next((said for said in (*named, thought) if _said(said)), None)
    return found if found is not None else _said("".join(_details(message.get("reasoning_details"))))


def _details(details: object) -> Iterator[str]:
    """Yield the texts of OpenRouter's ``reasoning_details``; what is encrypted is for its model alone."""
    if details is None:
        return
    if not isinstance(details, list):
        raise NoCompletionError(f"reasoning_details is {_kind(details)}, not a list")
    for detail in details:
        part = mapping(detail, "one of reasoning_details")
        if part.get("type") != _ENCRYPTED:
            name = "summary" if part.get("type") == "reasoning.summary" else "text"
            yield text(part.get(name), f"the {name} of one of reasoning_details") or ""


def _tool_calls(message: Mapping[str, Any]) -> str | None:
    """Return what was called, as JSON; in the protocol of today, or in that with one function."""
    called = message.get("tool_calls") or message.get("function_call")
    if not called:
        return None
    if not isinstance(called, list | dict):
        raise NoCompletionError(f"tool_calls is {_kind(called)}, not a list")
    return json_text(called)

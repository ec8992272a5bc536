"""Conversations of ``{from, value}`` or ``{role, content}`` turns: the last question, what came before, the reply.

Every layout reads turns here, so that each understands the same names and refuses the same things. Content is text,
or a list of text parts, which are joined as they stand. All else (null, numbers, images, calls of tools, a role that
nobody knows) says something that a prompt in text would not say: the row is malformed, and its evidence shows the turn.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from tracemill.sources.adapter import MalformedRowError

ROLES: Final = {
    "human": "user",
    "user": "user",
    "prompter": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "assistant": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "system": "system",
    "developer": "system",
}
_SPEAKER: Final = ("from", "role")
_SAID: Final = ("value", "content")
_TEXT_PARTS: Final = ("text", "input_text", "output_text")  # types of OpenAI's chat and responses
_CALLS: Final = ("tool_calls", "function_call")


@dataclass(frozen=True, slots=True)
class Exchange:
    """A conversation seen from its last question.

    Attributes:
        prompt: the last user turn.
        history: the turns before it, oldest first, as ``{"role", "content"}``; a system turn is one of them.
        reply: the assistant turn after it, or None.
        place: of the last user turn among all turns, for what else its column says of it.
    """

    prompt: str
    history: list[dict[str, str]]
    reply: str | None
    place: int = 0

    def without_system(self) -> Exchange:
        """Return the same without system turns: where they only say how the source wants its tags."""
        history = [turn for turn in self.history if turn["role"] != "system"]
        return Exchange(self.prompt, history, self.reply, self.place)


def exchange_of(value: object, name: str = "conversation") -> Exchange:
    """Return the conversation in a column: a list of turns, or JSON text of one.

    Args:
        value: of the column.
        name: what it is called in the reason.

    Raises:
        MalformedRowError: ``malformed_NAME``: no list of turns with a known role and text;
            ``missing_prompt``: no user turn.
    """
    return exchange_in(turns_of(value, name))


def exchange_in(turns: list[dict[str, str]]) -> Exchange:
    """Return the conversation of turns that were read by :func:`turns_of`.

    Raises:
        MalformedRowError: ``missing_prompt``: no user turn.
    """
    asked = [place for place, turn in enumerate(turns) if turn["role"] == "user"]
    if not asked:
        raise MalformedRowError("missing_prompt", "no turn of a user")
    last = asked[-1]
    replies = [turn["content"] for turn in turns[last + 1 :] if turn["role"] == "assistant"]
    return Exchange(turns[last]["content"], turns[:last], replies[0] if replies else None, last)


def turns_of(value: object, name: str = "conversation") -> list[dict[str, str]]:
    """Return all turns as ``{"role", "content"}`` with roles user, assistant and system.

    Raises:
        MalformedRowError: ``malformed_NAME``.
    """
    turns = as_turns(value)
    if not isinstance(turns, list) or not turns:
        raise _malformed(name, value, "a list of turns")
    return [_turn(turn, name) for turn in turns]


def as_turns(value: object) -> Any:
    """Return the value, parsed where it is JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _turn(turn: object, name: str) -> dict[str, str]:
    if not isinstance(turn, dict):
        raise _malformed(name, turn, "an object with role and content")
    if any(turn.get(calls) for calls in _CALLS):
        raise _malformed(name, turn, "no call of a tool")
    return {"role": _role(turn, name), "content": _content(turn, name)}


def _role(turn: dict[str, Any], name: str) -> str:
    """Under either name; files that mix both layouts hold both names, one of them null."""
    named = [turn[key] for key in _SPEAKER if turn.get(key) is not None]
    roles = {ROLES.get(role.strip().lower()) if isinstance(role, str) else None for role in named}
    role = roles.pop() if len(roles) == 1 else None
    if role is None:
        raise _malformed(name, turn, f"a role: {', '.join(ROLES)}")
    return role


def _content(turn: dict[str, Any], name: str) -> str:
    said = [turn[key] for key in _SAID if turn.get(key) is not None]
    texts = {_joined(content) for content in said}
    text = texts.pop() if len(texts) == 1 else None
    if text is None:
        raise _malformed(name, turn, "content that is text, or a list of text parts")
    return text


def _joined(content: object) -> str | None:
    """Text, or that of a list of text parts as it stands; None where there is anything else."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not content:
        return None
    texts = [_part(part) for part in content]
    return None if None in texts else "".join(map(str, texts))


def _part(part: object) -> str | None:
    """Return a text part's text. Parquet gives every part the fields of all kinds; those of the others are null."""
    if isinstance(part, str):
        return part
    if not isinstance(part, dict) or (part.get("type") or "text") not in _TEXT_PARTS:
        return None
    others = {key for key, value in part.items() if value is not None} - {
        "type",
        "text",
        "annotations",
        "cache_control",
    }
    text = part.get("text")
    return text if isinstance(text, str) and not others else None


def _malformed(name: str, got: object, expected: str) -> MalformedRowError:
    return MalformedRowError(f"malformed_{name}", f"got {got!r:.200}; expected: {expected}")

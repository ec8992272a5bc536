"""Conversations of ``{from, value}`` or ``{role, content}`` turns: the last question, what came before, the reply."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from tracemill.sources.draft import MalformedRowError

ROLES: Final = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "system": "system",
}


@dataclass(frozen=True, slots=True)
class Exchange:
    """A conversation seen from its last question.

    Attributes:
        prompt: the last user turn.
        history: the turns before it, oldest first, as ``{"role", "content"}``; a system turn is one of them.
        reply: the assistant turn after it, or None.
    """

    prompt: str
    history: list[dict[str, str]]
    reply: str | None

    def without_system(self) -> Exchange:
        """The same without system turns: where they only say how the source wants its tags."""
        return Exchange(self.prompt, [turn for turn in self.history if turn["role"] != "system"], self.reply)


def exchange_of(value: object) -> Exchange:
    """The conversation in a column: a list of turns, or JSON text of one.

    Raises:
        MalformedRowError: ``malformed_conversation``: no list of turns with a known role and text;
            ``missing_prompt``: no user turn.
    """
    turns = turns_of(value)
    asked = [place for place, turn in enumerate(turns) if turn["role"] == "user"]
    if not asked:
        raise MalformedRowError("missing_prompt", "no turn of a user")
    last = asked[-1]
    replies = [turn["content"] for turn in turns[last + 1 :] if turn["role"] == "assistant"]
    return Exchange(turns[last]["content"], turns[:last], replies[0] if replies else None)


def turns_of(value: object) -> list[dict[str, str]]:
    """All turns as ``{"role", "content"}`` with roles user, assistant and system.

    Raises:
        MalformedRowError: ``malformed_conversation``.
    """
    turns = _unquoted(value)
    if not isinstance(turns, list) or not turns:
        raise _malformed(value)
    return [_turn(turn) for turn in turns]


def _turn(turn: object) -> dict[str, str]:
    if not isinstance(turn, dict):
        raise _malformed(turn)
    role = ROLES.get(str(turn.get("from", turn.get("role"))).lower())
    content = turn.get("value", turn.get("content"))
    if role is None or not isinstance(content, str):
        raise _malformed(turn)
    return {"role": role, "content": content}


def _unquoted(value: object) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _malformed(got: object) -> MalformedRowError:
    expected = f"turns of role {', '.join(ROLES)} with text"
    return MalformedRowError("malformed_conversation", f"got {got!r:.200}; expected: {expected}")

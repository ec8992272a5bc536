"""A chat server that answers chosen questions oddly, and the bodies that servers have been seen to send."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.support.servers.chat_server import ChatServer

if TYPE_CHECKING:
    from collections.abc import Callable


def reply(message: Any, finish_reason: Any = "stop", **more: Any) -> dict[str, Any]:
    """A reply of the chat protocol with one choice."""
    usage = {"prompt_tokens": 3, "completion_tokens": 5}
    return {"model": "demo", "choices": [{"message": message, "finish_reason": finish_reason}], "usage": usage} | more


@dataclass
class Odd:
    """A body, and how it is sent; of a dict the JSON."""

    body: bytes | dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)

    def response(self) -> web.Response:
        raw = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        return web.Response(body=raw, headers={"Content-Type": "application/json"} | self.headers)


class OddServer(ChatServer):
    """Answers with status 200 whatever ``odd`` has for a prompt and the number of times it was asked, else as ever.

    Attributes:
        asked: prompts of the chat requests, in order.
    """

    def __init__(self, odd: Callable[[str, int], Odd | None], **options: Any) -> None:
        super().__init__(wrong_percent=0, **options)
        self.odd, self.asked = odd, list[str]()

    def _answer(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        prompt = body["messages"][-1]["content"]
        self.asked.append(prompt)
        found = self.odd(prompt, self.asked.count(prompt))
        return found.response() if found is not None else super()._answer(request, body)

"""A small real server of judging models: says what a test wants over vLLM's chat, classify and pooling endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web
from chat_server import ChatServer

if TYPE_CHECKING:
    from collections.abc import Callable


class JudgeServer(ChatServer):
    """Served as model "judge"; prompts with POISON get 500, prompts that are too long 400, as from a teacher.

    Args:
        says: from the last message to what a chat model says.
        scores: from the last message to the raw outputs of a reward model.
    """

    def __init__(
        self,
        says: Callable[[str], str] = lambda _: "incorrect",
        scores: Callable[[str], list[Any]] = lambda _: [0.0],
        **options: Any,
    ) -> None:
        super().__init__(models=("judge",), **options)
        self.says, self.scores = says, scores

    def _route(self, router: web.UrlDispatcher) -> None:
        super()._route(router)
        for path in ("/classify", "/pooling"):
            router.add_post(path, self._chat)

    def _answer(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        if "messages" not in body:
            body["messages"] = [{"role": "user", "content": body["input"]}]
        body["path"] = request.path
        return super()._answer(request, body)

    def _reply(self, body: dict[str, Any], prompt: str) -> dict[str, Any]:
        usage = {"prompt_tokens": len(prompt.split()), "completion_tokens": 1}
        if body["path"] == "/v1/chat/completions":
            message = {"role": "assistant", "content": self.says(prompt)}
            return {"model": "judge", "choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}
        name = "probs" if body["path"] == "/classify" else "data"
        return {"model": "judge", "data": [{"index": 0, name: self.scores(prompt)}], "usage": usage}

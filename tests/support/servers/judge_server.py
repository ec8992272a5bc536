"""A small real server of judging models: what a test wants, over vLLM's chat, classify, pooling and completions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.support.servers.chat_server import ChatServer

if TYPE_CHECKING:
    from collections.abc import Callable


class JudgeServer(ChatServer):
    """Served as model "judge"; prompts with POISON get 500, prompts that are too long 400, as from a teacher.

    Args:
        says: from the last message to what a chat model says.
        scores: from the last message to the raw outputs of a reward model.
        logprobs: from a text to the log probabilities of its tokens but the first.
    """

    def __init__(
        self,
        says: Callable[[str], str] = lambda _: "incorrect",
        scores: Callable[[str], list[Any]] = lambda _: [0.0],
        logprobs: Callable[[str], list[float]] = lambda _: [-1.0],
        **options: Any,
    ) -> None:
        super().__init__(models=("judge",), **options)
        self.says, self.scores, self.logprobs = says, scores, logprobs

    def _route(self, router: web.UrlDispatcher) -> None:
        super()._route(router)
        for path in ("/classify", "/pooling", "/v1/completions"):
            router.add_post(path, self._chat)

    def _answer(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        if "messages" not in body:
            body["messages"] = [{"role": "user", "content": body.get("input") or body["prompt"]}]
        body["path"] = request.path
        return super()._answer(request, body)

    def _reply(self, body: dict[str, Any], prompt: str) -> dict[str, Any]:
        usage = {"prompt_tokens": len(prompt.split()), "completion_tokens": 1}
        if body["path"] == "/v1/chat/completions":
            message = {"role": "assistant", "content": self.says(prompt)}
            return {"model": "judge", "choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}
        if body["path"] == "/v1/completions":
            entries = [{str(n): {"logprob": value, "rank": 1}} for n, value in enumerate(self.logprobs(prompt))]
            choice = {"text": "", "finish_reason": "length", "prompt_logprobs": [None, *entries]}
            return {"model": "judge", "choices": [choice], "usage": usage}
        name = "probs" if body["path"] == "/classify" else "data"
        return {"model": "judge", "data": [{"index": 0, name: self.scores(prompt)}], "usage": usage}


def server_of(judge: JudgeServer, **settings: Any) -> dict[str, Any]:
    """A recipe section that points at the judge."""
    return {"model": "judge", "revision": "r1", "base_urls": [judge.url], "give_up_after_s": 2, **settings}

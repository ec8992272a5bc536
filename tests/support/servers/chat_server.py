"""A small real OpenAI chat server: deterministic answers over HTTP, and every fault a teacher must live through.

``python tests/support/servers/chat_server.py --port P [--latency-ms MS] [--model NAME] [--wrong PERCENT]``,
``[--reasoning FIELD] [--host HOST]``; then ``GET /count`` gives ``{"completed", "received", "distinct"}``. In tests:
:class:`ChatServer`.

It solves the last "What is A + B?" (also -, *) of the last message, wrong for a fixed share of requests, chosen by a
digest of the request: the same request always gets the same answer. Prompts with the word POISON get 500 for ever,
prompts of more than ``max_model_len`` characters get 400, and a body with ``seed`` or ``n`` is answered 500, since
the vLLM CPU build dies of them.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import logging
import operator
import re
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable

# aiohttp complains about the connections that are broken off here on purpose.
_QUIET = logging.Logger("chat_server", logging.CRITICAL + 1)  # noqa: LOG001 - it shall have no parents

_SUM = re.compile(r"What is (-?\d+) ([-+*]) (-?\d+)\?")
_OPERATORS: dict[str, Callable[[int, int], int]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}


@dataclass(frozen=True)
class Fault:
    """What happens to one chat request instead of an answer.

    Attributes:
        status: reply with this status; 0 breaks the connection off without a byte.
        hang_s: wait so long first, in seconds.
        body: of the reply.
    """

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    hang_s: float = 0.0
    body: str = '{"error": {"message": "a planned fault"}}'


class ChatServer:
    """The server in a thread; start, stop and start it again on the same port.

    Attributes:
        faults: taken one by one, by the next chat requests.
        completed: chat requests that were answered with 200.
        received: chat requests that came in.
        template: what POST /tokenize says: None for no such endpoint, "sound", or why messages cannot be rendered.
        n_busy: chat requests that are being answered; peak: the most of them at once.
        bodies: of the chat requests, in order of arrival (the last 10,000); headers: likewise.
        refused_fields: a request with one of these gets 400, in OpenAI's words.
        answers_as: the model that an answer names, in place of the one that was asked.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        models: tuple[str, ...] = ("demo",),
        latency_s: float = 0.0,
        wrong_percent: int = 20,
        max_model_len: int = 100_000,
        reasoning_field: str | None = None,
        api_key: str | None = None,
        truncates: bool = False,
        template: str | None = None,
        refused_fields: tuple[str, ...] = (),
    ) -> None:
        self.port, self.host = port, host
        self.models, self.latency_s, self.wrong_percent = models, latency_s, wrong_percent
        self.max_model_len, self.reasoning_field, self.api_key = max_model_len, reasoning_field, api_key
        self.truncates, self.template, self.refused_fields = truncates, template, refused_fields
        self.faults: deque[Fault] = deque()
        self.always: Fault | None = None
        self.answers_as = ""
        self.completed = self.received = self.peak = self.n_models_asked = self.n_busy = 0
        self.bodies: deque[dict[str, Any]] = deque(maxlen=10_000)
        self.headers: deque[dict[str, str]] = deque(maxlen=10_000)
        self._digests: set[str] = set()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def url(self) -> str:
        """Base URL for ``distill.teacher.base_urls``."""
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listens; the port stays the same over a stop and a start."""
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self._thread.start()
        if not ready.wait(10):
            raise RuntimeError(f"the chat server does not listen on port {self.port}")

    def stop(self) -> None:
        """Dies: breaks off what it is answering and stops listening."""
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join(10)
            self._loop = None

    async def serve_forever(self) -> None:
        """Serves in the caller's event loop, until cancelled."""
        await self._serve(threading.Event())

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application(client_max_size=1 << 26)
        self._route(app.router)
        runner = web.AppRunner(app, access_log=None, logger=_QUIET, shutdown_timeout=0.01)
        await runner.setup()
        site = web.TCPSite(runner, self.host, self.port, reuse_address=True)
        await site.start()
        self.port = runner.addresses[0][1]
        ready.set()
        try:
            await self._stopped.wait()
        finally:
            self.n_busy = 0
            await runner.cleanup()

    def _route(self, router: web.UrlDispatcher) -> None:
        router.add_get("/v1/models", self._list_models)
        router.add_post("/v1/chat/completions", self._chat)
        router.add_post("/tokenize", self._tokenize)
        router.add_get("/count", self._count)

    async def _list_models(self, request: web.Request) -> web.Response:
        self.n_models_asked += 1
        if not self._allowed(request):
            return _error(401, "wrong key")
        models = [{"id": name, "object": "model", "max_model_len": self.max_model_len} for name in self.models]
        return web.json_response({"object": "list", "data": models})

    async def _tokenize(self, request: web.Request) -> web.Response:
        body = await request.json()
        if self.template is None:
            return _error(404, "Not Found")
        if self.template != "sound":
            return _error(400, self.template)
        return web.json_response({"count": len(body["messages"]), "max_model_len": self.max_model_len, "tokens": [1]})

    async def _count(self, _: web.Request) -> web.Response:
        figures = {"completed": self.completed, "received": self.received, "distinct": len(self._digests)}
        return web.json_response(figures)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.received += 1
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        self.n_busy += 1
        self.peak = max(self.peak, self.n_busy)
        try:
            fault = self.faults.popleft() if self.faults else self.always
            if fault is not None:
                return await _faulty(request, fault)
            await asyncio.sleep(self.latency_s)
            return self._answer(request, body)
        finally:
            self.n_busy -= 1

    def _answer(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        turns = body["messages"][:-1] if body.get("continue_final_message") else body["messages"]
        prompt = turns[-1]["content"]
        if not self._allowed(request):
            return _error(401, "wrong key")
        if body["model"] not in self.models:
            return _error(404, f"The model `{body['model']}` does not exist.")
        if unknown := set(self.refused_fields) & set(body):
            return _error(400, f"Unrecognized request argument supplied: {', '.join(sorted(unknown))}")
        if len(prompt) > self.max_model_len:
            return _error(400, f"This model's maximum context length is {self.max_model_len} tokens.")
        if "POISON" in prompt or {"seed", "n"} & set(body):
            return _error(500, "EngineDeadError")
        reply = self._reply(body, prompt)
        self.completed += 1
        return web.json_response(reply)

    def _reply(self, body: dict[str, Any], prompt: str) -> dict[str, Any]:
        messages = [turn for turn in body["messages"] if turn["role"] != "assistant"]
        digest = hashlib.sha256(json.dumps(messages, sort_keys=True).encode()).hexdigest()
        self._digests.add(digest)
        think, answer = f"\nLet me see. {digest[:8]}\n", self._solve(prompt, digest)
        message = {"role": "assistant", "content": f"<think>{think}</think>\n\n{answer}"}
        if self.reasoning_field is not None:
            message = {"role": "assistant", "content": f"\n\n{answer}", self.reasoning_field: think}
        n_prompt, n_answer = len(prompt.split()), len(answer.split()) + 4
        finish_reason = "stop"
        if self.truncates:
            message["content"], finish_reason = _cut(message["content"], body)
            n_answer = len(message["content"].split(" "))
        usage = {"prompt_tokens": n_prompt, "completion_tokens": n_answer, "total_tokens": n_prompt + n_answer}
        choice = {"index": 0, "message": message, "finish_reason": finish_reason}
        return {
            "id": digest,
            "object": "chat.completion",
            "model": self.answers_as or body["model"],
            "choices": [choice],
            "usage": usage,
        }

    def _solve(self, prompt: str, digest: str) -> str:
        sums = _SUM.findall(prompt)
        if not sums:
            return f"I say {digest[8:16]}."
        left, sign, right = sums[-1]
        wrong = int(digest[:8], 16) % 100 < self.wrong_percent
        return f"The answer is \\boxed{{{_OPERATORS[sign](int(left), int(right)) + int(wrong)}}}."

    def _allowed(self, request: web.Request) -> bool:
        return self.api_key is None or request.headers.get("Authorization") == f"Bearer {self.api_key}"


def _cut(content: str, body: dict[str, Any]) -> tuple[str, str]:
    """As many blank-separated words as max_tokens allows, from where the assistant's unfinished turn ends."""
    begun = body["messages"][-1]["content"] if body.get("continue_final_message") else ""
    if not content.startswith(begun):
        begun = ""
    rest = content[len(begun) :]
    words = rest.split(" ")
    room = body["max_tokens"]
    return (rest, "stop") if len(words) <= room else (" ".join(words[:room]), "length")


async def _faulty(request: web.Request, fault: Fault) -> web.Response:
    await asyncio.sleep(fault.hang_s)
    if fault.status == 0 and request.transport is not None:
        request.transport.abort()
    return web.Response(status=fault.status or 500, headers=fault.headers, text=fault.body)


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"message": message, "code": status}}, status=status)


def main() -> None:
    """Serves until killed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--model", default="demo")
    parser.add_argument("--wrong", type=int, default=20, help="percent of sums that are answered wrong")
    parser.add_argument("--max-model-len", type=int, default=100_000)
    parser.add_argument("--reasoning", help="name of the field for split-off reasoning")
    given = parser.parse_args()
    server = ChatServer(
        port=given.port,
        host=given.host,
        models=(given.model,),
        latency_s=given.latency_ms / 1000,
        wrong_percent=given.wrong,
        max_model_len=given.max_model_len,
        reasoning_field=given.reasoning,
    )
    asyncio.run(server.serve_forever())


if __name__ == "__main__":
    main()

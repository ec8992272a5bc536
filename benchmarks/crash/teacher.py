"""A teacher for the crash matrix: knows every answer, and writes down each request before and after it is paid for.

``python -m benchmarks.crash.teacher --port P --answers FILE --log FILE --latency-ms MS``. The log outlives a SIGKILL of
this process: a line ``began`` when a request has come in, ``paid`` when its answer goes out. The same request always
gets the same answer, a fifth of them wrong, after a time that depends on the request.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from aiohttp import web

MODEL = "crash-teacher"
WRONG_PERCENT = 20


class LoggedTeacher:
    """The handlers.

    Args:
        answers: what to say, by question; a prompt contains its question.
        log: file to append to.
        latency_s: the mean time of an answer.
    """

    def __init__(self, answers: dict[str, str], log: Path, latency_s: float) -> None:
        self._answers, self._latency_s = answers, latency_s
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    async def models(self, _: web.Request) -> web.Response:
        """Return the one model."""
        return web.json_response({"object": "list", "data": [{"id": MODEL, "object": "model", "max_model_len": 8192}]})

    async def chat(self, request: web.Request) -> web.Response:
        """Return one answer."""
        messages = (await request.json())["messages"]
        os.write(self._log, b"began\n")
        digest = hashlib.sha256(json.dumps(messages, sort_keys=True).encode()).digest()
        await asyncio.sleep(self._latency_s * (0.5 + digest[0] / 256))
        os.write(self._log, b"paid\n")
        return web.json_response(self._reply(messages[-1]["content"], digest))

    def _reply(self, prompt: str, digest: bytes) -> dict[str, Any]:
        answer = next((said for question, said in self._answers.items() if question in prompt), "\\boxed{0}")
        if digest[1] % 100 < WRONG_PERCENT:
            answer = "I would say \\boxed{-999983}."
        message = {"role": "assistant", "content": f"<think>\nLet me see. {digest[:4].hex()}\n</think>\n\n{answer}"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}
        return {"id": "1", "object": "chat.completion", "model": MODEL, "choices": [choice], "usage": usage}


def main() -> None:
    """Serves until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--latency-ms", type=float, default=200.0)
    given = parser.parse_args()
    teacher = LoggedTeacher(json.loads(given.answers.read_text()), given.log, given.latency_ms / 1000)
    app = web.Application(client_max_size=1 << 26)
    app.router.add_get("/v1/models", teacher.models)
    app.router.add_post("/v1/chat/completions", teacher.chat)
    web.run_app(app, host="127.0.0.1", port=given.port, print=None, access_log=None)


if __name__ == "__main__":
    main()
